// Responsible for the configuration that applies: from a file or from flags, as one typed value or with every fault at
// once.

import { basename, dirname, resolve } from 'node:path';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Environment, LogLevel } from '../core/ports.ts';
import { readConfigFile } from './config-file.ts';
import { readLogLevel } from './environment.ts';
import {
  type ConfigFlags,
  overrideNameOf,
  partsFromFlags,
  replacesFile,
  withOverrides,
} from './flags.ts';
import type { Config, ConfigOptions, Credentials, Series } from './model.ts';
import {
  assembleConfig,
  assembleParts,
  type ConfigParts,
  findRepeatedTargets,
  requireWhole,
} from './rules.ts';
import { parseConfigText } from './text.ts';

/**
 * The configuration in `file`, else in CGS_EXPORT_CONFIG, else in ./cgs-export.yml; or from flags alone.
 * Throws ConfigError with every fault.
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  return requireWhole(await loadParts(options));
}

interface LoadOptions extends ConfigOptions {
  file?: string | undefined;
  env: Environment;
  /** Where relative paths of flags start. */
  cwd: string;
  flags?: ConfigFlags | undefined;
}

/** As `loadConfig`, but with the faults beside what is valid. Throws only bugs. */
export async function loadValidParts(options: LoadOptions): Promise<ConfigParts> {
  try {
    return await loadParts(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, issues: error.issues };
  }
}

/** Throws ConfigError if there is no text with settings. */
async function loadParts(options: LoadOptions): Promise<ConfigParts> {
  const { env, cwd, flags = {} } = options;
  if (replacesFile(flags, options.file, options.sourceFlags))
    return partsFromFlags(flags, env, cwd, options);
  const path = resolve(cwd, options.file ?? (env.CGS_EXPORT_CONFIG || 'cgs-export.yml'));
  const values = parseConfigText(
    await readConfigFile(path, options.sourceFlags),
    basename(path),
    env,
  );
  return assembleParts(withOverrides(values, flags, cwd), {
    ...options,
    folder: dirname(path),
    logLevel: flags.logLevel,
    pathOf: (setting) => overrideNameOf(setting, flags),
  });
}

/** The configuration in `text`, as if it were in the file `path`. Throws ConfigError with every fault. */
export function readConfig(
  text: string,
  path: string,
  options: ConfigOptions & { env: Environment },
  logLevel?: string,
): Config {
  return assembleConfig(parseConfigText(text, basename(path), options.env), {
    ...options,
    folder: dirname(path),
    logLevel,
  });
}

/** To be called again once IAM has named every project. Throws ConfigError. */
export function checkDistinctTargets(targets: readonly Series[]): void {
  const issues = findRepeatedTargets(targets);
  if (issues.length > 0) throw new ConfigError(issues);
}

/** The log level without a configuration. Throws ConfigError. */
export function logLevelOf(env: Environment, flag?: string): LogLevel {
  const issues: ConfigIssue[] = [];
  const level = readLogLevel(env, flag, (path, message, hint) =>
    issues.push({ path, message, hint }),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return level;
}

/** Every secret of the configuration, the longest first: to keep them out of logs and errors. */
export function secretsOf(config: Config): string[] {
  const { accounts, store, signing, proxy, verify, alerts } = config;
  const identities: Credentials[] = accounts.map(({ credentials }) => credentials);
  for (const place of [store, verify.pins?.store]) {
    if (place?.kind === 'obs') identities.push(place.credentials);
  }
  const ofIdentities = identities.flatMap((identity) => {
    if (identity.kind === 'key') return [identity.ak, identity.sk, identity.securityToken ?? ''];
    return identity.kind === 'password' ? [identity.iamPassword] : [];
  });
  const ofProxies = [proxy.httpsProxy].flatMap((url) => {
    const { username, password } = new URL(url ?? 'http://none');
    // A proxy that takes a token gets it as the user.
    const secret = password || username;
    return [secret, decodeURIComponent(secret)];
  });
  const secrets = new Set(
    [...ofIdentities, signing?.privateKey ?? '', ...ofProxies, ...secretsOfWebhook(alerts)].filter(
      (secret) => secret !== '',
    ),
  );
  return [...secrets].sort((a, b) => b.length - a.length);
}

/** The address as a whole, and what in it is not the name of a host: an error may show only that part. */
function secretsOfWebhook(alerts: Config['alerts']): string[] {
  if (!alerts?.webhook) return [];
  const { url, secret } = alerts.webhook;
  const { href, pathname, search } = new URL(url);
  const path = `${pathname}${search}`;
  return [url, href, secret, ...(path.length >= secretPathCharsMin ? [path] : [])];
}

/** Shorter paths, such as `/hook`, are words that other texts have. */
const secretPathCharsMin = 12;
