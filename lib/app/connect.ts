// Responsible for connecting the parts: from a configuration to a store, targets and the ports of an invocation.
// Not responsible for any decision: the parts make them.

import { createFetch } from '../api/proxy.ts';
import { requestTimeoutMs } from '../api/send.ts';
import { checkDistinctTargets, secretsOf } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import type { Encoder, Log, Scrubber, Store } from '../core/ports.ts';
import { VERSION } from '../core/version.ts';
import { ndjsonEncoder } from '../formats/ndjson.ts';
import { parquetEncoder } from '../formats/parquet.ts';
import { systemClock } from '../platform/clock.ts';
import { describeHost } from '../platform/host.ts';
import { limitedBudget, unlimitedBudget } from '../quota/budget.ts';
import { type Quota, wholeQuota } from '../quota/window.ts';
import { collect } from '../runs/collect.ts';
import type { CollectResult, Target } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';
import type { Progress } from '../runs/progress-event.ts';
import { openFileStore } from '../store/file.ts';
import { openObsStore } from '../store/obs.ts';
import { type AgencyKey, createStoreKeys } from './credentials.ts';
import { createTarget, type ServiceClient } from './target.ts';

const backoffMsMax = 1_000;
const encoders: Record<'parquet' | 'ndjson', Encoder> = {
  parquet: parquetEncoder,
  ndjson: ndjsonEncoder,
};

export interface ConnectOptions {
  log: Log;
  scrubber: Scrubber;
  /** Only in a function. */
  agencyKey?: AgencyKey;
  /** Only these accounts and tables. A list that is absent or empty picks all. */
  pick?: { accounts?: readonly string[]; tables?: readonly string[] };
}

export interface CollectOptions {
  signal: AbortSignal;
  progress: Progress;
  /** Present if waiting is billed: the invocation must end within this time, and waits little for the quota. */
  timeLeftMs?: () => number;
}

export interface Connection {
  store: Store;
  quota: Quota;
  scheduleMs: number;
  targets: readonly Target[];
  collect(mode: CollectMode, options: CollectOptions): Promise<CollectResult>;
}

/** Sends nothing. From here on, `scrubber` knows every secret of the configuration. */
export function connect(config: Config, options: ConnectOptions): Connection {
  const { log, scrubber, agencyKey } = options;
  for (const secret of secretsOf(config)) scrubber.add(secret);
  /** Of the current invocation. The store and the sign-in outlive an invocation, so they read it here. */
  let budget = unlimitedBudget(new AbortController().signal);
  const store = openStore(config, options, () => budget.timeLeftMs());
  const quota = wholeQuota(config.quota.requests, config.quota.windowSeconds);
  const client: ServiceClient = {
    fetch: createFetch({ proxyUrl: config.proxy.httpsProxy, noProxy: config.proxy.noProxy }),
    clock: systemClock,
    scrubber,
    log,
    // A quota of many requests per second does not need a whole second before the first retry.
    backoffMs: Math.min(backoffMsMax, quota.windowMs / quota.requests),
    windowMs: quota.windowMs,
    mayWait: (delayMs) => budget.takeWait(delayMs),
    timeLeftMs: () => budget.timeLeftMs(),
  };
  /** Each target with its path in the configuration. */
  const paths = new Map<Target, string>();
  for (const { account, target } of pickTargets(config, options.pick)) {
    paths.set(createTarget(client, account, target, agencyKey), target.path);
  }
  const targets = [...paths.keys()];
  const { scheduleMs } = config;
  const shared = { store, clock: systemClock, quota, log, random: Math.random };
  return {
    store,
    quota,
    scheduleMs,
    targets,
    collect(mode, { signal, progress, timeLeftMs }) {
      const { windowMs } = quota;
      budget = timeLeftMs
        ? limitedBudget({ windowMs, timeLeftMs, signal })
        : unlimitedBudget(signal);
      return collect(mode, {
        ...shared,
        ...runSettings(config),
        targets,
        budget,
        progress,
        checkDistinct: (works) =>
          checkDistinctTargets(
            works.map(({ target, projectId }) => ({
              ...target,
              projectId,
              path: paths.get(target) ?? '',
            })),
          ),
      });
    },
  };
}

/** What is the same for every invocation with this configuration. */
function runSettings(config: Config) {
  return {
    requestTimeoutMs,
    host: describeHost(Math.random),
    encoders: config.formats.map((format) => encoders[format]),
    scheduleMs: config.scheduleMs,
    keepPagesMs: config.keepPagesMs,
    writer: `cgs-export/${VERSION}`,
  };
}

function openStore(
  { store, proxy }: Config,
  { log, scrubber, agencyKey }: ConnectOptions,
  timeLeftMs: () => number,
): Store {
  if (store.kind === 'file') return openFileStore({ root: store.root, clock: systemClock });
  return openObsStore({
    ...store,
    credentials: createStoreKeys(store.credentials, scrubber, agencyKey),
    proxy: { url: proxy.httpsProxy, noProxy: proxy.noProxy },
    clock: systemClock,
    random: Math.random,
    scrub: scrubber.scrub,
    log,
    timeLeftMs,
  });
}

function pickTargets(
  { accounts }: Config,
  { accounts: names = [], tables = [] }: ConnectOptions['pick'] = {},
) {
  return accounts
    .flatMap((account) => account.targets.map((target) => ({ account, target })))
    .filter(
      ({ account, target }) =>
        (names.length === 0 || names.includes(account.name)) &&
        (tables.length === 0 || tables.includes(target.table)),
    );
}
