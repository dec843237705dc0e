// Responsible for the settings of cgs-export.yml: which exist, what each accepts, its default and its hint. The check of a
// configuration, the JSON Schema and docs/configuration.md use it. Not responsible for descriptions (descriptions.ts:
// the functions need none) and for rules between settings (rules.ts).

import * as v from 'valibot';
import { timeHint } from '../core/time-text.ts';
import { protectionEditions } from '../datasets/container-nodes.ts';
import { datasets } from '../datasets/index.ts';
import { suggest } from './suggest.ts';
import {
  age,
  fileMode,
  flag,
  isMapping,
  key,
  mustBe,
  name,
  oneOf,
  origin,
  pinsLocation,
  positiveNumberUpTo,
  schedule,
  securityToken,
  share,
  storeLocation,
  table,
  text,
  textUpTo,
  timeOrAge,
  webhookUrl,
  wholeNumberUpTo,
} from './values.ts';

export interface About {
  /** What to write: shown with every fault of the setting. */
  hint?: string;
  /** Used only by commands that send requests to the API. For the others its variables need not be set. */
  isApiOnly?: boolean;
  /** Used only by commands that send no requests to the API. For the others its variables need not be set. */
  isStoreOnly?: boolean;
}

function required<T extends v.GenericSchema>(schema: T, about: About = {}) {
  return v.pipe(schema, v.metadata({ ...about }));
}

