// Responsible for the settings of cgs-export.yml: which exist, what each accepts, its default, and what people read about
// it. The only source for the check of a configuration, the JSON Schema and docs/configuration.md. Not responsible for
// what settings mean together.

import * as v from 'valibot';
import { suggest } from './suggest.ts';
import {
  flag,
  isMapping,
  key,
  mustBe,
  name,
  oneOf,
  origin,
  positiveNumber,
  schedule,
  securityToken,
  storeLocation,
  table,
  text,
  textUpTo,
} from './values.ts';

/** What people read about a setting. */
export interface About {
  description: string;
  /** What to write: shown with every fault of the setting. */
  hint?: string;
  /** What applies without the setting, where that is not one value. */
  defaultText?: string;
  /** As it is written in YAML. */
  examples?: unknown[];
  /** Only commands that send requests to the API use it: for the others its variables need not be set. */
  isApiOnly?: boolean;
}

function required<T extends v.GenericSchema>(schema: T, about: About) {
  return v.pipe(schema, v.metadata({ ...about }));
}

function optional<T extends v.GenericSchema>(schema: T, about: About) {
  return v.optional(required(schema, about));
}

function section<const T extends v.ObjectEntries>(entries: T) {
  return v.pipe(
    // Valibot takes a list for an object.
    v.custom<Record<string, unknown>>(isMapping, mustBe('a section')),
    v.strictObject(entries, ({ expected }) =>
      expected === 'never' ? 'is not a setting' : 'is missing',
    ),
  );
}

function listOf<T extends v.GenericSchema>(item: T) {
  return v.pipe(v.array(item, mustBe('a list')), v.minLength(1, 'is an empty list'));
}

const agency = v.literal('agency', 'is not "agency"');

const keyForm = {
  ak: required(key, { description: 'Access key id.' }),
  sk: required(key, { description: 'Secret access key.' }),
  securityToken: optional(securityToken, {
    description: 'Security token of a temporary key. Empty: the key is permanent.',
    defaultText: 'no token: the key is permanent',
  }),
};
const signInForm = {
  iamUser: required(text, { description: 'Name of an IAM user.' }),
  iamPassword: required(text, { description: 'Password of the IAM user.' }),
  iamDomain: required(text, { description: 'Account (domain) that the IAM user belongs to.' }),
};
const accessKey = section(keyForm);
const signIn = section(signInForm);

function hasNameOf(form: object, given: object): boolean {
  return Object.keys(given).some((name) => suggest(name, Object.keys(form)) !== null);
}

/** All forms, for what reads the schema. For a value, `credentials` picks the form that was meant. */
export const anyCredentials = v.union([agency, accessKey, signIn], ({ input }) =>
  !isMapping(input)
    ? 'must be "agency" or a section'
    : hasNameOf(keyForm, input)
      ? 'mixes a key and a sign-in'
      : 'has neither a key nor a sign-in',
);

const credentials = v.lazy(
  (given): v.GenericSchema<unknown, v.InferOutput<typeof anyCredentials>> => {
    if (typeof given === 'string') return agency;
    if (!isMapping(given)) return anyCredentials;
    const isKey = hasNameOf(keyForm, given);
    if (isKey === hasNameOf(signInForm, given)) return anyCredentials;
    return isKey ? accessKey : signIn;
  },
);
const credentialsHint =
  'Write `{ ak, sk }`, with securityToken if the key is temporary; or `{ iamUser, iamPassword, iamDomain }`; or, only in a function, `agency`. Use variables for keys and passwords.';

const originHint =
  'Write `https://host` or `https://host:port`, without path, user or password. `http://` is accepted only for this host (localhost): on the network others could read and change what is sent.';

const filters = section({
  hostName: optional(textUpTo(128), {
    description: 'Host name, sent to the API as it is.',
    hint: 'Write 1 to 128 characters.',
    examples: ['web'],
  }),
  // Documented values of the request: HSS ListContainerNodes, read 2026-11-24.
  agentStatus: optional(
    oneOf(['installed', 'not_installed', 'online', 'offline', 'install_failed', 'installing']),
    {
      description: 'Status of the agent. The cgs API knows only not_installed, online and offline.',
      examples: ['offline'],
    },
  ),
  protectStatus: optional(oneOf(['closed', 'opened']), {
    description: 'Protection status. Only for the hss API.',
    examples: ['closed'],
  }),
  containerTags: optional(oneOf(['cce', 'self', 'other']), {
    description: 'Kind of cluster. Only for the hss API.',
    examples: ['cce'],
  }),
});

