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

function about<T>(it: About) {
  return v.metadata<T, About & Record<string, unknown>>({ ...it });
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
  ak: v.pipe(key, about({ description: 'Access key id.' })),
  sk: v.pipe(key, about({ description: 'Secret access key.' })),
  securityToken: v.optional(
    v.pipe(
      securityToken,
      about({
        description: 'Security token of a temporary key. Empty: the key is permanent.',
        defaultText: 'no token: the key is permanent',
      }),
    ),
  ),
};
const signInForm = {
  iamUser: v.pipe(text, about({ description: 'Name of an IAM user.' })),
  iamPassword: v.pipe(text, about({ description: 'Password of the IAM user.' })),
  iamDomain: v.pipe(text, about({ description: 'Account (domain) that the IAM user belongs to.' })),
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

const target = section({
  region: v.pipe(
    textUpTo(64),
    v.regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'is not a valid region name'),
    about({
      description: 'Region of the nodes.',
      hint: 'Write the name of a region, as in cn-south-4.',
      examples: ['cn-south-4'],
    }),
  ),
  projectId: v.optional(
    v.pipe(
      textUpTo(128),
      v.regex(/^[A-Za-z0-9_-]+$/, 'is not a valid project id'),
      about({
        description: 'Project of the nodes. No project is ever created.',
        hint: 'Write the id of 32 letters and digits that IAM shows under "My Credentials".',
        defaultText: 'IAM is asked for the project with the name of the region',
        examples: ['0123456789abcdef0123456789abcdef'],
      }),
    ),
  ),
  endpoint: v.optional(
    v.pipe(
      origin,
      about({
        description: 'Address of the API.',
        hint: originHint,
        defaultText:
          '`https://cgs.cn-south-4.myhuaweicloud.com` for cn-south-4, else `https://hss.<region>.myhuaweicloud.com` (`.eu` for EU regions)',
        examples: ['https://hss.cn-north-4.myhuaweicloud.com'],
        isApiOnly: true,
      }),
    ),
  ),
  iamEndpoint: v.optional(
    v.pipe(
      origin,
      about({
        description: 'Address of IAM, for project ids and sign-ins.',
        hint: originHint,
        defaultText:
          '`https://iam.<region>.myhuaweicloud.com` (`.eu` for EU regions); the endpoint, if that is on this host',
        examples: ['https://iam.cn-north-4.myhuaweicloud.com'],
        isApiOnly: true,
      }),
    ),
  ),
  enterpriseProjectId: v.optional(
    v.pipe(
      textUpTo(128),
      v.regex(/^[A-Za-z0-9_-]+$/, 'is not a valid enterprise project id'),
      about({
        description: 'Enterprise project of the nodes. Only for the hss API.',
        hint: 'Write `all_granted_eps`, `"0"` for the default enterprise project, or the id of one.',
        defaultText:
          '`all_granted_eps`: every enterprise project that the user may see; not sent to the cgs API',
        examples: ['all_granted_eps'],
        isApiOnly: true,
      }),
    ),
  ),
  api: v.optional(
    v.pipe(
      oneOf(['cgs', 'hss']),
      about({
        description: 'Version of the API: `cgs` is the one of 2021, `hss` its successor.',
        defaultText: '`cgs` if the host of the endpoint starts with `cgs.`, else `hss`',
        examples: ['hss'],
        isApiOnly: true,
      }),
    ),
  ),
  filters: v.optional(
    v.pipe(
      section({
        hostName: v.optional(
          v.pipe(
            textUpTo(128),
            about({
              description: 'Host name, sent to the API as it is.',
              hint: 'Write 1 to 128 characters.',
              examples: ['web'],
            }),
          ),
        ),
        // Documented values of the request: HSS ListContainerNodes, read 2026-11-24.
        agentStatus: v.optional(
          v.pipe(
            oneOf([
              'installed',
              'not_installed',
              'online',
              'offline',
              'install_failed',
              'installing',
            ]),
            about({
              description:
                'Status of the agent. The cgs API knows only not_installed, online and offline.',
              examples: ['offline'],
            }),
          ),
        ),
        protectStatus: v.optional(
          v.pipe(
            oneOf(['closed', 'opened']),
            about({
              description: 'Protection status. Only for the hss API.',
              examples: ['closed'],
            }),
          ),
        ),
        containerTags: v.optional(
          v.pipe(
            oneOf(['cce', 'self', 'other']),
            about({ description: 'Kind of cluster. Only for the hss API.', examples: ['cce'] }),
          ),
        ),
      }),
      about({
        description:
          'Exports only the nodes that match all filters. The target must name its own table.',
        defaultText: 'all nodes',
        isApiOnly: true,
      }),
    ),
  ),
  table: v.optional(
    v.pipe(
      table,
      about({
        description: 'Table that the rows belong to: the first part of every object key.',
        hint: 'Write at most 63 lower-case letters, digits and _, a letter first. The endings `_ndjson`, `_rejects`, `_changes`, `_snapshots`, `_latest` and `_coverage` are reserved.',
        defaultText: '`container_nodes`, the name of the dataset',
        examples: ['web_nodes'],
      }),
    ),
  ),
});

