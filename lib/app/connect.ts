// Responsible for connecting the parts: from a configuration to a store, targets and the ports of an invocation.
// Not responsible for any decision: the parts make them.

import { AsyncLocalStorage } from 'node:async_hooks';
import { tmpdir } from 'node:os';
import { type Reached, reachHost } from '../api/reach.ts';
import { requestTimeoutMs } from '../api/send.ts';
import { createFetch } from '../api/transport.ts';
import { checkDistinctTargets, secretsOf } from '../config/load.ts';
import type { Config, Series, StoreConfig, VerifyConfig } from '../config/model.ts';
import type { ConfigIssue } from '../core/errors.ts';
import type { Decoder, Encoder, Host, Log, Scrubber, Store } from '../core/ports.ts';
import { VERSION } from '../core/version.ts';
import { datasets } from '../datasets/index.ts';
import { ndjsonEncoder } from '../formats/ndjson.ts';
import { ndjsonDecoder } from '../formats/ndjson-rows.ts';
import { parquetEncoder } from '../formats/parquet.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import { systemClock } from '../platform/clock.ts';
import { openConnections } from '../platform/connections.ts';
import { describeHost } from '../platform/host.ts';
import { spendMemory } from '../platform/memory.ts';
import { openScratch, type ProcessScratch } from '../platform/scratch.ts';
import { type Budget, limitedBudget, unlimitedBudget } from '../quota/budget.ts';
import { type Quota, wholeQuota } from '../quota/window.ts';
import { collect } from '../runs/collect.ts';
import type { CollectResult, ListLimit, ResolvedTask } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';
import type { Progress } from '../runs/progress-event.ts';
import { type PruneOptions, type PrunePorts, type PruneResult, prune } from '../runs/prune.ts';
import { openScheduleView } from '../runs/schedule-view.ts';
import { openFileStore } from '../store/file.ts';
import { openObsStore } from '../store/obs.ts';
import type { RowCheck } from '../verification/stated-rows.ts';
import { type Alerting, openAlerting } from './alerting.ts';
import { type AgencyKey, createStoreKeys } from './credentials.ts';
import type { PinPlace } from './pin-file.ts';
import { describeNoFiles, entriesWithoutFilesMax } from './scratch-check.ts';
import { openSigningKey } from './signing-check.ts';
import { createTarget, type ServiceClient, type ServiceTarget } from './target.ts';

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
  /** Absent: every target. */
  isPicked?: (target: Series) => boolean;
}

export interface CollectOptions {
  signal: AbortSignal;
  progress: Progress;
  /** Present if waiting is billed: the invocation must end within this time, and waits little for the quota. */
  timeLeftMs?: () => number;
  /** Of the function; not defined: not known. */
  memoryMb?: number | undefined;
}

export interface Connection {
  store: Store;
  /** Where the store is. It can have the keys of a bucket. */
  place: StoreConfig;
  host: Host;
  scratch: ProcessScratch;
  /** For the verification of rows. */
  rowCheck: RowCheck;
  quota: Quota;
  scheduleMs: number;
  targets: readonly ServiceTarget[];
  /** Asks a host of the service for its time, with one request without a key. Throws why it cannot be reached. */
  reach(address: string, settings: string, signal: AbortSignal): Promise<Reached>;
  /** Settings of the command `verify`. */
  verify: VerifyConfig;
  /** Where the pins are, outside the store; null: there are none. */
  pins: PinPlace | null;
  /** What is probably a mistake in the configuration. It is logged already. */
  warnings: readonly ConfigIssue[];
  /** Runs `work` so that the stores end their tries within `timeLeftMs`. */
  limit<T>(timeLeftMs: () => number, work: () => Promise<T>): Promise<T>;
  /** Throws ConfigError, before the first request, if the signing key cannot be used. */
  collect(mode: CollectMode, options: CollectOptions): Promise<CollectResult>;
  /** Null: the configuration has no `alerts`. */
  testAlerts: Alerting['test'] | null;
  /** Null: the configuration has no `retention`, and nothing may be pruned. */
  prune:
    | ((
        options: PruneOptions & Pick<CollectOptions, 'signal' | 'progress'>,
      ) => Promise<PruneResult>)
    | null;
}

