// Owns the commented configuration that `cgs-export init` writes. Refuses defaults that it does not name.

/** The same text as cgs-export.example.yml; a test compares them. */
export const exampleConfig = `# cgs-export: what is exported, from where, to where.
# Copy to cgs-export.yml. \${NAME} takes an environment variable: keep keys and passwords there.
# Check it with \`cgs-export plan\`: it sends nothing to the service's nodes endpoint.

# Where the snapshots go. A relative file: path starts at the folder of this file.
store: file:./export
# store: obs://my-bucket/cgs
# store: file:/data/lake

# A snapshot of every target is due this often, counted from 1970-01-01 00:00 UTC.
# It divides 24h, or is whole days; s, m, h, d.
schedule: 24h

# parquet, ndjson or both.
formats: [parquet, ndjson]

# What the service allows a user and an address: 5 requests a minute. Less is kind to others
# who use the same key or the same address.
quota: { requests: 5, windowSeconds: 60 }

# Only for a store that begins with obs://
# obs:
#   endpoint: https://obs.cn-south-4.myhuaweicloud.com   # default: in the region of the first target
#   pathStyle: false                                     # true for other S3-compatible stores
#   credentials: { ak: "\${OBS_AK}", sk: "\${OBS_SK}" }     # default: those of the first account
#   kmsKeyId: 00000000-0000-0000-0000-000000000000        # encrypt with this key

accounts:
  # A name of your own: every row carries it.
  - name: prod
    # One of three forms. Left out: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, for a temporary key,
    # HUAWEICLOUD_SDK_SECURITY_TOKEN; in a function without them, its agency.
    credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}" }
    # credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}", securityToken: "\${PROD_TOKEN}" }
    # credentials: { iamUser: exporter, iamPassword: "\${PROD_PASSWORD}", iamDomain: my-account }
    # credentials: agency
    targets:
      - region: cn-south-4
        # Left out: asked of IAM by the region's name.
        # projectId: 0123456789abcdef0123456789abcdef

        # Left out: cgs.* for cn-south-4, hss.* elsewhere.
        # endpoint: https://hss.cn-south-4.myhuaweicloud.com
        # iamEndpoint: https://iam.cn-south-4.myhuaweicloud.com

        # cgs or hss. Left out: by the endpoint's host.
        # api: hss

        # hss only: all_granted_eps, 0 for the default enterprise project, or the id of one.
        # enterpriseProjectId: all_granted_eps

      # A part of the nodes needs a table of its own.
      # - region: cn-north-4
      #   filters: { hostName: web, agentStatus: offline, protectStatus: closed, containerTags: cce }
      #   table: offline_web_nodes
`;
