// Owns the shape of a configuration: each setting by itself. Refuses defaults, and what settings mean together.

import * as v from 'valibot';
import type { ConfigIssue } from '../core/errors.ts';
import { suggest } from './suggest.ts';
import { joinPath } from './text.ts';
import {
  type Fail,
  readFilePath,
  readName,
  readObsLocation,
  readOrigin,
  readSchedule,
  readSecret,
  readTable,
} from './values.ts';

/** A key pair (temporary with a token), the function's agency, or a user who signs in. */
export type Credentials =
  | { kind: 'key'; ak: string; sk: string; securityToken: string | null }
  | { kind: 'agency' }
  | { kind: 'password'; iamUser: string; iamPassword: string; iamDomain: string };

/** A path as it was written: relative ones are not resolved yet. */
export type StoreLocation =
  | { kind: 'file'; path: string }
  | { kind: 'obs'; bucket: string; prefix: string };

// Valibot carries one text an issue; ours carry two.
function say(message: string, hint: string): string {
  return `${message}\n${hint}`;
}

/** Never the value itself: it may be a secret in the wrong place. */
function nameKind(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  if (Number.isNaN(value)) return 'NaN';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function wrongKind(kind: string, hint: string) {
  return ({ input }: v.BaseIssue<unknown>): string => {
    if (input === null) return say('has no value', `Give one, or remove the line. ${hint}`);
    const quotes = kind === 'text' && typeof input === 'number' ? 'Put the number in quotes. ' : '';
    return say(`must be ${kind}, not ${nameKind(input)}`, quotes + hint);
  };
}

function text<T>(hint: string, read: (text: string, fail: Fail, hint: string) => T) {
  return v.pipe(
    v.string(wrongKind('text', hint)),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const fail = (message: string, inner: string) => {
        addIssue({ message: say(message, inner) });
        return NEVER;
      };
      if (dataset.value === '') return fail('is empty', hint);
      return read(dataset.value, fail as Fail, hint);
    }),
  );
}

function oneOf<const T extends string>(values: readonly T[]) {
  const hint = `One of: ${values.join(', ')}.`;
  return text<T>(hint, (given, fail) => {
    const near = suggest(given, values);
    const found = values.find((value) => value === given);
    return (
      found ?? fail('is not a value known here', near ? `Did you mean "${near}"? ${hint}` : hint)
    );
  });
}

function positive(hint: string) {
  return v.pipe(
    v.unknown(),
    // A variable is always text.
    v.transform((value) =>
      typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value,
    ),
    v.number(wrongKind('a number', hint)),
    v.check((value) => Number.isFinite(value) && value > 0, say('must be above 0', hint)),
  );
}

const flag = v.pipe(
  v.unknown(),
  v.transform((value) => (value === 'true' ? true : value === 'false' ? false : value)),
  v.boolean(wrongKind('true or false', 'Write true or false, without quotes.')),
);

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `required`: what to write if the key is missing. */
function section<T extends v.ObjectEntries>(entries: T, required: Record<string, string> = {}) {
  const known = Object.keys(entries);
  return v.pipe(
    v.custom<Record<string, unknown>>(
      isMapping,
      wrongKind('a section', `It may hold: ${known.join(', ')}.`),
    ),
    v.looseObject(entries, ({ path }) =>
      say('is missing', required[String(path?.[0]?.key)] ?? 'See cgs-export.example.yml.'),
    ),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!isMapping(dataset.value)) return;
      const input: Record<string, unknown> = dataset.value;
      for (const key of Object.keys(input)) {
        if (known.includes(key)) continue;
        addIssue({ message: unknownKey(key, known), path: [pathItem(input, key)] });
      }
    }),
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = suggest(key, known);
  const all = `Known here: ${known.join(', ')}.`;
  return say('is no setting', near ? `Did you mean "${near}"? ${all}` : all);
}

function pathItem(input: Record<string, unknown>, key: string): v.ObjectPathItem {
  return { type: 'object', origin: 'value', input, key, value: input[key] };
}

