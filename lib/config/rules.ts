// Responsible for what settings mean together: defaults that depend on other settings, and settings that contradict each
// other. Not responsible for files and text.

import { basename, dirname, resolve } from 'node:path';
import type { AlertRules } from '../core/alert-rules.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback } from '../core/network-host.ts';
import type { Environment } from '../core/ports.ts';
import type { NodeFilters } from '../datasets/container-nodes.ts';
import { datasetOf, datasets } from '../datasets/index.ts';
import { type CheckedShape, checkShape } from './check.ts';
import {
  agencyHint,
  keyHint,
  type Report,
  readDefaultKey,
  readLogLevel,
  readProxy,
} from './environment.ts';
import type {
  Account,
  AlertsConfig,
  Config,
  ConfigOptions,
  Credentials,
  ProxyConfig,
  PublicKeySource,
  RetentionConfig,
  Series,
  StoreConfig,
  StoreLocation,
  Target,
  VerifyConfig,
} from './model.ts';
import { packedKeyPath } from './packed-key.ts';
import { hostOf } from './regional-host.ts';
import type { About, ConfigShape } from './schema.ts';
import { listAbove } from './setting-list.ts';
import {
  findForeignHosts,
  findOddIds,
  findTableFaults,
  findUnknownToCgs,
} from './target-checks.ts';
import type { ConfigValues } from './text.ts';

const dayMs = 24 * 60 * 60 * 1_000;
/** The default of the setting fileMode. */
export const ownerOnly = 0o600;
const agency = { kind: 'agency' } as const;
const noProxy: ProxyConfig = { httpsProxy: null, noProxy: null };
const agencyOutside = 'is agency, but this command does not run in a function';
/** The fault of a `file:` store in a function that is not `mounted`. */
export const folderInFunction: ConfigIssue = {
  path: 'store',
  message: 'is a folder, which a function loses together with its instance',
  hint: 'Write `store: obs://bucket/prefix`. Only if the folder is on a file system that is mounted into the function, add `mounted: true`.',
};

/** The fault of pins in a file, in a function that is not `mounted`. */
export const pinFileInFunction: ConfigIssue = {
  path: 'verify.pins',
  message: 'is a file, which a function loses together with its instance',
  hint: 'Write `pins: obs://other-bucket/pins.jsonl`. Only if the file is on a file system that is mounted into the function, add `mounted: true`.',
};

interface Context extends ConfigOptions {
  env: Environment;
  /** Where relative `file:` paths start. */
  folder: string;
  logLevel: string | undefined;
  /** The path to report for a setting. Default: its own. */
  pathOf?: (path: string) => string;
}

/** A configuration while it is assembled. */
interface Draft extends Context {
  /** The values that are valid. */
  shape: Shape;
  issues: ConfigIssue[];
  report: Report;
  warnings: ConfigIssue[];
  /** Whether the setting, or a part of it, has a fault already. */
  isFaulty: (path: string) => boolean;
  /** Whether the command uses the setting. */
  isUsed: (path: string) => boolean;
}

type Shape = CheckedShape['shape'];

/** A configuration as far as it is valid. */
export interface ConfigParts {
  /** Without the accounts and targets that have a fault. Null: the rest is not enough to connect anything. */
  config: Config | null;
  issues: readonly ConfigIssue[];
}

/** From values to a configuration. Throws ConfigError with every fault: what is valid is checked further. */
export function assembleConfig(values: ConfigValues, context: Context): Config {
  return requireWhole(assembleParts(values, context));
}

/** Throws ConfigError if there is a fault. */
export function requireWhole({ config, issues }: ConfigParts): Config {
  if (issues.length > 0 || config === null) throw new ConfigError(issues);
  return config;
}