type ResolvedTarget = Pick<ResolvedTask, 'target' | 'projectId'>;

/** Sends nothing, and logs the configuration's warnings. From here on, `scrubber` knows every secret of the configuration. */
export function connect(config: Config, options: ConnectOptions): Connection {
  const { log, agencyKey, isPicked = () => true } = options;
  prepareLog(config, options);
  const budgets = openBudgets();
  const open = (place: StoreConfig) =>
    openStore(place, config, options, () => budgets.current().timeLeftMs());
  const store = open(config.store);
  const quota = wholeQuota(config.quota.requests, config.quota.windowSeconds);
  const client = createClient(config, quota, options, budgets.current);
  const targets = config.accounts.flatMap((account) => {
    const picked = account.targets.filter(isPicked);
    return picked.map((target) => createTarget(client, account, target, agencyKey));
  });
  const host = describeHost(Math.random);
  const scratch = openProcessScratch(host);
  const ports = {
    store,
    scratch,
    clock: systemClock,
    random: Math.random,
    host,
    log,
    quota,
    requestTimeoutMs,
    scheduleMs: config.scheduleMs,
    keepPagesMs: config.keepPagesMs,
    targets,
    ...describeFormats(config),
    writer: `cgs-export/${VERSION}`,
    viewSchedule: openScheduleView(store, targets),
    checkDistinct: openDistinctCheck(targets),
  };
  const alerting = openAlerts(config, { ...ports, client, agencyKey });
  return {
    ...{ store, place: config.store, host, scratch, quota, targets },
    rowCheck: { scratch, datasets, decoders: [parquetDecoder, ndjsonDecoder] },
    scheduleMs: config.scheduleMs,
    verify: config.verify,
    pins: openPins(config.verify, open),
    warnings: config.warnings,
    reach: (address, settings, signal) => reachHost({ ...client, settings, signal }, address),
    limit: (timeLeftMs, work) =>
      budgets.run(limitedBudget({ ...quota, timeLeftMs, signal: neverAborted() }), work),
    testAlerts: alerting?.test ?? null,
    async collect(mode, { signal, progress, timeLeftMs, memoryMb }) {
      const signing = openSigningKey(config.signing);
      const budget = timeLeftMs
        ? limitedBudget({ ...quota, timeLeftMs, signal })
        : unlimitedBudget(signal);
      return budgets.run(budget, async () => {
        const listLimit = await prepareScratch(scratch, log);
        const given = { signing, memoryMb, listLimit, budget, progress };
        const work = (viewSchedule: typeof ports.viewSchedule) =>
          collect(mode, { ...ports, viewSchedule, ...given });
        return alerting ? alerting.around(mode, budget, work) : work(ports.viewSchedule);
      });
    },
    prune: openPrune(config, ports),
  };
}

/** Null: the configuration has no `alerts`. */
function openAlerts(
  { alerts, accounts }: Config,
  ports: Omit<Parameters<typeof openAlerting>[2], 'account'>,
): Alerting | null {
  return alerts && openAlerting(alerts, accounts, { ...ports, account: accounts[0] });
}

/** Null: the configuration has no `retention`. */
function openPrune(
  { retention, signing }: Config,
  ports: Omit<PrunePorts, 'retention' | 'signingKey' | 'budget' | 'progress'>,
): Connection['prune'] {
  if (!retention) return null;
  return async ({ signal, progress, ...options }) => {
    const budget = unlimitedBudget(signal);
    const signingKey = openSigningKey(signing);
    return prune({ ...ports, retention, signingKey, budget, progress }, options);
  };
}

