// Responsible for the texts about each setting in the JSON Schema and in docs/configuration.md, beyond its hint. A test
// compares the names with schema.ts. Not for the functions: their bundles do without these texts.

interface Description {
  text: string;
  /** What applies without the setting, if that is not one value. */
  defaultText?: string;
}

const obs = {
  endpoint: {
    text: 'Address of OBS, or of another S3-compatible store.',
    defaultText: 'OBS in the region of the first target',
  },
  region: {
    text: 'Region in the signature of requests to the store. Needed for stores with a name of their own, such as Garage.',
    defaultText: 'the region in an OBS endpoint, else the region of the first target',
  },
  pathStyle: {
    text: '`true`: the bucket is in the path of each request. Most S3-compatible stores need this, but OBS does not accept it. `false`: the bucket is in the host name.',
  },
  credentials: {
    text: 'The key that signs requests to the store. OBS does not accept a sign-in with user and password.',
    defaultText: 'those of the first account',
  },
  acl: {
    text: 'Canned ACL that is sent with every object. Needed if the bucket belongs to another account: without `bucket-owner-full-control`, the owner of the bucket may have no permission to read the objects.',
    defaultText: 'no ACL is sent: the objects belong to the account of the key that writes them',
  },
  kmsKeyId: {
    text: 'KMS key with which the store encrypts every object (SSE-KMS).',
    defaultText: 'the encryption that the bucket is set to',
  },
} satisfies Readonly<Record<string, Description>>;

