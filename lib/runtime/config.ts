// Owns the configuration: from file, flags and environment to one typed value, or every fault at once. The only reader of the environment.

import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { NodeFilters } from '../datasets/container-nodes.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import type { LogLevel } from '../snapshot/ports.ts';
import { type ConfigShape, type Credentials, checkShape } from './config-shape.ts';
import { type Environment, parseConfigText } from './config-text.ts';
import { isLoopback } from './config-values.ts';

export type { Credentials, Environment };

export type StoreConfig =
  | { kind: 'file'; root: string }
  | {
      kind: 'obs';
      bucket: string;
      /** Without slashes at its ends; empty for the bucket's root. */
      prefix: string;
      endpoint: string;
      pathStyle: boolean;
      credentials: Exclude<Credentials, { kind: 'password' }>;
      kmsKeyId: string | null;
    };

export interface Target {
  /** Where it stands, for messages: `accounts.0.targets.1`; empty for a target from flags. */
  path: string;
  account: string;
  table: string;
  region: string;
  /** Null: to be asked of IAM. */
  projectId: string | null;
  /** Origins: scheme, host, port. */
  endpoint: string;
  iamEndpoint: string;
  api: 'cgs' | 'hss';
  /** Null: not sent. */
  enterpriseProjectId: string | null;
  filters: NodeFilters;
}

export interface Account {
  name: string;
  credentials: Credentials;
  targets: readonly Target[];
}

/** As curl knows them; null where none is set. */
export interface ProxyConfig {
  httpsProxy: string | null;
  httpProxy: string | null;
  noProxy: string | null;
}

export interface Config {
  store: StoreConfig;
  scheduleMs: number;
  /** In this order, at least one. */
  formats: readonly ('parquet' | 'ndjson')[];
  quota: { requests: number; windowSeconds: number };
  accounts: readonly Account[];
  logLevel: LogLevel;
  proxy: ProxyConfig;
}

/** Values as the command line has them. Any of the first four: no file is read. */
export interface ConfigFlags {
  region?: string | undefined;
  project?: string | undefined;
  endpoint?: string | undefined;
  store?: string | undefined;
  iamEndpoint?: string | undefined;
  api?: string | undefined;
  enterpriseProject?: string | undefined;
  /** A name for rows and messages; default `default`. */
  account?: string | undefined;
  table?: string | undefined;
  formats?: readonly string[] | undefined;
  quotaRequests?: string | undefined;
  quotaWindowSeconds?: string | undefined;
  obsEndpoint?: string | undefined;
  pathStyle?: boolean | undefined;
  logLevel?: string | undefined;
}

export interface ConfigOptions {
  /** Credentials `agency` exist, and are the default: true in a function only. */
  agencyPossible?: boolean;
}

const dayMs = 24 * 60 * 60 * 1_000;
const fileName = 'cgs-export.yml';

/**
 * The configuration that applies, from `file`, else CGS_EXPORT_CONFIG, else ./cgs-export.yml; or from flags alone.
 * Throws ConfigError with every fault.
 */
export async function loadConfig(
  options: ConfigOptions & {
    file?: string | undefined;
    env: Environment;
    /** Where relative paths of flags start. */
    cwd: string;
    flags?: ConfigFlags | undefined;
  },
): Promise<Config> {
  const { env, cwd, flags = {} } = options;
  const given = sourceFlags.filter((name) => flags[name] !== undefined);
  if (given.length > 0) {
    if (options.file === undefined) return configFromFlags(flags, env, cwd, options);
    throw new ConfigError([
      {
        path: '--config',
        message: `stands beside ${given.map((name) => flagOf[name]).join(', ')}, which replace it`,
        hint: 'Give either --config or the target by flags.',
      },
    ]);
  }
  const path = resolve(cwd, options.file ?? (env.CGS_EXPORT_CONFIG || fileName));
  const values = parseConfigText(await readText(path), basename(path), env);
  return assemble(checkShape(values.value, values.issues), {
    ...options,
    folder: dirname(path),
    logLevel: flags.logLevel,
    pathOf: (issuePath) => issuePath,
  });
}