/** As `assembleConfig`, but returns the faults beside what is valid. */
export function assembleParts(values: ConfigValues, context: Context): ConfigParts {
  const { pathOf = (path) => path } = context;
  const withName = (key: PublicKeySource) => ({ ...key, name: pathOf(key.name) });
  const withPath = (issue: ConfigIssue) => ({ ...issue, path: pathOf(issue.path) });
  const draft = openDraft(values, context);
  const { shape, issues, report, warnings, needs } = draft;
  const accounts = toAccounts(draft);
  const store = toStore(draft, accounts[0]);
  const verify = toVerify(draft, store, accounts[0]);
  const logLevel = readLogLevel(context.env, context.logLevel, report);
  // A command that only reads a folder needs no network.
  const isOffline = needs === 'store' && store.kind === 'file';
  const proxy = isOffline ? noProxy : readProxy(context.env, report);
  // Without faults the shape is whole. With faults that block nothing, defaults replace what has a fault.
  const { schedule, formats, quota, keepPagesDays } = {
    ...harmlessDefaults,
    ...shape,
  } as ConfigShape;
  const config = {
    store,
    scheduleMs: schedule,
    formats,
    quota,
    keepPagesMs: keepPagesDays * dayMs,
    signing: shape.signing?.privateKey ? { privateKey: shape.signing.privateKey } : null,
    verify: { ...verify, publicKeys: verify.publicKeys.map(withName) },
    retention: toRetention(draft),
    alerts: toAlerts(draft),
    accounts: withoutFaulty(accounts, issues),
    logLevel,
    proxy,
    warnings: warnings.map(withPath),
  };
  // One fault of the environment affects every account that relies on it.
  const distinct = new Map(issues.map((issue) => [`${issue.path}\n${issue.message}`, issue]));
  return {
    config: blocksAll(issues, shape) ? null : config,
    issues: [...distinct.values()].map(withPath),
  };
}

/** Without a rule, `prune` would delete the rows of all but the newest snapshots: that must be asked for. */
function toRetention({ shape, report, isFaulty }: Draft): RetentionConfig | null {
  const { retention } = shape;
  if (!retention) return null;
  const { all = null, daily = null, weekly = null, monthly = null } = retention;
  const others = [daily, weekly, monthly].filter((rule) => rule !== null);
  if (all === null && others.length === 0 && !isFaulty('retention')) {
    const hint =
      'Write at least one of all, daily, weekly and monthly, as in `retention: { all: 30d, daily: 90d, weekly: 1y, monthly: 7y }`. To keep only the newest complete snapshot, write `retention: { all: 0s }`.';
    report('retention', 'has no rule', hint);
  }
  const keepsOnlyNewest = all === 0 && others.length === 0;
  const grace = retention.grace ?? (keepsOnlyNewest ? 0 : 7 * dayMs);
  return { all, daily, weekly, monthly, grace };
}

/** Without the section `rules`. */
const defaultRules: AlertRules = {
  snapshotFailed: true,
  unprotectedShareAbove: null,
  nodeGone: false,
  staleAfterMs: null,
  driftedInARow: 2,
  onSnapshot: false,
};

function toAlerts(draft: Draft): AlertsConfig | null {
  const { shape, report, isFaulty, isUsed } = draft;
  const { alerts } = shape;
  if (!alerts || !isUsed('alerts')) return null;
  const { webhook, smn } = alerts;
  const isWhole = !isFaulty('alerts');
  if (!webhook && !smn && isWhole) {
    const hint =
      'Add `webhook: { url: ${HOOK_URL}, secret: ${HOOK_SECRET} }` or `smn: { topicUrn: ... }`, or remove the section.';
    report('alerts', 'has neither a webhook nor smn, so no alert can be sent', hint);
  }
  // The command stops because of the fault.
  if (!isWhole) return null;
  const [, , region = '', projectId = ''] = smn?.topicUrn?.split(':') ?? [];
  return {
    webhook: webhook ? { url: webhook.url ?? '', secret: webhook.secret ?? '' } : null,
    smn: smn
      ? {
          ...{ topicUrn: smn.topicUrn ?? '', region, projectId },
          endpoint: smn.endpoint ?? hostOf('smn', region),
        }
      : null,
    rules: toAlertRules(draft),
  };
}

function toAlertRules({ shape, report }: Draft): AlertRules {
  const given = shape.alerts?.rules;
  if (!given) return defaultRules;
  const rules: AlertRules = {
    snapshotFailed: given.snapshotFailed ?? false,
    unprotectedShareAbove: given.unprotectedShareAbove ?? null,
    nodeGone: given.nodeGone ?? false,
    staleAfterMs: given.staleAfter ?? null,
    driftedInARow: given.driftedInARow ?? null,
    onSnapshot: given.onSnapshot ?? false,
  };
  if (Object.values(rules).every((rule) => rule === null || rule === false)) {
    const hint =
      'Write at least one, as in `rules: { snapshotFailed: true, driftedInARow: 2 }`, or remove `rules`: these two are the default.';
    report('alerts.rules', 'has no rule that is on', hint);
  }
  const { staleAfterMs } = rules;
  if (staleAfterMs !== null && shape.schedule !== undefined && staleAfterMs <= shape.schedule) {
    const hint = 'Write a time that is longer than the schedule, as in `staleAfter: 36h` for 24h.';
    report('alerts.rules.staleAfter', 'is not longer than the schedule', hint);
  }
  return rules;
}

