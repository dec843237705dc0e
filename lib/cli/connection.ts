// Responsible for connecting a command to its store and its targets, as its options and the configuration file say, and
// for showing the progress of requests.

import { type Connection, connect } from '../app/connect.ts';
import { describeNewFolder, folderExists } from '../app/store-check.ts';
import type { ConfigFlags } from '../config/flags.ts';
import { loadConfig, loadValidParts } from '../config/load.ts';
import type { Config, Series, SourceFlag } from '../config/model.ts';
import { suggest } from '../config/suggest.ts';
import { ConfigError, type ConfigIssue, configFault } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import type { Progress } from '../runs/progress-event.ts';
import type { PickOptions, StoreOptions, TargetOptions } from './options.ts';
import { createTracker } from './progress.ts';
import type { Session } from './session.ts';

const allSourceFlags: readonly SourceFlag[] = ['--region', '--project', '--endpoint', '--store'];

/**
 * Connects the targets that the options pick or define. `sourceFlags`: the options of the command that replace the file. Sends
 * nothing. Throws ConfigError; also if they pick no target.
 */
export async function connectTargets(
  options: TargetOptions,
  session: Session,
  { sourceFlags = allSourceFlags } = {},
): Promise<Connection> {
  const { loadOptions, picks } = readTargetOptions(options, session, sourceFlags);
  return connectPicked(await loadConfig(loadOptions), picks, session);
}

export interface ValidTargets {
  /** What is valid. Null: it is not enough to connect anything. */
  connected: { connection: Connection; config: Config } | null;
  /** Every fault of the configuration and the options. */
  issues: readonly ConfigIssue[];
}

/** As `connectTargets`, but returns the faults beside what is valid. */
export async function connectValidTargets(
  options: TargetOptions,
  session: Session,
): Promise<ValidTargets> {
  let found: readonly ConfigIssue[] = [];
  try {
    const { loadOptions, picks } = readTargetOptions(options, session);
    const { config, issues } = await loadValidParts(loadOptions);
    found = issues;
    if (config === null) return { connected: null, issues };
    return { connected: { connection: connectPicked(config, picks, session), config }, issues };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // An account that has a fault cannot be picked: its fault explains that.
    return { connected: null, issues: found.length > 0 ? found : error.issues };
  }
}

/** `picks`: what selects targets of a configuration file. Throws ConfigError if an option is repeated. */
function readTargetOptions(
  options: TargetOptions,
  { runtime: { env, cwd } }: Session,
  sourceFlags = allSourceFlags,
) {
  const { region, project, endpoint, store } = options;
  const isByFlags = [region, project, endpoint, store].some((value) => value !== undefined);
  const flags = toConfigFlags(options, isByFlags);
  return {
    loadOptions: { file: options.config, env, cwd, flags, sourceFlags },
    picks: isByFlags ? {} : options,
  };
}

function connectPicked(config: Config, picks: PickOptions, { log, scrubber }: Session): Connection {
  return connect(config, { log, scrubber, isPicked: pickedBy(config, picks) });
}

/**
 * Connects a command that needs only the store, and the signing key if it `signs`. With --store it reads no configuration file,
 * and `targets` is one placeholder. `sourceFlags`: as for `connectTargets`. Variables that only the API needs may be missing. Throws ConfigError; also if a bucket lacks its key.
 */
export async function connectStore(
  options: StoreOptions & PickOptions,
  { runtime: { env, cwd }, log, scrubber }: Session,
  { signs = false, sourceFlags = ['--store'] as readonly SourceFlag[] } = {},
): Promise<Connection> {
  const { store, config: file, logLevel, obsEndpoint, obsRegion, pathStyle } = options;
  const { pins, publicKey, since } = options;
  const isByFlags = store !== undefined && file === undefined;
  // A target must have a region, but only the default endpoint of a bucket depends on it here.
  const region = options.region ?? (isByFlags ? 'cn-south-4' : undefined);
  const flags = {
    ...{ store, region, obsEndpoint, obsRegion, pathStyle, logLevel },
    ...{ pins, publicKey, since },
  };
  const config = await loadConfig({ needs: 'store', signs, sourceFlags, file, env, cwd, flags });
  return connect(config, {
    log,
    scrubber,
    isPicked: pickedBy(config, isByFlags ? {} : options),
  });
}