const flagOf: Record<keyof ConfigFlags, string> = {
  region: '--region',
  project: '--project',
  endpoint: '--endpoint',
  store: '--store',
  iamEndpoint: '--iam-endpoint',
  api: '--api',
  enterpriseProject: '--enterprise-project',
  account: '--account',
  table: '--table',
  formats: '--formats',
  quotaRequests: '--quota-requests',
  quotaWindowSeconds: '--quota-window-seconds',
  obsEndpoint: '--obs-endpoint',
  pathStyle: '--path-style',
  logLevel: '--log-level',
};
const sourceFlags = ['region', 'project', 'endpoint', 'store'] as const;

/** Which flag stands for which setting. */
const settingOf: Partial<Record<keyof ConfigFlags, string>> = {
  store: 'store',
  formats: 'formats',
  quotaRequests: 'quota.requests',
  quotaWindowSeconds: 'quota.windowSeconds',
  obsEndpoint: 'obs.endpoint',
  pathStyle: 'obs.pathStyle',
  account: 'accounts.0.name',
  region: 'accounts.0.targets.0.region',
  project: 'accounts.0.targets.0.projectId',
  endpoint: 'accounts.0.targets.0.endpoint',
  iamEndpoint: 'accounts.0.targets.0.iamEndpoint',
  api: 'accounts.0.targets.0.api',
  enterpriseProject: 'accounts.0.targets.0.enterpriseProjectId',
  table: 'accounts.0.targets.0.table',
};

/** One target by flags, its key from the environment. Throws ConfigError whose paths are the flags. */
export function configFromFlags(
  flags: ConfigFlags,
  env: Environment,
  cwd: string,
  options: ConfigOptions = {},
): Config {
  const present = <T extends object>(entries: T) =>
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
  const quota = present({ requests: flags.quotaRequests, windowSeconds: flags.quotaWindowSeconds });
  const obs = present({ endpoint: flags.obsEndpoint, pathStyle: flags.pathStyle });
  const target = present({
    region: flags.region,
    projectId: flags.project,
    endpoint: flags.endpoint,
    iamEndpoint: flags.iamEndpoint,
    api: flags.api,
    enterpriseProjectId: flags.enterpriseProject,
    table: flags.table,
  });
  const value = {
    ...present({ store: flags.store, formats: flags.formats }),
    quota,
    ...(Object.keys(obs).length > 0 ? { obs } : {}),
    accounts: [{ name: flags.account ?? 'default', targets: [target] }],
  };
  const flagBySetting = new Map(
    Object.entries(settingOf).map(([flag, path]) => [path, flagOf[flag as keyof ConfigFlags]]),
  );
  return assemble(checkShape(value, []), {
    ...options,
    env,
    folder: cwd,
    logLevel: flags.logLevel,
    pathOf: (path) => flagBySetting.get(path.replace(/^formats\.\d+$/, 'formats')) ?? path,
  });
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    const message =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? `there is no file ${path}`
        : code === 'EISDIR'
          ? `${path} is a folder`
          : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
            ? `${path} is not UTF-8 text`
            : `${path} cannot be read (${String(code)})`;
    const hint =
      'Run `cgs-export init` to write one, name another with --config or CGS_EXPORT_CONFIG, or give the target by flags: --region, --project, --endpoint, --store.';
    throw new ConfigError([{ path: '', message, hint }]);
  }
}

type Report = (path: string, message: string, hint: string) => void;

interface Context extends ConfigOptions {
  env: Environment;
  /** Where relative `file:` paths start. */
  folder: string;
  logLevel: string | undefined;
  /** The path of a setting as the operator knows it. */
  pathOf: (path: string) => string;
}