const account = section({
  name: v.pipe(
    textUpTo(64),
    v.regex(/^[^\p{C}\p{Z}](?:.*[^\p{C}\p{Z}])?$/u, 'starts or ends with white space'),
    about({
      description: 'A name of your choice. Every row has it in the column `account`.',
      hint: 'Write 1 to 64 characters, as in `name: prod`.',
      examples: ['prod'],
    }),
  ),
  credentials: v.optional(
    v.pipe(
      credentials,
      about({
        description: 'What requests to the API are signed with.',
        hint: credentialsHint,
        defaultText:
          '`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for a temporary key, `HUAWEICLOUD_SDK_SECURITY_TOKEN`; in a function without these, its agency',
        isApiOnly: true,
      }),
    ),
  ),
  targets: v.pipe(
    listOf(target),
    about({
      description: 'The lists of nodes to export: each is one list of one region and project.',
      hint: 'Write at least one, as in `- region: cn-south-4`.',
    }),
  ),
});

const formats = ['parquet', 'ndjson'] as const;

export const configSchema = v.pipe(
  section({
    store: v.pipe(
      storeLocation,
      about({
        description: 'Where snapshots are stored: in a folder or in a bucket.',
        hint: 'Write `file:./export` or `file:/abs/dir` for a folder, `obs://bucket/prefix` for a bucket (3 to 63 lower-case letters, digits, - and .). A relative folder starts at the folder of this file. `${HOME}` works, `~` does not.',
        examples: ['file:./export', 'obs://audit-lake/cgs'],
      }),
    ),
    schedule: v.optional(
      v.pipe(
        schedule,
        about({
          description:
            'How often a snapshot of every target is due, counted from 1970-01-01 00:00 UTC.',
          hint: 'Write a number with s, m, h or d that divides 24h or is whole days: 15m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, 2d.',
          examples: ['6h'],
        }),
      ),
      '24h',
    ),
    formats: v.optional(
      v.pipe(
        listOf(oneOf(formats)),
        v.includes('parquet', 'must include parquet, which is always written'),
        v.transform((given) => formats.filter((format) => given.includes(format))),
        about({
          description: 'File formats of a snapshot. Parquet is always written.',
          hint: 'Write `[parquet, ndjson]`, or `[parquet]` to leave NDJSON out.',
          examples: [['parquet']],
          isApiOnly: true,
        }),
      ),
      [...formats],
    ),
    quota: v.optional(
      v.pipe(
        section({
          requests: v.optional(
            v.pipe(
              positiveNumber,
              about({
                description:
                  'Requests per window. Fewer leave room for others with the same key or address.',
                hint: 'Write a number above 0; decimals are allowed. The service allows 5 requests per 60 seconds.',
                examples: [2.5],
              }),
            ),
            5,
          ),
          windowSeconds: v.optional(
            v.pipe(
              positiveNumber,
              about({
                description: 'Length of the window in seconds.',
                hint: 'Write a number above 0; decimals are allowed. The service counts in windows of 60 seconds.',
                examples: [60],
              }),
            ),
            60,
          ),
        }),
        about({
          description:
            'How many requests may be sent, retries included. It applies to each API path, per user (access key) and to this exporter as a whole.',
          isApiOnly: true,
        }),
      ),
      {},
    ),
    keepPagesDays: v.optional(
      v.pipe(
        positiveNumber,
        about({
          description: 'How many days the raw pages of a sealed run are kept.',
          hint: 'Write a number above 0; decimals are allowed, as in 0.5.',
          examples: [0.5],
          isApiOnly: true,
        }),
      ),
      7,
    ),
    obs: v.optional(
      v.pipe(
        section({
          endpoint: v.optional(
            v.pipe(
              origin,
              about({
                description: 'Address of OBS, or of another S3-compatible store.',
                hint: originHint,
                defaultText: 'OBS in the region of the first target',
                examples: ['https://obs.cn-south-4.myhuaweicloud.com'],
              }),
            ),
          ),
          pathStyle: v.optional(
            v.pipe(
              flag,
              about({
                description:
                  '`true`: the bucket is in the path of each request, as most S3-compatible stores other than OBS need it. `false`: it is in the host name.',
                hint: 'Write `true` or `false`, without quotes.',
                examples: [true],
              }),
            ),
            false,
          ),
          credentials: v.optional(
            v.pipe(
              credentials,
              about({
                description: 'What requests to the store are signed with. OBS accepts no sign-in.',
                hint: credentialsHint,
                defaultText: 'those of the first account',
              }),
            ),
          ),
          kmsKeyId: v.optional(
            v.pipe(
              textUpTo(512),
              v.regex(/^[\x21-\x7e]+$/, 'is not a valid key id'),
              about({
                description: 'KMS key that the store encrypts every object with (SSE-KMS).',
                hint: 'Write the key as the store names it; for OBS `arn:aws:kms:<region>:<domain id>:key/<key id>`.',
                defaultText: 'the encryption that the bucket is set to',
                examples: [
                  'arn:aws:kms:cn-south-4:0123456789abcdef:key/00000000-0000-0000-0000-000000000000',
                ],
              }),
            ),
          ),
        }),
        about({ description: 'Access to the bucket. Only for a store that starts with `obs://`.' }),
      ),
    ),
    accounts: v.pipe(
      listOf(account),
      about({
        description: 'The accounts whose nodes are exported.',
        hint: 'Write at least one, as in `- name: prod`, with its targets.',
      }),
    ),
  }),
  about({ description: 'What cgs-export exports, from where, and where to.' }),
);

/** A configuration in which every setting is valid by itself. */
export type ConfigShape = v.InferOutput<typeof configSchema>;