function listOf<T extends v.GenericSchema>(item: T, hint: string) {
  return v.pipe(
    v.array(item, wrongKind('a list', hint)),
    v.minLength(1, say('is an empty list', hint)),
  );
}

const forms = {
  key: ['ak', 'sk', 'securityToken'],
  password: ['iamUser', 'iamPassword', 'iamDomain'],
} as const;
const formsHint =
  'One of: { ak, sk } with securityToken if the key is temporary; agency (in a function); { iamUser, iamPassword, iamDomain }.';

const credentials = v.pipe(
  v.unknown(),
  v.rawTransform<unknown, Credentials>(({ dataset, addIssue, NEVER }) => {
    const given = dataset.value;
    if (given === 'agency') return { kind: 'agency' };
    if (!isMapping(given)) {
      const message =
        typeof given === 'string' ? 'is not "agency"' : 'must be "agency" or a section';
      addIssue({ message: say(message, formsHint) });
      return NEVER;
    }
    const used = (names: readonly string[]) => names.some((name) => Object.hasOwn(given, name));
    const known: readonly string[] = [...forms.key, ...forms.password];
    for (const key of Object.keys(given)) {
      if (known.includes(key)) continue;
      addIssue({ message: unknownKey(key, known), path: [pathItem(given, key)] });
    }
    if (used(forms.key) === used(forms.password)) {
      const message = used(forms.key) ? 'mixes a key and a sign-in' : 'names no identity';
      addIssue({ message: say(message, formsHint) });
      return NEVER;
    }
    /** The member's text; '' after a fault. */
    const read = (name: string): string => {
      const value = given[name];
      const fail = (message: string, hint: string) => {
        addIssue({ message: say(message, hint), path: [pathItem(given, name)] });
        return '';
      };
      if (value === undefined) return fail('is missing', formsHint);
      if (typeof value !== 'string') {
        return fail(value === null ? 'has no value' : 'must be text', 'Put it in quotes.');
      }
      return readSecret(value, name.startsWith('iam'), fail as Fail);
    };
    if (used(forms.password)) {
      const [iamUser, iamPassword, iamDomain] = forms.password.map(read) as [
        string,
        string,
        string,
      ];
      return { kind: 'password', iamUser, iamPassword, iamDomain };
    }
    // A variable that is set but empty says: no token, this key is permanent.
    const hasToken = Object.hasOwn(given, 'securityToken') && given.securityToken !== '';
    return {
      kind: 'key',
      ak: read('ak'),
      sk: read('sk'),
      securityToken: hasToken ? read('securityToken') : null,
    };
  }),
);

const storeHint = 'Write file:./export, file:/abs/dir or obs://bucket/prefix.';
const store = text<StoreLocation>(storeHint, (given, fail) => {
  if (given.startsWith('obs://')) return { kind: 'obs', ...readObsLocation(given, fail) };
  if (given.startsWith('file:')) return { kind: 'file', path: readFilePath(given, fail) };
  return fail('must begin with file: or obs://', storeHint);
});

const regionHint = 'A region is named as in cn-south-4.';
const region = text(regionHint, readName(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'is no region', 64));
const projectHint = 'A project id is 32 letters and digits; IAM shows it under "My Credentials".';
const originHint = 'Write https://host or https://host:port.';