/** Defaults, and what settings mean together. Judges what is right so far, so that all faults come at once. */
function assemble(checked: ReturnType<typeof checkShape>, context: Context): Config {
  const { shape, issues } = checked;
  const { env } = context;
  const report: Report = (path, message, hint) => issues.push({ path, message, hint });
  const isFaulty = (path: string) => issues.some((issue) => issue.path === path);

  const accounts = (shape.accounts ?? []).map((account, index): Account => {
    const path = `accounts.${index}`;
    const name = account?.name ?? '';
    const credentials =
      account?.credentials ??
      (account === undefined || isFaulty(`${path}.credentials`)
        ? agency
        : defaultCredentials(context, `${path}.credentials`, report));
    if (account?.credentials?.kind === 'agency') {
      checkAgency(context, `${path}.credentials`, report);
    }
    const targets = (account?.targets ?? []).flatMap((target, targetIndex) => {
      const targetPath = `${path}.targets.${targetIndex}`;
      return target?.region === undefined
        ? []
        : [toTarget({ ...target, region: target.region }, name, targetPath, isFaulty, report)];
    });
    return { name, credentials, targets };
  });

  const names = accounts.map(({ name }) => name);
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (name !== '' && first !== index) {
      report(
        `accounts.${index}.name`,
        `is the name of accounts.${first} too`,
        'Give every account a name of its own: rows carry it.',
      );
    }
  });
  const targets = accounts.flatMap((account) => account.targets);
  issues.push(...findRepeatedTargets(targets), ...findMixedTables(targets));

  const config: Config = {
    store: toStore(shape, accounts, context, isFaulty, report),
    scheduleMs: shape.schedule ?? dayMs,
    formats: (['parquet', 'ndjson'] as const).filter(
      (format) => shape.formats === undefined || shape.formats.includes(format),
    ),
    quota: {
      requests: shape.quota?.requests ?? 5,
      windowSeconds: shape.quota?.windowSeconds ?? 60,
    },
    accounts,
    logLevel: readLogLevel(env, context.logLevel, report),
    proxy: readProxy(env, report),
  };
  if (issues.length === 0) return config;
  throw new ConfigError(issues.map((issue) => ({ ...issue, path: context.pathOf(issue.path) })));
}

const agency: Credentials = { kind: 'agency' };

const keyHint =
  'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key), or write credentials into the configuration.';

function checkAgency(context: ConfigOptions, path: string, report: Report): void {
  if (context.agencyPossible) return;
  report(path, 'is agency, which only a function has', keyHint);
}

function defaultCredentials(context: Context, path: string, report: Report): Credentials {
  const { env } = context;
  const ak = env.HUAWEICLOUD_SDK_AK || '';
  const sk = env.HUAWEICLOUD_SDK_SK || '';
  const securityToken = env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null;
  if (ak === '' && sk === '') {
    if (!context.agencyPossible) {
      report(path, 'no credentials: HUAWEICLOUD_SDK_AK and _SK are not set', keyHint);
    }
    return agency;
  }
  for (const [name, value] of [
    ['HUAWEICLOUD_SDK_AK', ak],
    ['HUAWEICLOUD_SDK_SK', sk],
    ['HUAWEICLOUD_SDK_SECURITY_TOKEN', securityToken],
  ] as const) {
    if (value === '') report(name, 'is not set, but its other half is', keyHint);
    else if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
      report(name, 'holds white space or signs that no key has', 'Copy it again.');
    }
  }
  return { kind: 'key', ak, sk, securityToken };
}

type TargetShape = NonNullable<
  NonNullable<NonNullable<NonNullable<ConfigShape['accounts']>[number]>['targets']>[number]
> & { region: string };

/** EU regions belong to a cloud of their own. Huawei Cloud, "Regions and Endpoints", read 2026-11-24. */
function hostOf(service: string, region: string): string {
  return `https://${service}.${region}.myhuaweicloud.${region.startsWith('eu-') ? 'eu' : 'com'}`;
}

