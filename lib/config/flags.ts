// Responsible for a configuration from flags alone: which flag gives which setting, and faults in the words of the flags.

import { resolve } from 'node:path';
import { ConfigError, configFault } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';
import { describeSourceFlags } from './config-file.ts';
import type { Config, ConfigOptions, SourceFlag } from './model.ts';
import { assembleParts, type ConfigParts, requireWhole } from './rules.ts';
import type { ConfigValues } from './text.ts';
import { isMapping } from './values.ts';

/** With any of these no file is read. */
const sourceFlags = {
  region: 'accounts.0.targets.0.region',
  project: 'accounts.0.targets.0.projectId',
  endpoint: 'accounts.0.targets.0.endpoint',
  store: 'store',
} as const;
/** Valid only with one of those. */
const furtherFlags = {
  iamEndpoint: 'accounts.0.targets.0.iamEndpoint',
  api: 'accounts.0.targets.0.api',
  enterpriseProject: 'accounts.0.targets.0.enterpriseProjectId',
  datasets: 'accounts.0.targets.0.datasets',
  formats: 'formats',
  quotaRequests: 'quota.requests',
  quotaWindowSeconds: 'quota.windowSeconds',
  obsEndpoint: 'obs.endpoint',
  obsRegion: 'obs.region',
  pathStyle: 'obs.pathStyle',
} as const;
/** Valid with a file too, where the command uses them to select targets. */
const selectingFlags = { account: 'accounts.0.name', table: 'accounts.0.targets.0.table' } as const;

/** Valid with a file too: they replace its settings. */
const overridingFlags = {
  pins: 'verify.pins',
  publicKey: 'verify.publicKeys',
  since: 'verify.since',
} as const;

const settingOf = { ...sourceFlags, ...furtherFlags, ...selectingFlags, ...overridingFlags };
type Flag = keyof typeof settingOf;
const allFlags = Object.keys(settingOf) as Flag[];

/** Values as they are typed on the command line. */
export type ConfigFlags = {
  [Name in Exclude<Flag, 'datasets' | 'formats' | 'pathStyle' | 'publicKey'> | 'logLevel']?:
    | string
    | undefined;
} & {
  datasets?: readonly string[] | undefined;
  formats?: readonly string[] | undefined;
  publicKey?: readonly string[] | undefined;
  pathStyle?: boolean | undefined;
};

/** As it is typed: `iamEndpoint` → `--iam-endpoint`. */
function nameOf(flag: Flag): string {
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const nameBySetting = new Map<string, string>([
  ...allFlags.map((flag) => [settingOf[flag], nameOf(flag)] as const),
  ['obs', '--obs-endpoint'],
  ['accounts.0.credentials', 'HUAWEICLOUD_SDK_AK'],
]);

/**
 * True if the flags replace the file. `ofCommand`: the flags of the command that do so, for hints. Throws ConfigError if they
 * contradict `file`, or need others that are not given.
 */
export function replacesFile(
  flags: ConfigFlags,
  file: string | undefined,
  ofCommand: readonly SourceFlag[] = [],
): boolean {
  const given = allFlags.filter((flag) => flags[flag] !== undefined);
  const sources = given.filter((flag) => flag in sourceFlags);
  if (sources.length > 0 && file === undefined) return true;
  if (sources.length > 0) {
    const message = `cannot be combined with ${sources.map(nameOf).join(', ')}`;
    throw configFault('--config', message, 'Leave out --config, or these options.');
  }
  const stray = given.filter((flag) => flag in furtherFlags);
  if (stray.length === 0) return false;
  throw new ConfigError(
    stray.map((flag) => ({
      path: nameOf(flag),
      message: 'is valid only without a configuration file',
      hint: `Write it into the configuration, or ${describeSourceFlags(ofCommand)}.`,
    })),
  );
}

/** One target by flags, its key from the environment. Throws ConfigError with the names of the flags as paths. */
export function configFromFlags(
  flags: ConfigFlags,
  env: Environment,
  cwd: string,
  options: ConfigOptions = {},
): Config {
  return requireWhole(partsFromFlags(flags, env, cwd, options));
}

/** As `configFromFlags`, but with the faults beside what is valid. */
export function partsFromFlags(
  flags: ConfigFlags,
  env: Environment,
  cwd: string,
  options: ConfigOptions,
): ConfigParts {
  const value = { accounts: [{ name: 'default', targets: [{}] }] };
  const given = { ...flags, ...readPaths(flags, cwd) };
  for (const flag of allFlags) {
    if (given[flag] !== undefined) setValue(value, settingOf[flag].split('.'), given[flag]);
  }
  return assembleParts(
    { value, issues: [], unset: [] },
    {
      ...options,
      env,
      folder: cwd,
      logLevel: flags.logLevel,
      pathOf: (path) =>
        nameBySetting.get(
          path.replace(
            /^(formats|verify\.publicKeys|accounts\.0\.targets\.0\.datasets)\.\d+$/,
            '$1',
          ),
        ) ?? path,
    },
  );
}

/** The values of a file with those that flags replace. */
export function withOverrides(values: ConfigValues, flags: ConfigFlags, cwd: string): ConfigValues {
  const given = Object.entries(readPaths(flags, cwd)).filter(([, value]) => value !== undefined);
  // The check reports a value that is not a section.
  const { verify = {} } = Object(values.value) as { verify?: unknown };
  if (given.length === 0 || !isMapping(values.value) || !isMapping(verify)) return values;
  const value = structuredClone(values.value);
  for (const [flag, replaced] of given) {
    setValue(value, overridingFlags[flag as keyof typeof overridingFlags].split('.'), replaced);
  }
  return { ...values, value };
}

/** The name of the flag that replaced the setting at `path`, else `path`. */
export function overrideNameOf(path: string, flags: ConfigFlags): string {
  for (const flag of Object.keys(overridingFlags) as (keyof typeof overridingFlags)[]) {
    const isOfFlag = `${path}.`.startsWith(`${overridingFlags[flag]}.`);
    if (isOfFlag && flags[flag] !== undefined) return nameOf(flag);
  }
  return path;
}

/** Relative paths of flags start at the working directory. */
function readPaths({ pins, publicKey, since }: ConfigFlags, cwd: string) {
  const isUrl = pins === undefined || pins.startsWith('obs:') || pins === '';
  return {
    pins: isUrl ? pins : `file:${resolve(cwd, pins.replace(/^file:/, ''))}`,
    publicKey: publicKey?.map((path) => resolve(cwd, path)),
    since,
  };
}

/** Creates the sections on the way that are missing. */
function setValue(section: object, [name = '', ...rest]: readonly string[], value: unknown): void {
  const entries = section as Record<string, unknown>;
  if (rest.length === 0) {
    entries[name] = value;
    return;
  }
  entries[name] ??= {};
  setValue(entries[name] as object, rest, value);
}
