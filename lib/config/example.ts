// Responsible for the commented configuration that `cgs-export init` writes.

/** The same text as cgs-export.example.yml; a test compares them. */
export const exampleConfig = `# yaml-language-server: $schema=./cgs-export.schema.json
# The line above lets editors check this file. \`cgs-export schema > cgs-export.schema.json\` writes the schema.

# What cgs-export exports, from where, and where to.
# \`cgs-export init\` writes this file as cgs-export.yml.
# \${NAME} is replaced by an environment variable: use it for keys and passwords.
# Check the file with \`cgs-export plan\`: it sends nothing to the API that lists the nodes. With \`credentials: agency\`,
# which only a function has, check it with \`npx serverless package\`.

# Where snapshots are stored. A relative folder starts at the folder of this file.
store: file:./export
# store: obs://my-bucket/cgs
# store: file:/data/lake

# Only for a folder on a file system that is mounted into a function. A function rejects other folders.
# mounted: true
# Permissions of the files in a folder, whatever the umask. "0640": the group may read them too.
# fileMode: "0600"

# How often a snapshot of every target is due, counted from 1970-01-01 00:00 UTC.
# A number with s, m, h or d that divides 24h or is whole days.
schedule: 24h

# Parquet is always written. [parquet] leaves NDJSON out.
formats: [parquet, ndjson]

# The service allows 5 requests per 60 seconds. Use fewer if others send requests with the same key or address.
quota: { requests: 5, windowSeconds: 60 }

# How many days the raw pages of a sealed run are kept.
keepPagesDays: 7

# What \`cgs-export prune\` keeps. Without this section nothing is pruned. Manifests are always kept.
# retention: { all: 30d, daily: 90d, weekly: 1y, monthly: 7y, grace: 7d }

# Only for a store that starts with obs://
# obs:
#   endpoint: https://obs.cn-south-4.myhuaweicloud.com   # default: OBS in the region of the first target
#   pathStyle: false                                     # true for most other S3-compatible stores
#   credentials: { ak: "\${OBS_AK}", sk: "\${OBS_SK}" }     # default: those of the first account
#   # The KMS key that the store encrypts every object with. Default: as the bucket is set.
#   kmsKeyId: arn:aws:kms:cn-south-4:0123456789abcdef:key/00000000-0000-0000-0000-000000000000

# The key that signs every manifest: \`cgs-export keygen\` makes one. Keep its public key outside the store.
# signing: { privateKey: "\${CGS_SIGNING_KEY}" }

# Alerts about every target. Without rules: snapshotFailed: true and driftedInARow: 2. Test it: cgs-export alerts test
# alerts:
#   webhook: { url: "\${HOOK_URL}", secret: "\${HOOK_SECRET}" }
#   smn: { topicUrn: "urn:smn:cn-south-4:0123456789abcdef0123456789abcdef:alerts" }
#   rules: { snapshotFailed: true, unprotectedShareAbove: 0.05, nodeGone: true, staleAfter: 36h, driftedInARow: 2,
#     onSnapshot: true }

accounts:
  # A name of your choice. Every row has it in the column account.
  - name: prod
    # The key is in the variables HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, for a temporary key,
    # HUAWEICLOUD_SDK_SECURITY_TOKEN; a function without these uses its agency. With several accounts, or to use other
    # variables, give each account one of these forms:
    # credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}" }
    # credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}", securityToken: "\${PROD_TOKEN}" }
    # credentials: { iamUser: exporter, iamPassword: "\${PROD_PASSWORD}", iamDomain: my-account }
    # credentials: agency    # only in a function: commands on this host have no agency
    targets:
      - region: cn-south-4
        # By default IAM is asked for the project with the name of the region.
        # projectId: 0123456789abcdef0123456789abcdef

        # By default cgs.* for cn-south-4, hss.* elsewhere.
        # endpoint: https://hss.cn-south-4.myhuaweicloud.com
        # iamEndpoint: https://iam.cn-south-4.myhuaweicloud.com

        # cgs or hss. Default: cgs if the host of the endpoint starts with cgs., else hss.
        # api: hss

        # What to export, each into a table of its own. container_clusters only for hss. Default: the nodes.
        # datasets: [container_nodes, container_clusters]

        # Only for hss: all_granted_eps (the default), "0" for the default enterprise project, or the id of one.
        # enterpriseProjectId: all_granted_eps

      # A target that exports only some of the nodes needs its own table.
      # - region: cn-north-4
      #   filters: { hostName: web, agentStatus: offline, protectStatus: closed, containerTags: cce,
      #     version: hss.version.container.enterprise, containerNode: true }
      #   table: offline_web_nodes
`;