function toTarget(
  shape: TargetShape,
  account: string,
  path: string,
  isFaulty: (path: string) => boolean,
  report: Report,
): Target {
  const { region } = shape;
  // The 2021 reference, table 1-1, lists this one region for the old service.
  const endpoint = shape.endpoint ?? hostOf(region === 'cn-south-4' ? 'cgs' : 'hss', region);
  const { hostname } = new URL(endpoint);
  const api = shape.api ?? (hostname.startsWith('cgs.') ? 'cgs' : 'hss');
  const isSure = !isFaulty(`${path}.endpoint`) && !isFaulty(`${path}.api`);
  const filters = Object.fromEntries(
    Object.entries(shape.filters ?? {}).filter(([, value]) => value !== undefined),
  ) as NodeFilters;
  if (api === 'cgs' && isSure) {
    if (shape.enterpriseProjectId !== undefined) {
      report(
        `${path}.enterpriseProjectId`,
        'is not sent to the cgs api, which does not know it',
        'Remove it, or set `api: hss` with an hss endpoint.',
      );
    }
    // The 2021 reference, table 3-2.
    for (const name of ['protectStatus', 'containerTags'] as const) {
      if (filters[name] === undefined) continue;
      report(
        `${path}.filters.${name}`,
        'is no filter of the cgs api',
        'It knows hostName and agentStatus; set `api: hss` with an hss endpoint for the others.',
      );
    }
    if (filters.agentStatus && !['not_installed', 'online', 'offline'].includes(filters.agentStatus)) {
      report(
        `${path}.filters.agentStatus`,
        'is no value of the cgs api',
        'It knows not_installed, online and offline.',
      );
    }
  }
  if (Object.keys(filters).length > 0 && shape.table === undefined && !isFaulty(`${path}.table`)) {
    report(
      `${path}.table`,
      'is missing: a filtered target must name its own table',
      'Add one, as in `table: web_nodes`, so that nobody takes a part of the nodes for all.',
    );
  }
  return {
    path,
    account,
    table: shape.table ?? 'container_nodes',
    region,
    projectId: shape.projectId ?? null,
    endpoint,
    // Whoever runs a server on this host (the simulator) runs its IAM too: no key of a trial may go out.
    iamEndpoint: shape.iamEndpoint ?? (isLoopback(hostname) ? endpoint : hostOf('iam', region)),
    api,
    enterpriseProjectId: api === 'hss' ? (shape.enterpriseProjectId ?? 'all_granted_eps') : null,
    filters,
  };
}

function toStore(
  shape: ConfigShape,
  accounts: readonly Account[],
  context: Context,
  isFaulty: (path: string) => boolean,
  report: Report,
): StoreConfig {
  const { store, obs } = shape;
  if (store?.kind !== 'obs') {
    if (store !== undefined && obs !== undefined) {
      report('obs', 'is there, but the store is no obs://', 'Remove it, or write `store: obs://…`.');
    }
    return { kind: 'file', root: resolve(context.folder, store?.path ?? '.') };
  }
  const first = accounts[0];
  const credentials = obs?.credentials ?? first?.credentials ?? agency;
  if (obs?.credentials?.kind === 'agency') checkAgency(context, 'obs.credentials', report);
  if (credentials.kind === 'password' && !isFaulty('obs.credentials')) {
    report(
      'obs.credentials',
      obs?.credentials
        ? 'is a sign-in, which OBS does not take'
        : 'is missing, and the first account signs in with a password, which OBS does not take',
      'Give { ak, sk } of a user who may read and write the bucket.',
    );
  }
  return {
    kind: 'obs',
    bucket: store.bucket,
    prefix: store.prefix,
    endpoint: obs?.endpoint ?? hostOf('obs', first?.targets[0]?.region ?? ''),
    pathStyle: obs?.pathStyle ?? false,
    credentials: credentials.kind === 'password' ? { kind: 'agency' } : credentials,
    kmsKeyId: obs?.kmsKeyId ?? null,
  };
}

interface Series {
  path: string;
  account: string;
  table: string;
  region: string;
  projectId: string | null;
}