const harmlessDefaults = { schedule: dayMs, formats: ['parquet', 'ndjson'], keepPagesDays: 7 };
/** Sections without which no request may leave. */
const neededSections = ['store', 'mounted', 'fileMode', 'obs', 'quota'];

/** Whether a fault is in a section that every check needs, in the environment, or in the file as a whole. */
function blocksAll(issues: readonly ConfigIssue[], shape: Shape): boolean {
  return issues.some(({ path }) => {
    const [section = ''] = path.split('.');
    if (/^accounts\.\d/.test(path))
      return usesFirstKey(shape) && `${path}.`.startsWith('accounts.0.');
    return (
      path === 'accounts' || neededSections.includes(section) || !/^[a-z][a-zA-Z]*$/.test(section)
    );
  });
}

/** Without credentials of its own, a bucket is opened with those of the first account. */
function usesFirstKey({ store, obs }: Shape): boolean {
  return store?.kind === 'obs' && obs?.credentials === undefined;
}

function withoutFaulty(accounts: readonly Account[], issues: readonly ConfigIssue[]): Account[] {
  const targetPath = /^accounts\.\d+\.targets\.\d+/;
  const faultyTargets = new Set(issues.map(({ path }) => targetPath.exec(path)?.[0]));
  const faultyAccounts = new Set(
    issues
      .filter(({ path }) => !targetPath.test(path))
      .map(({ path }) => /^accounts\.\d+/.exec(path)?.[0]),
  );
  return accounts
    .filter((_, index) => !faultyAccounts.has(`accounts.${index}`))
    .map((account) => ({
      ...account,
      targets: account.targets.filter(({ path }) => !faultyTargets.has(path)),
    }));
}

/** Checks each setting by itself. */
function openDraft(values: ConfigValues, context: Context): Draft {
  const usesStoreOnly = context.needs === 'store';
  /** Of the commands that need only the store, those that sign do not verify. */
  const isUnused = (about: About) =>
    (usesStoreOnly && isApiOnly(about)) ||
    ((!usesStoreOnly || context.signs === true) && isStoreOnly(about));
  const isNeeded = (path: string) => context.signs === true && path.startsWith('signing.');
  const canLack = ({ path }: ConfigIssue) => listAbove(path).some(isUnused) && !isNeeded(path);
  const unused = values.unset.filter(canLack);
  const known = [...values.unset.filter((issue) => !canLack(issue)), ...values.issues];
  const { shape, ...checked } = checkShape(
    unused.reduce((value, { path }) => withoutUnused(value, path, isUnused), values.value),
    known.map(({ path }) => path),
  );
  const opensBucket = (path: string) =>
    usesFirstKey(shape) && `${path}.`.startsWith('accounts.0.credentials.');
  const issues = [...unused.filter(({ path }) => opensBucket(path)), ...known, ...checked.issues];
  return {
    ...context,
    shape,
    issues,
    report: (path, message, hint) => issues.push({ path, message, hint }),
    warnings: [],
    isFaulty: (path) =>
      [...checked.faulty, ...[...unused, ...issues].map((issue) => issue.path)].some((one) =>
        `${one}.`.startsWith(`${path}.`),
      ),
    isUsed: (path) => !listAbove(path).some(isUnused) || opensBucket(path),
  };
}

const isApiOnly = (about: About) => about.isApiOnly === true;
const isStoreOnly = (about: About) => about.isStoreOnly === true;

/** Removes the unused setting at `path`, or the outermost one that contains it, so that its default applies. */
function withoutUnused<T>(value: T, path: string, isUnused: (about: About) => boolean): T {
  const depth = listAbove(path).findLast(isUnused)?.path.split('.').length;
  const copy = structuredClone(value);
  const keys = path.split('.').slice(0, depth);
  const last = keys.pop() ?? '';
  const parent = keys.reduce<unknown>((inner, key) => Object(inner)[key], copy);
  delete Object(parent)[last];
  return copy;
}