/** By the path of the section, as in setting-list.ts, and the name of the setting. */
export const descriptions: Readonly<Record<string, Readonly<Record<string, Description>>>> = {
  '': {
    store: { text: 'Where snapshots are stored: in a folder or in a bucket.' },
    mounted: {
      text: '`true`: the folder of a `file:` store is on a file system that is mounted into the function. Without this setting a function rejects a `file:` store: the file system of a function, and the quota ledger on it, is lost when its instance ends. Has no effect on the command line.',
    },
    fileMode: {
      text: 'Permissions of new files of a store in a folder, whatever the umask. A folder can be entered by each user who may read it. Existing files keep their permissions.',
    },
    schedule: {
      text: 'How often a snapshot of every target is due, counted from 1970-01-01 00:00 UTC.',
    },
    formats: { text: 'File formats of a snapshot. Parquet is always written.' },
    quota: {
      text: 'How many requests may be sent, retries included. It applies to each API path, per user (access key) and to this exporter as a whole.',
    },
    keepPagesDays: { text: 'How many days the raw pages of a sealed run are kept.' },
    obs: { text: 'Access to the bucket. Only for a store that starts with `obs://`.' },
    signing: {
      text: 'The key that signs every manifest. Without it manifests are not signed. Commands that only read the store do not need it.',
    },
    verify: {
      text: 'Defaults of the commands `verify` and `report`. `report` does not use `since`.',
    },
    retention: {
      text: 'How long `prune` keeps the rows of snapshots. Changes and manifests are always kept. The newest complete snapshot and all later ones are always kept too.',
      defaultText: 'nothing is pruned',
    },
    alerts: {
      text: 'Alerts about every target, and where they are sent: see [Alerts](alerts.md). Commands that only read the store do not need it.',
      defaultText: 'no alerts are sent',
    },
    accounts: { text: 'The accounts whose nodes are exported.' },
  },
  quota: {
    requests: {
      text: 'Requests per window. A lower number leaves requests for other programs with the same key or address.',
    },
    windowSeconds: { text: 'Length of the window in seconds.' },
  },
  obs,
  verify: {
    pins: {
      text: 'Where `verify` keeps the pins: the hash of the newest manifest of each target that it has seen. In a function it must be `obs://`, unless `mounted` is true. `verify` reports a fault if a pinned manifest is no longer in its chain. Must be outside the store. `--pins` replaces it.',
      defaultText: 'none: no pins are kept',
    },
    obs: {
      text: 'Access to the bucket of the pins. Only for pins that start with `obs://`.',
      defaultText: 'that of the store, if it is a bucket too',
    },
    publicKeys: {
      text: 'Public keys that must have signed the newest manifest of every target. Relative file names start at the folder of this file. `serverless package` puts the files into the zips of the functions `verify` and `report`. `--public-key` replaces the list.',
      defaultText: 'signatures are checked with the keys in the store',
    },
    since: {
      text: 'Only parts of snapshots from this time on are read and hashed. A date means 00:00 UTC. All manifests are always read. `--since` replaces it.',
      defaultText: 'all parts are hashed',
    },
  },
  signing: {
    privateKey: {
      text: 'Private key, Ed25519 in PKCS#8 PEM. An export with a key that cannot be used stops before its first request.',
    },
  },
  'verify.obs': obs,
  retention: {
    all: { text: 'Every snapshot of at most this age is kept.', defaultText: 'keeps nothing' },
    daily: {
      text: 'The first complete snapshot of each day (UTC) is kept up to this age.',
      defaultText: 'keeps nothing',
    },
    weekly: {
      text: 'The first complete snapshot of each week (ISO: from Monday, UTC) is kept up to this age.',
      defaultText: 'keeps nothing',
    },
    monthly: {
      text: 'The first complete snapshot of each month (UTC) is kept up to this age.',
      defaultText: 'keeps nothing',
    },
    grace: {
      text: 'Time from the mark that a snapshot is pruned until its rows are deleted. In this time, tables that name these files can drop them.',
      defaultText: '`7d`; `0s` if `all: 0s` is the only rule',
    },
  },
  alerts: {
    webhook: {
      text: 'A server that receives each alert as the JSON body of a POST.',
      defaultText: 'none. At least one of `webhook` and `smn` must be set',
    },
    smn: {
      text: 'A topic of Simple Message Notification. Messages are sent with the credentials of the first account, which need `smn:topic:publish`.',
      defaultText: 'none',
    },
    rules: {
      text: 'Which alerts are sent. Without this section: `{ snapshotFailed: true, driftedInARow: 2 }`. With it, a rule that it does not name is off.',
      defaultText: 'the two rules above',
    },
  },
  'alerts.webhook': {
    url: { text: 'Address of the server.' },
    secret: {
      text: 'Key of the HMAC in the header `X-Cgs-Export-Signature`, which proves that an alert is from this exporter.',
    },
  },
  'alerts.smn': {
    topicUrn: { text: 'URN of the topic. Region and project are those in the URN.' },
    endpoint: {
      text: 'Address of SMN.',
      defaultText: '`https://smn.<region>.myhuaweicloud.com` (`.eu` for EU regions)',
    },
  },
  'alerts.rules': {
    snapshotFailed: {
      text: 'The newest attempt to export the target failed, timers do not try the target for some time (held), or its run was given up. Resolved by the next snapshot.',
    },
    unprotectedShareAbove: {
      text: 'More than this share of the nodes of the newest complete snapshot are unprotected.',
      defaultText: 'off',
    },
    nodeGone: { text: 'Nodes of the previous complete snapshot are not in the new one.' },
    staleAfter: {
      text: 'The newest snapshot is older than this. Must be longer than the schedule.',
      defaultText: 'off',
    },
    driftedInARow: {
      text: 'This many snapshots in a row are drifted. Resolved by the next complete one.',
      defaultText: 'off',
    },
    onSnapshot: {
      text: 'Each sealed snapshot, with the key and the hash of its manifest, so that other jobs can start from it.',
    },
  },
  'accounts.*': {
    name: { text: 'A name of your choice. Every row has it in the column `account`.' },
    credentials: {
      text: 'Key or sign-in for requests to the API.',
      defaultText:
        '`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for a temporary key, `HUAWEICLOUD_SDK_SECURITY_TOKEN`; in a function without these, its agency',
    },
    targets: { text: 'The lists of nodes to export: each is one list of one region and project.' },
  },
  'accounts.*.credentials': {
    ak: { text: 'Access key id.' },
    sk: { text: 'Secret access key.' },
    securityToken: {
      text: 'Security token of a temporary key. Empty: the key is permanent.',
      defaultText: 'no token: the key is permanent',
    },
    iamUser: { text: 'Name of an IAM user.' },
    iamPassword: { text: 'Password of the IAM user.' },
    iamDomain: { text: 'Account (domain) that the IAM user belongs to.' },
  },
  'accounts.*.targets.*': {
    region: { text: 'Region of the nodes.' },
    projectId: {
      text: 'Project of the nodes. No project is ever created. An id of another form causes a warning.',
      defaultText: 'IAM is asked for the project with the name of the region',
    },
    endpoint: {
      text: 'Address of the API. If it is a host of Huawei Cloud, it must be in the region of the target.',
      defaultText:
        '`https://cgs.cn-south-4.myhuaweicloud.com` for cn-south-4, else `https://hss.<region>.myhuaweicloud.com` (`.eu` for EU regions)',
    },
    iamEndpoint: {
      text: 'Address of IAM, for project ids and sign-ins. If it is a host of Huawei Cloud, it must be in the region of the target, or in none.',
      defaultText:
        '`https://iam.<region>.myhuaweicloud.com` (`.eu` for EU regions); the endpoint, if that is on this host',
    },
    enterpriseProjectId: {
      text: 'Enterprise project of the nodes. Only for the hss API. A value of another form causes a warning.',
      defaultText:
        '`all_granted_eps`: every enterprise project that the user may see; not sent to the cgs API',
    },
    api: {
      text: 'Version of the API: `cgs` is the one of 2021, `hss` its successor.',
      defaultText: '`cgs` if the host of the endpoint starts with `cgs.`, else `hss`',
    },
    filters: {
      text: 'Exports only the nodes that match all filters. The target must name its own table.',
      defaultText: 'all nodes',
    },
    datasets: {
      text: 'What is exported: `container_nodes`, the nodes; `container_clusters`, the clusters (only for the hss API). Each dataset has its own table. A table that has snapshots keeps its dataset.',
    },
    table: {
      text: 'Table that the rows belong to: the first part of every object key. With more than one dataset, the tables are `<table>_<dataset>`.',
      defaultText: 'the name of the dataset',
    },
  },
  'accounts.*.targets.*.filters': {
    hostName: { text: 'Host name, sent to the API unchanged.' },
    agentStatus: {
      text: 'Status of the agent. The cgs API knows only not_installed, online and offline.',
    },
    protectStatus: { text: 'Protection status. Only for the hss API.' },
    containerTags: { text: 'Kind of cluster. Only for the hss API.' },
    version: { text: 'Edition of the protection. Only for the hss API.' },
    containerNode: {
      text: '`true`: only container nodes. `false`: only other hosts. Not sent by default. Only for the hss API.',
    },
  },
};