/** The folder of a `file:` store if it does not exist; null: it exists, or the store is a bucket. */
async function findMissingFolder(url: string): Promise<string | null> {
  if (!url.startsWith('file:')) return null;
  const path = url.slice('file:'.length);
  return (await folderExists(path)) ? null : path;
}

/** A mistyped address must not look like an empty store. Throws ConfigError. */
export async function checkFolder({ url }: Store, setting: string): Promise<void> {
  const path = await findMissingFolder(url);
  if (path === null) return;
  const hint =
    'Check the address. The folder is created by the first `cgs-export export` to this store.';
  throw configFault(setting, `the folder ${path} does not exist`, hint);
}

/** Says it once: the next export finds the folder. */
export async function warnOfNewFolder({ store }: Connection, { log }: Session): Promise<void> {
  const path = await findMissingFolder(store.url);
  if (path === null) return;
  const { message, hint } = describeNewFolder(path);
  log('warn', message, { hint });
}

/** Shows the progress of `work`, which reports its events to the function that it is given. */
export function withProgress<T>(
  { quota, targets }: Connection,
  session: Session,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const pageLimit = Math.max(...targets.map(({ dataset }) => dataset.limit));
  const tracker = createTracker(quota, pageLimit);
  return session.showProgress(tracker.stateAt, () =>
    work((event) => tracker.observe(event, session.runtime.monotonicMs())),
  );
}

/**
 * With a configuration file, --account and --table select targets. Without one (`isByFlags`), they name the only target,
 * and this throws ConfigError if one of them is repeated.
 */
function toConfigFlags(options: TargetOptions, isByFlags: boolean): ConfigFlags {
  const { account = [], table = [], datasets, formats, ...others } = options;
  const split = (list?: string) => list?.split(',').map((item) => item.trim());
  const flags = { ...others, datasets: split(datasets), formats: split(formats) };
  if (!isByFlags) return flags;
  const repeated = Object.entries({ account, table }).filter(([, names]) => names.length > 1);
  if (repeated.length > 0) {
    throw new ConfigError(
      repeated.map(([name]) => ({
        path: `--${name}`,
        message: 'is given twice, but options can define only one target',
        hint: 'To export several targets, write them into a configuration file.',
      })),
    );
  }
  return { ...flags, account: account[0], table: table[0] };
}

/** Returns which targets the options pick. Throws ConfigError for a name that the configuration does not have, or if none is picked. */
function pickedBy({ accounts }: Config, { account = [], table = [] }: PickOptions) {
  const targets = accounts.flatMap((one) => one.targets);
  const unknown = [
    ...findUnknown('account', account, new Set(accounts.map(({ name }) => name))),
    ...findUnknown('table', table, new Set(targets.map((target) => target.table))),
  ];
  if (unknown.length > 0) throw new ConfigError(unknown);
  const isPicked = (target: Series) =>
    (account.length === 0 || account.includes(target.account)) &&
    (table.length === 0 || table.includes(target.table));
  if (targets.some(isPicked)) return isPicked;
  const pairs = [...new Set(targets.map((target) => `${target.account} ${target.table}`))];
  const hint = `Choose an account and one of its tables: ${pairs.join(', ')}.`;
  throw configFault('--table', 'no target has both this account and this table', hint);
}

function findUnknown(what: string, asked: readonly string[], names: ReadonlySet<string>) {
  const known = [...names];
  return asked
    .filter((name) => !names.has(name))
    .map((name) => {
      const near = suggest(name, known);
      const question = near === null ? '' : `; did you mean "${near}"?`;
      return {
        path: `--${what}`,
        message: `the configuration has no ${what} "${name}"${question}`,
        hint: `Choose one of: ${known.join(', ')}.`,
      };
    });
}