function toAccounts(draft: Draft): Account[] {
  const accounts = (draft.shape.accounts ?? []).map((account, index): Account => {
    const path = `accounts.${index}`;
    // A faulty account has no shape.
    if (account === undefined) return { name: '', credentials: agency, targets: [] };
    const { name = '', targets = [] } = account;
    return {
      name,
      credentials: chooseCredentials(account.credentials, `${path}.credentials`, draft),
      targets: targets.flatMap((target, targetIndex) => {
        if (target?.region === undefined) return [];
        const { region } = target;
        return toTargets({ ...target, region }, name, `${path}.targets.${targetIndex}`, draft);
      }),
    };
  });
  // A target that is not fully known cannot be compared with others.
  const isKnown = ({ account, path }: Target) =>
    account !== '' &&
    !['projectId', 'table', 'datasets', 'filters'].some((name) =>
      draft.isFaulty(`${path}.${name}`),
    );
  const targets = accounts.flatMap((account) => account.targets).filter(isKnown);
  draft.issues.push(
    ...findRepeatedNames(accounts),
    ...findRepeatedTargets(targets),
    ...findMixedTables(targets),
  );
  return accounts;
}

function findRepeatedNames(accounts: readonly Account[]): ConfigIssue[] {
  const names = accounts.map(({ name }) => name);
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (name === '' || first === index) return [];
    return {
      path: `accounts.${index}.name`,
      message: `is the name of accounts.${first} too`,
      hint: 'Give every account its own name: every row has it.',
    };
  });
}

type AccountShape = NonNullable<NonNullable<Shape['accounts']>[number]>;
type CredentialsShape = AccountShape['credentials'];

/** The account's own, else the key of the environment, else the agency. */
function chooseCredentials(
  shape: CredentialsShape,
  path: string,
  { env, inFunction, isFaulty, isUsed, report }: Draft,
): Credentials {
  if (isFaulty(path)) return agency;
  const given = toCredentials(shape);
  // Half a key is not a fault then: the command needs none.
  if (!isUsed(path)) return given ?? readDefaultKey(env, () => {}) ?? agency;
  const chosen = given ?? readDefaultKey(env, report) ?? agency;
  if (chosen.kind === 'agency' && !inFunction) {
    if (given) report(path, agencyOutside, agencyHint);
    else report(path, 'there is no access key', keyHint);
  }
  return chosen;
}

/** For credentials without a fault. */
function toCredentials(shape: CredentialsShape): Credentials | undefined {
  if (shape === undefined) return undefined;
  if (shape === 'agency') return agency;
  if ('ak' in shape) {
    const { ak = '', sk = '', securityToken = null } = shape;
    return { kind: 'key', ak, sk, securityToken };
  }
  const { iamUser = '', iamPassword = '', iamDomain = '' } = shape as Record<string, string>;
  return { kind: 'password', iamUser, iamPassword, iamDomain };
}

type TargetShape = NonNullable<NonNullable<AccountShape['targets']>[number]> & { region: string };