const target = section({
  region: required(name(64, /^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'is not a valid region name'), {
    description: 'Region of the nodes.',
    hint: 'Write the name of a region, as in cn-south-4.',
    examples: ['cn-south-4'],
  }),
  projectId: optional(name(128, /^[A-Za-z0-9_-]+$/, 'is not a valid project id'), {
    description: 'Project of the nodes. No project is ever created.',
    hint: 'Write the id of 32 letters and digits that IAM shows under "My Credentials".',
    defaultText: 'IAM is asked for the project with the name of the region',
    examples: ['0123456789abcdef0123456789abcdef'],
  }),
  endpoint: optional(origin, {
    description: 'Address of the API.',
    hint: originHint,
    defaultText:
      '`https://cgs.cn-south-4.myhuaweicloud.com` for cn-south-4, else `https://hss.<region>.myhuaweicloud.com` (`.eu` for EU regions)',
    examples: ['https://hss.cn-north-4.myhuaweicloud.com'],
    isApiOnly: true,
  }),
  iamEndpoint: optional(origin, {
    description: 'Address of IAM, for project ids and sign-ins.',
    hint: originHint,
    defaultText:
      '`https://iam.<region>.myhuaweicloud.com` (`.eu` for EU regions); the endpoint, if that is on this host',
    examples: ['https://iam.cn-north-4.myhuaweicloud.com'],
    isApiOnly: true,
  }),
  enterpriseProjectId: optional(
    name(128, /^[A-Za-z0-9_-]+$/, 'is not a valid enterprise project id'),
    {
      description: 'Enterprise project of the nodes. Only for the hss API.',
      hint: 'Write `all_granted_eps`, `"0"` for the default enterprise project, or the id of one.',
      defaultText:
        '`all_granted_eps`: every enterprise project that the user may see; not sent to the cgs API',
      examples: ['all_granted_eps'],
      isApiOnly: true,
    },
  ),
  api: optional(oneOf(['cgs', 'hss']), {
    description: 'Version of the API: `cgs` is the one of 2021, `hss` its successor.',
    defaultText: '`cgs` if the host of the endpoint starts with `cgs.`, else `hss`',
    examples: ['hss'],
    isApiOnly: true,
  }),
  filters: optional(filters, {
    description:
      'Exports only the nodes that match all filters. The target must name its own table.',
    defaultText: 'all nodes',
    isApiOnly: true,
  }),
  table: optional(table, {
    description: 'Table that the rows belong to: the first part of every object key.',
    hint: 'Write at most 63 lower-case letters, digits and _, a letter first. The endings `_ndjson`, `_rejects`, `_changes`, `_snapshots`, `_latest` and `_coverage` are reserved.',
    defaultText: '`container_nodes`, the name of the dataset',
    examples: ['web_nodes'],
  }),
});

const account = section({
  name: required(
    name(64, /^[^\p{C}\p{Z}](?:.*[^\p{C}\p{Z}])?$/u, 'starts or ends with white space'),
    {
      description: 'A name of your choice. Every row has it in the column `account`.',
      hint: 'Write 1 to 64 characters, as in `name: prod`.',
      examples: ['prod'],
    },
  ),
  credentials: optional(credentials, {
    description: 'What requests to the API are signed with.',
    hint: credentialsHint,
    defaultText:
      '`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for a temporary key, `HUAWEICLOUD_SDK_SECURITY_TOKEN`; in a function without these, its agency',
    isApiOnly: true,
  }),
  targets: required(listOf(target), {
    description: 'The lists of nodes to export: each is one list of one region and project.',
    hint: 'Write at least one, as in `- region: cn-south-4`.',
  }),
});