/** The store and the sign-in outlive an invocation, and invocations can overlap: each reads its own budget here. */
function openBudgets() {
  const budgets = new AsyncLocalStorage<Budget>();
  const outside = unlimitedBudget(neverAborted());
  return {
    current: () => budgets.getStore() ?? outside,
    run: <T>(budget: Budget, work: () => T): T => budgets.run(budget, work),
  };
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** Hides the secrets first: a warning is the first line that could contain one. */
function prepareLog(config: Config, { log, scrubber }: ConnectOptions): void {
  for (const secret of secretsOf(config)) scrubber.add(secret);
  for (const { path, message, hint } of config.warnings) {
    log('warn', `${path}: ${message}`, { hint });
  }
}

/** The changes of a snapshot are always Parquet, and so are the rows that it is compared with. */
function describeFormats({ formats }: Config) {
  return {
    encoders: formats.map((format) => encoders[format]),
    changesEncoder: parquetEncoder,
    decoder: baseDecoder,
  };
}

/** Of the snapshot that a new one is compared with. */
const baseDecoder: Decoder = {
  ...parquetDecoder,
  open(...source) {
    spendMemory();
    return parquetDecoder.open(...source);
  },
};

/** The folder of the pins is not only for cgs-export. */
function openPins({ pins }: VerifyConfig, open: (place: StoreConfig) => Store): PinPlace | null {
  if (!pins) return null;
  const { store } = pins;
  const opened =
    store.kind === 'file'
      ? openFileStore({ ...store, isShared: true, clock: systemClock })
      : open(store);
  return { ...pins, store: opened };
}

/** Before the first request, because the pages of a long list take hours. */
async function prepareScratch(scratch: ProcessScratch, log: Log): Promise<ListLimit | undefined> {
  await scratch.removeLeft();
  const fault = await scratch.findFault();
  if (!fault) return undefined;
  const { code, hint } = fault;
  log('warn', describeNoFiles(fault), { code, hint });
  return { entriesMax: entriesWithoutFilesMax, fault };
}

/** Returns a function that throws ConfigError if two targets turn out to be the same list. */
function openDistinctCheck(targets: readonly ServiceTarget[]) {
  /** Where each target is in the configuration. */
  const paths = new Map<unknown, string>(targets.map((one) => [one, one.config.path]));
  return (tasks: readonly ResolvedTarget[]) => {
    // Projects that are configured were compared when the configuration was loaded.
    if (tasks.every(({ target, projectId }) => target.projectId === projectId)) return;
    const series = tasks.map(({ target, projectId }) => {
      return { ...target, projectId, path: paths.get(target) ?? '' };
    });
    checkDistinctTargets(series);
  };
}

/** One listener for all connections of this process: Node warns of more than ten. */
const exitActs = new Set<() => void>();

function openProcessScratch(host: Host): ProcessScratch {
  const onExit = (act: () => void) => {
    if (exitActs.size === 0) process.once('exit', () => exitActs.forEach((one) => void one()));
    exitActs.add(act);
  };
  return openScratch({ parent: tmpdir(), host, clock: systemClock, onExit });
}

function createClient(
  { proxy }: Config,
  { requests, windowMs }: Quota,
  { log, scrubber }: ConnectOptions,
  currentBudget: () => Budget,
): ServiceClient {
  return {
    fetch: createFetch(openConnections(proxy)),
    clock: systemClock,
    scrubber,
    log,
    // A quota of many requests per second does not need a whole second before the first retry.
    backoffMs: Math.min(backoffMsMax, windowMs / requests),
    windowMs,
    quotaRequests: requests,
    mayWait: (delayMs) => currentBudget().takeWait(delayMs),
    timeLeftMs: () => currentBudget().timeLeftMs(),
  };
}

function openStore(
  store: StoreConfig,
  { proxy }: Config,
  { log, scrubber, agencyKey }: ConnectOptions,
  timeLeftMs: () => number,
): Store {
  if (store.kind === 'file') return openFileStore({ ...store, clock: systemClock });
  return openObsStore({
    ...store,
    credentials: createStoreKeys(store.credentials, scrubber, agencyKey),
    openAgent: openConnections(proxy),
    clock: systemClock,
    random: Math.random,
    scrub: scrubber.scrub,
    log,
    timeLeftMs,
  });
}