/** One for each dataset. */
function toTargets(shape: TargetShape, account: string, path: string, draft: Draft): Target[] {
  const { region, projectId = null } = shape;
  // The 2021 reference, table 1-1, lists this one region for the old service.
  const endpoint = shape.endpoint ?? hostOf(region === 'cn-south-4' ? 'cgs' : 'hss', region);
  const { hostname } = new URL(endpoint);
  const api = shape.api ?? (hostname.startsWith('cgs.') ? 'cgs' : 'hss');
  const filters: NodeFilters = { ...shape.filters };
  if (api === 'cgs' && !draft.isFaulty(`${path}.endpoint`) && !draft.isFaulty(`${path}.api`)) {
    draft.issues.push(...findUnknownToCgs(shape, path));
  }
  draft.issues.push(...findForeignHosts(shape, path));
  if (draft.needs !== 'store') draft.warnings.push(...findOddIds(shape, hostname, path));
  const isFaulty = (name: string) => draft.isFaulty(`${path}.${name}`);
  const given = isFaulty('datasets') ? undefined : shape.datasets;
  const names = given?.filter((name) => name !== undefined) ?? [datasets[0].name];
  const tableOf = (dataset: string) =>
    names.length > 1 && shape.table !== undefined
      ? `${shape.table}_${dataset}`
      : (shape.table ?? dataset);
  draft.issues.push(
    ...findTableFaults({ ...shape, filters, datasets: names, tableOf }, path).filter(
      ({ path: at }) => !draft.isFaulty(at),
    ),
  );
  const hasApi = !isFaulty('endpoint') && !isFaulty('api');
  const lacking = names.filter((name) => !datasetOf(name).apis.includes(api));
  if (hasApi && lacking.length > 0) {
    draft.report(
      `${path}.datasets`,
      `has ${lacking.join(', ')}, which the ${api} API does not list`,
      'Set `api: hss` with an hss endpoint, as in `endpoint: https://hss.cn-south-4.myhuaweicloud.com`, or remove it from the list.',
    );
  }
  return names.map((dataset) => ({
    path,
    account,
    dataset,
    table: tableOf(dataset),
    region,
    projectId,
    endpoint,
    // A server on this host (the simulator) is its own IAM too: a test key must not leave this host.
    iamEndpoint: shape.iamEndpoint ?? (isLoopback(hostname) ? endpoint : hostOf('iam', region)),
    api,
    enterpriseProjectId: api === 'hss' ? (shape.enterpriseProjectId ?? 'all_granted_eps') : null,
    filters,
  }));
}

function toStore(draft: Draft, first: Account | undefined): StoreConfig {
  const { shape, folder, inFunction, isFaulty, report } = draft;
  const { store, obs } = shape;
  if (store?.kind !== 'obs') {
    if (store !== undefined && obs !== undefined) {
      report(
        'obs',
        'is set, but the store does not start with obs://',
        'Remove it, or write `store: obs://bucket/prefix`.',
      );
    }
    if (store !== undefined && inFunction && !shape.mounted && !isFaulty('mounted')) {
      draft.issues.push(folderInFunction);
    }
    return {
      kind: 'file',
      root: resolve(folder, store?.path ?? '.'),
      fileMode: shape.fileMode ?? ownerOnly,
    };
  }
  return toBucket(draft, { location: store, section: 'obs' }, first);
}

type BucketLocation = Extract<StoreLocation, { kind: 'obs' }>;

/** `section`: the path of the settings of this bucket. `first`: its key and region are the defaults. */
function toBucket(
  { shape, inFunction, isFaulty, report }: Draft,
  { location, section }: { location: BucketLocation; section: 'obs' | 'verify.obs' },
  first: Account | undefined,
): Extract<StoreConfig, { kind: 'obs' }> {
  const obs = section === 'obs' ? shape.obs : shape.verify?.obs;
  const path = `${section}.credentials`;
  const given = isFaulty(path) ? undefined : toCredentials(obs?.credentials);
  const credentials = given ?? first?.credentials ?? agency;
  if (given?.kind === 'agency' && !inFunction) {
    report(path, agencyOutside, agencyHint);
  }
  if (credentials.kind === 'password' && !isFaulty(path)) {
    report(
      path,
      given
        ? 'is a sign-in, which OBS does not accept'
        : 'is missing, and the first account uses a sign-in, which OBS does not accept',
      'Write { ak, sk } of a user who may read and write the bucket.',
    );
  }
  const targetRegion = first?.targets[0]?.region ?? '';
  const endpoint = obs?.endpoint ?? hostOf('obs', targetRegion);
  const ownRegion = /^https:\/\/obs\.([a-z0-9-]+)\.myhuaweicloud\.(?:com|eu)$/.exec(endpoint)?.[1];
  return {
    kind: 'obs',
    bucket: location.bucket,
    prefix: location.prefix,
    endpoint,
    region: obs?.region ?? ownRegion ?? targetRegion,
    pathStyle: obs?.pathStyle ?? false,
    credentials: credentials.kind === 'password' ? agency : credentials,
    kmsKeyId: obs?.kmsKeyId ?? null,
    acl: obs?.acl ?? null,
  };
}