const formatNames = ['parquet', 'ndjson'] as const;
const formats = v.pipe(
  listOf(oneOf(formatNames)),
  v.includes('parquet', 'must include parquet, which is always written'),
  v.transform((given) => formatNames.filter((format) => given.includes(format))),
);

const requests = required(positiveNumber, {
  description: 'Requests per window. Fewer leave room for others with the same key or address.',
  hint: 'Write a number above 0; decimals are allowed. The service allows 5 requests per 60 seconds.',
  examples: [2.5],
});

const windowSeconds = required(positiveNumber, {
  description: 'Length of the window in seconds.',
  hint: 'Write a number above 0; decimals are allowed. The service counts in windows of 60 seconds.',
  examples: [60],
});

const obs = section({
  endpoint: optional(origin, {
    description: 'Address of OBS, or of another S3-compatible store.',
    hint: originHint,
    defaultText: 'OBS in the region of the first target',
    examples: ['https://obs.cn-south-4.myhuaweicloud.com'],
  }),
  pathStyle: v.optional(
    required(flag, {
      description:
        '`true`: the bucket is in the path of each request, as most S3-compatible stores other than OBS need it. `false`: it is in the host name.',
      hint: 'Write `true` or `false`, without quotes.',
      examples: [true],
    }),
    false,
  ),
  credentials: optional(credentials, {
    description: 'What requests to the store are signed with. OBS accepts no sign-in.',
    hint: credentialsHint,
    defaultText: 'those of the first account',
  }),
  kmsKeyId: optional(name(512, /^[\x21-\x7e]+$/, 'is not a valid key id'), {
    description: 'KMS key that the store encrypts every object with (SSE-KMS).',
    hint: 'Write the key as the store names it; for OBS `arn:aws:kms:<region>:<domain id>:key/<key id>`.',
    defaultText: 'the encryption that the bucket is set to',
    examples: ['arn:aws:kms:cn-south-4:0123456789abcdef:key/00000000-0000-0000-0000-000000000000'],
  }),
});

const root = section({
  store: required(storeLocation, {
    description: 'Where snapshots are stored: in a folder or in a bucket.',
    hint: 'Write `file:./export` or `file:/abs/dir` for a folder, `obs://bucket/prefix` for a bucket (3 to 63 lower-case letters, digits, - and .). A relative folder starts at the folder of this file. `${HOME}` works, `~` does not.',
    examples: ['file:./export', 'obs://audit-lake/cgs'],
  }),
  schedule: v.optional(
    required(schedule, {
      description:
        'How often a snapshot of every target is due, counted from 1970-01-01 00:00 UTC.',
      hint: 'Write a number with s, m, h or d that divides 24h or is whole days: 15m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, 2d.',
      examples: ['6h'],
    }),
    '24h',
  ),
  formats: v.optional(
    required(formats, {
      description: 'File formats of a snapshot. Parquet is always written.',
      hint: 'Write `[parquet, ndjson]`, or `[parquet]` to leave NDJSON out.',
      examples: [['parquet']],
      isApiOnly: true,
    }),
    [...formatNames],
  ),
  quota: v.optional(
    required(
      section({
        requests: v.optional(requests, 5),
        windowSeconds: v.optional(windowSeconds, 60),
      }),
      {
        description:
          'How many requests may be sent, retries included. It applies to each API path, per user (access key) and to this exporter as a whole.',
        isApiOnly: true,
      },
    ),
    {},
  ),
  keepPagesDays: v.optional(
    required(positiveNumber, {
      description: 'How many days the raw pages of a sealed run are kept.',
      hint: 'Write a number above 0; decimals are allowed, as in 0.5.',
      examples: [0.5],
      isApiOnly: true,
    }),
    7,
  ),
  obs: optional(obs, {
    description: 'Access to the bucket. Only for a store that starts with `obs://`.',
  }),
  accounts: required(listOf(account), {
    description: 'The accounts whose nodes are exported.',
    hint: 'Write at least one, as in `- name: prod`, with its targets.',
  }),
});

export const configSchema = required(root, {
  description: 'What cgs-export exports, from where, and where to.',
});

/** A configuration in which every setting is valid by itself. */
export type ConfigShape = v.InferOutput<typeof configSchema>;
