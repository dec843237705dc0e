// Responsible for a configuration from flags alone: which flag gives which setting, and faults in the words of the flags.

import { ConfigError } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';
import type { Config, ConfigFlags, ConfigOptions } from './model.ts';
import { assembleConfig } from './rules.ts';

type Flag = keyof ConfigFlags;

/** As it is typed: `iamEndpoint` → `--iam-endpoint`. */
function nameOf(flag: Flag): string {
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** With any of these no file is read. */
const sourceFlags = ['region', 'project', 'endpoint', 'store'] as const;
/** Valid only with one of those. The others (account, table, logLevel) have a meaning with a file too. */
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

const settingPaths: Partial<Record<Flag, string>> = {
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
const flagBySetting = new Map([
  ...Object.entries(settingPaths).map(([flag, path]) => [path, nameOf(flag as Flag)] as const),
  ['obs', '--obs-endpoint'],
  ['accounts.0.credentials', 'HUAWEICLOUD_SDK_AK'],
]);

/** True if the flags replace the file. Throws ConfigError if they contradict `file`, or need others that are not given. */
export function replacesFile(flags: ConfigFlags, file: string | undefined): boolean {
  const given = sourceFlags.filter((flag) => flags[flag] !== undefined);
  if (given.length > 0 && file === undefined) return true;
  if (given.length > 0) {
    throw new ConfigError([
      {
        path: '--config',
        message: `cannot be combined with ${given.map(nameOf).join(', ')}`,
        hint: 'Give either --config, or the target by flags.',
      },
    ]);
  }
  const stray = otherFlags.filter((flag) => flags[flag] !== undefined);
  if (stray.length === 0) return false;
  throw new ConfigError(
    stray.map((flag) => ({
      path: nameOf(flag),
      message: 'is valid only for a target that is given by flags',
      hint: 'Write it into the configuration, or give the target too: --region, --project, --endpoint, --store.',
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
  const obs = { endpoint: flags.obsEndpoint, pathStyle: flags.pathStyle };
  const target = {
    region: flags.region,
    projectId: flags.project,
    endpoint: flags.endpoint,
    iamEndpoint: flags.iamEndpoint,
    api: flags.api,
    enterpriseProjectId: flags.enterpriseProject,
    table: flags.table,
  };
  const value = {
    ...onlyDefined({ store: flags.store, formats: flags.formats }),
    quota: onlyDefined({ requests: flags.quotaRequests, windowSeconds: flags.quotaWindowSeconds }),
    ...(Object.keys(onlyDefined(obs)).length > 0 ? { obs: onlyDefined(obs) } : {}),
    accounts: [{ name: flags.account ?? 'default', targets: [onlyDefined(target)] }],
  };
  return assembleConfig(
    { value, issues: [], unset: [] },
    {
      ...options,
      env,
      folder: cwd,
      logLevel: flags.logLevel,
      pathOf: (path) => flagBySetting.get(path.replace(/^formats\.\d+$/, 'formats')) ?? path,
    },
  );
}

function onlyDefined(entries: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