function toVerify(draft: Draft, store: StoreConfig, first: Account | undefined): VerifyConfig {
  const { shape, folder, inFunction, report } = draft;
  const { obs, publicKeys = [], since = null } = shape.verify ?? {};
  if (obs && shape.verify?.pins?.kind !== 'obs' && !draft.isFaulty('verify.pins')) {
    const hint = 'Remove it, or write `pins: obs://bucket/key`.';
    report('verify.obs', 'is set, but the pins do not start with obs://', hint);
  }
  return {
    pins: toPins(draft, store, first),
    since,
    publicKeys: publicKeys.flatMap((given = '', index): PublicKeySource[] => {
      const name = `verify.publicKeys.${index}`;
      if (given.includes('-----BEGIN ')) return [{ name, kind: 'text', text: given }];
      const own = given.replace(/^file:/, '');
      const places = inFunction ? [packedKeyPath(given, index), own] : [own];
      return [{ name, kind: 'file', paths: places.map((path) => resolve(folder, path)) }];
    }),
  };
}

const outsideHint =
  'Choose a place that people who can change the store cannot change: another host, another account, or a bucket of its own.';

function toPins(
  draft: Draft,
  store: StoreConfig,
  first: Account | undefined,
): VerifyConfig['pins'] {
  const { shape, folder, inFunction, report, pathOf = (path: string) => path } = draft;
  const location = shape.verify?.pins;
  const name = pathOf('verify.pins');
  // Commands that do not verify need no key for the pins.
  if (location === undefined || draft.needs !== 'store' || draft.signs) return null;
  if (location.kind === 'file') {
    const path = resolve(folder, location.path);
    if (inFunction && !shape.mounted) draft.issues.push(pinFileInFunction);
    const fileMode = shape.fileMode ?? ownerOnly;
    return { name, store: { kind: 'file', root: dirname(path), fileMode }, key: basename(path) };
  }
  if (shape.verify?.obs === undefined && store.kind !== 'obs') {
    const hint = 'Add `verify: { obs: { credentials: { ak, sk } } }` to the configuration file.';
    report('verify.pins', 'is in a bucket, but verify.obs is missing', hint);
    return null;
  }
  const bucket =
    shape.verify?.obs === undefined && store.kind === 'obs'
      ? { ...store, bucket: location.bucket, prefix: '' }
      : toBucket(draft, { location: { ...location, prefix: '' }, section: 'verify.obs' }, first);
  const isInside =
    store.kind === 'obs' &&
    store.bucket === bucket.bucket &&
    store.endpoint === bucket.endpoint &&
    `${location.prefix}/`.startsWith(store.prefix === '' ? '' : `${store.prefix}/`);
  if (isInside) report('verify.pins', 'is inside the store', outsideHint);
  return { name, store: bucket, key: location.prefix };
}

/** Two targets that would write one series of snapshots. While a project is unknown, its account is compared instead. */
export function findRepeatedTargets(targets: readonly Series[]): ConfigIssue[] {
  const ids = targets.map(({ table, region, projectId, account }) =>
    JSON.stringify([table, region, projectId, projectId ?? account]),
  );
  const firstPaths = new Map<string | undefined, string>();
  return targets.flatMap(({ path, table }, index) => {
    const first = firstPaths.get(ids[index]);
    if (first === undefined) {
      firstPaths.set(ids[index], path);
      return [];
    }
    return {
      path,
      message: `has the table, region and project of ${first}`,
      hint: `Remove one of them, or give one a table other than ${table}.`,
    };
  });
}

/** In one table all targets must have the same dataset and filters: otherwise a reader takes some of the nodes for all. */
function findMixedTables(targets: readonly Target[]): ConfigIssue[] {
  const tables = targets.map(({ table }) => table);
  const filters = targets.map((target) => JSON.stringify(Object.entries(target.filters).sort()));
  return targets.flatMap(({ path, table, dataset }, index) => {
    const first = targets[tables.indexOf(table)];
    if (first && first.dataset !== dataset) {
      return {
        path: `${path}.table`,
        message: `is the table ${table}, which has ${first.dataset} in ${first.path}`,
        hint: `Give ${dataset} a table of its own: the columns differ.`,
      };
    }
    if (filters[index] === filters[tables.indexOf(table)]) return [];
    return {
      path: `${path}.filters`,
      message: `differs from the filters of other targets of the table ${table}`,
      hint: 'Give targets with other filters their own table.',
    };
  });
}