/** Two targets that would write one series of snapshots. Where the project is not known yet, the account stands for it. */
function findRepeatedTargets(targets: readonly Series[]): ConfigIssue[] {
  const known = new Map<string, Series>();
  const issues: ConfigIssue[] = [];
  for (const target of targets) {
    const project =
      target.projectId === null ? ['account', target.account] : ['project', target.projectId];
    const id = JSON.stringify([target.table, target.region, ...project]);
    const first = known.get(id);
    if (first === undefined) {
      known.set(id, target);
      continue;
    }
    issues.push({
      path: target.path,
      message: `has the table, region and project of ${first.path}`,
      hint: `Remove one of them, or give one a table of its own instead of ${target.table}.`,
    });
  }
  return issues;
}

/** For the moment when IAM has named every project. Throws ConfigError. */
export function checkDistinctTargets(targets: readonly Series[]): void {
  const issues = findRepeatedTargets(targets);
  if (issues.length > 0) throw new ConfigError(issues);
}

/** A table in which some targets are whole and others filtered would be taken for whole. */
function findMixedTables(targets: readonly Target[]): ConfigIssue[] {
  const filtersOf = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const { path, table, filters } of targets) {
    const own = JSON.stringify(Object.entries(filters).sort());
    const others = filtersOf.get(table) ?? own;
    filtersOf.set(table, others);
    if (own === others) continue;
    issues.push({
      path: `${path}.filters`,
      message: `differs from the filters of other targets of the table ${table}`,
      hint: 'Give targets with other filters a table of their own.',
    });
  }
  return issues;
}

const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

function readLogLevel(env: Environment, flag: string | undefined, report: Report): LogLevel {
  const given = flag ?? (env.CGS_EXPORT_LOG_LEVEL || 'info');
  const level = logLevels.find((known) => known === given);
  if (level === undefined) {
    const path = flag === undefined ? 'CGS_EXPORT_LOG_LEVEL' : '--log-level';
    report(path, 'is no log level', `One of: ${logLevels.join(', ')}.`);
  }
  return level ?? 'info';
}

/** For what logs without a configuration. Throws ConfigError. */
export function logLevelOf(env: Environment, flag?: string): LogLevel {
  const issues: ConfigIssue[] = [];
  const level = readLogLevel(env, flag, (path, message, hint) =>
    issues.push({ path, message, hint }),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return level;
}

/** Small letters win, as in curl. HTTP_PROXY in capitals is read too: no web server runs this program. */
function readProxy(env: Environment, report: Report): ProxyConfig {
  const read = (lower: string, upper: string): string | null => {
    const [name, given] = env[lower] ? [lower, env[lower]] : [upper, env[upper]];
    if (!given) return null;
    const url = given.includes('://') ? given : `http://${given}`;
    if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
    report(name, 'is no address of a proxy', 'Write http://host:port, or unset it.');
    return null;
  };
  return {
    httpsProxy: read('https_proxy', 'HTTPS_PROXY'),
    httpProxy: read('http_proxy', 'HTTP_PROXY'),
    noProxy: env.no_proxy || env.NO_PROXY || null,
  };
}

/** Every secret that the configuration holds, longest first, for whoever keeps them out of logs and errors. */
export function secretsOf(config: Config): string[] {
  const identities: Credentials[] = config.accounts.map(({ credentials }) => credentials);
  if (config.store.kind === 'obs') identities.push(config.store.credentials);
  const secrets = identities.flatMap((identity) => {
    if (identity.kind === 'key') return [identity.ak, identity.sk, identity.securityToken];
    return identity.kind === 'password' ? [identity.iamPassword] : [];
  });
  for (const proxy of [config.proxy.httpsProxy, config.proxy.httpProxy]) {
    if (proxy === null) continue;
    const { password } = new URL(proxy);
    secrets.push(password, decodeSafely(password));
  }
  const distinct = new Set(secrets.filter((secret): secret is string => Boolean(secret)));
  return [...distinct].sort((a, b) => b.length - a.length);
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
