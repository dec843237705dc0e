// Owns the configuration: from file, flags and environment to one typed value, or every fault at once. The only reader of the environment.

import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Environment, LogLevel } from '../core/ports.ts';
import type { NodeFilters } from '../datasets/container-nodes.ts';
import { readLogLevel } from './environment.ts';
import { assembleConfig, findRepeatedTargets, type Series } from './rules.ts';
import { type Credentials, checkShape } from './schema.ts';
import { parseConfigText } from './text.ts';

export type StoreConfig =
  | { kind: 'file'; root: string }
  | {
      kind: 'obs';
      bucket: string;
      /** Without slashes at its ends; empty for the bucket's root. */
      prefix: string;
      endpoint: string;
      /** What signatures name: the endpoint's own region where its name tells it. */
      region: string;
      pathStyle: boolean;
      credentials: Exclude<Credentials, { kind: 'password' }>;
      kmsKeyId: string | null;
    };

export interface Target {
  /** Where it stands, for messages: `accounts.0.targets.1`. */
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
  const stray = otherFlags.filter((name) => flags[name] !== undefined);
  if (stray.length > 0) {
    throw new ConfigError(
      stray.map((name) => ({
        path: flagOf[name],
        message: 'belongs to a target that is given by flags, and none is',
        hint: 'Write it into the configuration, or give --region, --project, --endpoint and --store too.',
      })),
    );
  }
  const path = resolve(cwd, options.file ?? (env.CGS_EXPORT_CONFIG || fileName));
  return readConfig(await readText(path), path, options, flags.logLevel);
}

/** What `text` says, which stands or would stand in the file `path`. Throws ConfigError with every fault. */
export function readConfig(
  text: string,
  path: string,
  { env, agencyPossible = false }: ConfigOptions & { env: Environment },
  logLevel?: string,
): Config {
  const values = parseConfigText(text, basename(path), env);
  return assembleConfig(checkShape(values.value, values.issues), {
    env,
    agencyPossible,
    folder: dirname(path),
    logLevel,
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
/** With any of these no file is read. */
const sourceFlags = ['region', 'project', 'endpoint', 'store'] as const;
/** These add to them. The rest (account, table, logLevel) have a meaning beside a file too. */
const otherFlags = [
  'iamEndpoint',
  'api',
  'enterpriseProject',
  'formats',
  'quotaRequests',
  'quotaWindowSeconds',
  'obsEndpoint',
  'pathStyle',
] as const;

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
  flagBySetting.set('obs', '--obs-endpoint');
  flagBySetting.set('accounts.0.credentials', 'HUAWEICLOUD_SDK_AK');
  return assembleConfig(checkShape(value, []), {
    env,
    agencyPossible: options.agencyPossible ?? false,
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

/** For the moment when IAM has named every project. Throws ConfigError. */
export function checkDistinctTargets(targets: readonly Series[]): void {
  const issues = findRepeatedTargets(targets);
  if (issues.length > 0) throw new ConfigError(issues);
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