function optional<T extends v.GenericSchema, const D extends v.Default<T, undefined> = undefined>(
  schema: T,
  { default: value, ...about }: About & { default?: D } = {},
) {
  return v.optional(required(schema, about), value as D);
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
const keyForm = { ak: key, sk: key, securityToken: optional(securityToken) };
const signInForm = { iamUser: text, iamPassword: text, iamDomain: text };
const accessKey = section(keyForm);
const signIn = section(signInForm);

function hasNameOf(form: object, given: object): boolean {
  return Object.keys(given).some((name) => suggest(name, Object.keys(form)) !== null);
}

/** All forms, for code that reads the schema. To check a value, `credentials` picks the form that was meant. */
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

const flagHint = 'Write `true` or `false`, without quotes.';

// Documented values of the request: HSS ListContainerNodes, read 2026-11-24.
const filters = section({
  hostName: optional(textUpTo(128), { hint: 'Write 1 to 128 characters.' }),
  agentStatus: optional(
    oneOf(['installed', 'not_installed', 'online', 'offline', 'install_failed', 'installing']),
  ),
  protectStatus: optional(oneOf(['closed', 'opened'])),
  containerTags: optional(oneOf(['cce', 'self', 'other'])),
  version: optional(oneOf(protectionEditions)),
  containerNode: optional(flag, { hint: flagHint }),
});

const datasetNames = datasets.map(({ name }) => name);
const datasetList = v.pipe(
  listOf(oneOf(datasetNames)),
  v.checkItems((item, index, all) => all.indexOf(item) === index, 'is in the list twice'),
);

const target = section({
  region: required(name(64, /^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'is not a valid region name'), {
    hint: 'Write the name of a region, as in cn-south-4.',
  }),
  projectId: optional(name(128, /^[A-Za-z0-9_-]+$/, 'is not a valid project id'), {
    hint: 'Write the id of 32 hex digits that IAM shows under "My Credentials".',
  }),
  endpoint: optional(origin, { hint: originHint, isApiOnly: true }),
  iamEndpoint: optional(origin, { hint: originHint, isApiOnly: true }),
  enterpriseProjectId: optional(
    name(128, /^[A-Za-z0-9_-]+$/, 'is not a valid enterprise project id'),
    {
      hint: 'Write `all_granted_eps`, `"0"` for the default enterprise project, or the id of one, a UUID.',
      isApiOnly: true,
    },
  ),
  api: optional(oneOf(['cgs', 'hss']), { isApiOnly: true }),
  filters: optional(filters, { isApiOnly: true }),
  datasets: optional(datasetList, {
    hint: `Write names of datasets, as in \`[${datasetNames.join(', ')}]\`.`,
    default: [datasets[0].name],
  }),
  table: optional(table, {
    hint: 'Write at most 63 lower-case letters, digits and _, a letter first. The endings `_ndjson`, `_rejects`, `_changes`, `_snapshots`, `_latest`, `_coverage`, `_at`, `_files`, `_manifests` and `_tombstones` are reserved.',
  }),
});

const account = section({
  name: required(
    name(64, /^[^\p{C}\p{Z}](?:.*[^\p{C}\p{Z}])?$/u, 'starts or ends with white space'),
    { hint: 'Write 1 to 64 characters, as in `name: prod`.' },
  ),
  credentials: optional(credentials, { hint: credentialsHint, isApiOnly: true }),
  targets: required(listOf(target), { hint: 'Write at least one, as in `- region: cn-south-4`.' }),
});

const formatNames = ['parquet', 'ndjson'] as const;
const formats = v.pipe(
  listOf(oneOf(formatNames)),
  v.includes('parquet', 'must include parquet, which is always written'),
  v.checkItems((item, index, all) => all.indexOf(item) === index, 'is in the list twice'),
  v.transform((given) => formatNames.filter((format) => given.includes(format))),
);

const quota = section({
  requests: optional(positiveNumberUpTo(1_000_000), {
    hint: 'Write a number above 0, at most 1000000; decimals are allowed. The service allows 5 requests per 60 seconds.',
    default: 5,
  }),
  windowSeconds: optional(positiveNumberUpTo(2_678_400), {
    hint: 'Write a number above 0, at most 2678400 (31 days); decimals are allowed. The service counts in windows of 60 seconds.',
    default: 60,
  }),
});

/** Sources: Amazon S3 User Guide, "Canned ACL"; OBS Developer Guide, "Configuring an ACL Using Header Fields"; read 2026-11-25. */
const cannedAcls = [
  ...['private', 'public-read', 'public-read-write', 'authenticated-read', 'aws-exec-read'],
  ...['bucket-owner-read', 'bucket-owner-full-control', 'log-delivery-write'],
] as const;

const obs = section({
  endpoint: optional(origin, { hint: originHint }),
  region: optional(name(64, /^[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$/, 'is not a valid region name'), {
    hint: 'Write the region that the store expects in signatures, as in cn-south-4, us-east-1 or garage.',
  }),
  pathStyle: optional(flag, { hint: flagHint, default: false }),
  credentials: optional(credentials, { hint: credentialsHint }),
  acl: optional(oneOf(cannedAcls)),
  kmsKeyId: optional(name(512, /^[\x21-\x7e]+$/, 'is not a valid key id'), {
    hint: 'Write the key as the store names it; for OBS `arn:aws:kms:<region>:<domain id>:key/<key id>`.',
  }),
});

const signing = section({
  privateKey: required(text, {
    hint: 'Write `${CGS_SIGNING_KEY}`, and set that variable to the private key of `cgs-export keygen`: its single base64 line, between `BEGIN` and `END`. The whole PEM works too, also with its line breaks written as `\\n`.',
  }),
});

const verify = section({
  pins: optional(pinsLocation, {
    hint: 'Write a file outside the store, as in `file:/safe/pins.jsonl`, or an object of another bucket, as in `obs://other-bucket/pins.jsonl`.',
  }),
  obs: optional(obs),
  publicKeys: optional(listOf(text), {
    hint: 'Write names of files with a public key (PEM, or base64 in one line), as in `[auditor.pem]`, or the PEM text itself.',
  }),
  since: optional(timeOrAge, { hint: timeHint }),
});

const ageHint = 'Write a number with s, m, h, d or y (365 days), at most 1000y: 0s, 12h, 30d, 7y.';

const retention = section({
  all: optional(age, { hint: ageHint }),
  daily: optional(age, { hint: ageHint }),
  weekly: optional(age, { hint: ageHint }),
  monthly: optional(age, { hint: ageHint }),
  grace: optional(age, { hint: ageHint }),
});

const alertRules = section({
  snapshotFailed: optional(flag, { hint: flagHint, default: false }),
  unprotectedShareAbove: optional(share, {
    hint: 'Write a share from 0 to below 1, as in 0.05 for 5 %.',
  }),
  nodeGone: optional(flag, { hint: flagHint, default: false }),
  staleAfter: optional(age, {
    hint: 'Write a number with s, m, h or d, longer than the schedule, as in 36h.',
  }),
  driftedInARow: optional(wholeNumberUpTo(100), {
    hint: 'Write a whole number from 1 to 100, as in 2.',
  }),
  onSnapshot: optional(flag, { hint: flagHint, default: false }),
});

const alerts = section({
  webhook: optional(
    section({
      url: required(webhookUrl, {
        hint: 'Write `${HOOK_URL}`, and set that variable to the address: `https://`, or `http://` only for this host (localhost). The whole address is a secret.',
      }),
      secret: required(textUpTo(1_000), {
        hint: 'Write `${HOOK_SECRET}`, and set that variable to a random text, as `openssl rand -hex 32` prints it.',
      }),
    }),
    { hint: 'Write `{ url: ${HOOK_URL}, secret: ${HOOK_SECRET} }`.' },
  ),
  smn: optional(
    section({
      topicUrn: required(
        name(
          512,
          /^urn:smn:[a-z0-9]+(?:-[a-z0-9]+)*:[A-Za-z0-9]+:[A-Za-z0-9][A-Za-z0-9_-]*$/,
          'is not a valid topic URN',
        ),
        {
          hint: 'Write the URN that the console of SMN shows, as in `urn:smn:cn-south-4:0123456789abcdef0123456789abcdef:alerts`.',
        },
      ),
      endpoint: optional(origin, { hint: originHint }),
    }),
    { hint: 'Write `{ topicUrn: urn:smn:<region>:<project id>:<topic> }`.' },
  ),
  rules: optional(alertRules),
});

export const configSchema = section({
  store: required(storeLocation, {
    hint: 'Write `file:./export` or `file:/abs/dir` for a folder, `obs://bucket/prefix` for a bucket (3 to 63 lower-case letters, digits, - and .). A relative folder starts at the folder of the configuration file, and that of --store at the working directory. `${HOME}` works in the file, `~` does not.',
  }),
  mounted: optional(flag, { hint: flagHint, default: false }),
  fileMode: optional(fileMode, {
    hint: 'Write three octal digits in quotes, as in "0600" (only the owner), "0640" (the group may read) or "0644" (all users may read). The owner needs 6.',
    default: '0600',
  }),
  schedule: optional(schedule, {
    hint: 'Write a number with s, m, h or d that divides 24h or is whole days, at most 366d: 15m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, 2d.',
    default: '24h',
  }),
  formats: optional(formats, {
    hint: 'Write `[parquet, ndjson]`, or `[parquet]` to leave NDJSON out.',
    default: formatNames,
    isApiOnly: true,
  }),
  quota: optional(quota, { default: {}, isApiOnly: true }),
  keepPagesDays: optional(positiveNumberUpTo(3650), {
    hint: 'Write a number above 0, at most 3650; decimals are allowed, as in 0.5.',
    default: 7,
    isApiOnly: true,
  }),
  obs: optional(obs),
  signing: optional(signing, { isApiOnly: true }),
  verify: optional(verify, { isStoreOnly: true }),
  retention: optional(retention),
  alerts: optional(alerts, { isApiOnly: true }),
  accounts: required(listOf(account), {
    hint: 'Write at least one, as in `- name: prod`, with its targets.',
  }),
});

/** A configuration in which every setting is valid by itself. */
export type ConfigShape = v.InferOutput<typeof configSchema>;