const target = section(
  {
    region,
    projectId: v.optional(text(projectHint, readName(/^[A-Za-z0-9_-]+$/, 'is no project id', 128))),
    endpoint: v.optional(text(originHint, readOrigin)),
    iamEndpoint: v.optional(text(originHint, readOrigin)),
    enterpriseProjectId: v.optional(
      text(
        'Write all_granted_eps, 0 or the id of an enterprise project.',
        readName(/^[A-Za-z0-9_-]+$/, 'is no enterprise project', 128),
      ),
    ),
    api: v.optional(oneOf(['cgs', 'hss'])),
    filters: v.optional(
      section({
        hostName: v.optional(
          text('1 to 128 characters.', (given, fail, hint) =>
            [...given].length > 128 ? fail('is longer than 128 characters', hint) : given,
          ),
        ),
        // Documented values of the request: HSS ListContainerNodes, read 2026-11-24.
        agentStatus: v.optional(
          oneOf([
            'installed',
            'not_installed',
            'online',
            'offline',
            'install_failed',
            'installing',
          ]),
        ),
        protectStatus: v.optional(oneOf(['closed', 'opened'])),
        containerTags: v.optional(oneOf(['cce', 'self', 'other'])),
      }),
    ),
    table: v.optional(
      text('Small letters, digits and _, a letter first, as in container_nodes.', readTable),
    ),
  },
  { region: `Add region. ${regionHint}` },
);

const account = section(
  {
    name: text(
      'A name of your own, for rows and messages.',
      readName(/^[^\p{C}\p{Z}](.*[^\p{C}\p{Z}])?$/u, 'begins or ends with white space', 64),
    ),
    credentials: v.optional(credentials),
    targets: listOf(target, 'At least one, as in `- region: cn-south-4`.'),
  },
  { name: 'Add name, as in `name: prod`.', targets: 'Add targets, at least `- region: …`.' },
);

const formatsHint = 'Write [parquet, ndjson] or one of them.';
const shape = section(
  {
    store,
    schedule: v.optional(text('Write a number with s, m, h or d, as in 6h.', readSchedule)),
    formats: v.optional(listOf(oneOf(['parquet', 'ndjson']), formatsHint)),
    quota: v.optional(
      section({
        requests: v.optional(positive('The service allows 5 in 60 seconds.')),
        windowSeconds: v.optional(positive('The service counts in windows of 60 seconds.')),
      }),
    ),
    obs: v.optional(
      section({
        endpoint: v.optional(text(originHint, readOrigin)),
        pathStyle: v.optional(flag),
        credentials: v.optional(credentials),
        kmsKeyId: v.optional(
          text('The id of a KMS key.', readName(/^[\x21-\x7e]+$/, 'is no key id', 512)),
        ),
      }),
    ),
    accounts: listOf(account, 'At least one, as in `- name: prod`.'),
  },
  { store: storeHint, accounts: 'Add accounts, at least `- name: …` with targets.' },
);

type Whole = v.InferOutput<typeof shape>;
type DeepPartial<T> = T extends readonly (infer Item)[]
  ? (DeepPartial<Item> | undefined)[]
  : T extends Credentials | StoreLocation
    ? T
    : T extends object
      ? { [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
      : T;
/** What was right in a configuration; with no issues, all of it. */
export type ConfigShape = DeepPartial<Whole>;

/** Every setting by itself. `given`: faults known before, whose values are not judged again. */
export function checkShape(
  value: unknown,
  given: readonly ConfigIssue[],
): { shape: ConfigShape; issues: ConfigIssue[] } {
  const result = v.safeParse(shape, value);
  const issues = [...given];
  const faulty = new Set(given.map(({ path }) => path));
  for (const issue of result.issues ?? []) {
    const path = (issue.path ?? []).reduce((joined, { key }) => joinPath(joined, String(key)), '');
    // The first fault of a value explains the others.
    if (faulty.has(path)) continue;
    faulty.add(path);
    const [message = '', hint = ''] = issue.message.split('\n');
    issues.push({ path, message, hint });
  }
  return { shape: (prune(result.output, '', faulty) ?? {}) as ConfigShape, issues };
}

/** A copy without the values that have a fault. A list keeps its length, so that paths stay right. */
function prune(value: unknown, path: string, faulty: ReadonlySet<string>): unknown {
  if (faulty.has(path)) return undefined;
  if (Array.isArray(value)) {
    return value.map((item, index) => prune(item, joinPath(path, String(index)), faulty));
  }
  if (!isMapping(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const kept = prune(inner, joinPath(path, key), faulty);
    if (kept !== undefined) copy[key] = kept;
  }
  return copy;
}
