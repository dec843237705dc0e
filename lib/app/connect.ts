// Owns the wiring: from a configuration to a store, targets and ports. Refuses to decide anything that a port decides.

import { createTokenProvider, findProjectId } from '../api/iam.ts';
import { createSource } from '../api/pages.ts';
import { createFetch } from '../api/proxy.ts';
import { requestTimeoutMs } from '../api/send.ts';
import { type CredentialsProvider, fingerprintOf } from '../api/sign.ts';
import { checkDistinctTargets, secretsOf } from '../config/load.ts';
import type { Account, Config, StoreConfig, Target as TargetConfig } from '../config/model.ts';
import { ConfigError, ProtocolError, StoppedError } from '../core/errors.ts';
import type { Encoder, KeyCredentials, Log, Scrubber, Store } from '../core/ports.ts';
import { VERSION } from '../core/version.ts';
import { defaultDataset } from '../datasets/index.ts';
import { ndjsonEncoder } from '../formats/ndjson.ts';
import { parquetEncoder } from '../formats/parquet.ts';
import { systemClock } from '../platform/clock.ts';
import { describeHost } from '../platform/host.ts';
import { limitedBudget, unlimitedBudget } from '../quota/budget.ts';
import { openLedger } from '../quota/ledger.ts';
import { type Quota, wholeQuota } from '../quota/window.ts';
import { collect } from '../runs/collect.ts';
import type { CollectPorts, CollectResult, Target } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';
import type { Progress } from '../runs/progress-event.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import { openFileStore } from '../store/file.ts';
import { type ObsKeyProvider, openObsStore } from '../store/obs.ts';

const backoffMsMax = 1_000;
const encoders: Record<'parquet' | 'ndjson', Encoder> = {
  parquet: parquetEncoder,
  ndjson: ndjsonEncoder,
};

type ObsStoreConfig = Extract<StoreConfig, { kind: 'obs' }>;

export interface World {
  log: Log;
  scrubber: Scrubber;
  /** The agency's key, fresh at each call; only in a function. */
  agencyKey?: () => KeyCredentials;
  /** Only these accounts and tables; all if not given. */
  pick?: { accounts?: readonly string[]; tables?: readonly string[] };
}

export interface CollectOptions {
  signal: AbortSignal;
  progress: Progress;
  /** Given: an invocation that is billed while it waits, and must end within this. */
  timeLeftMs?: () => number;
}

export interface Connection {
  store: Store;
  quota: Quota;
  scheduleMs: number;
  targets: readonly Target[];
  collect(mode: CollectMode, options: CollectOptions): Promise<CollectResult>;
  status(): Promise<TargetStatus[]>;
  /** How many nodes the list has now, by one request within the quota, which it waits for. */
  probe(target: Target, options: { signal: AbortSignal; progress: Progress }): Promise<number>;
}

export function connect(config: Config, world: World): Connection {
  const { log, scrubber } = world;
  for (const secret of secretsOf(config)) scrubber.add(secret);
  const clock = systemClock;
  /** Of the invocation under way: signing in, and the store, outlive it. */
  let budget = unlimitedBudget(new AbortController().signal);
  const timeLeftMs = () => budget.timeLeftMs();
  const store = openStore(config, world, timeLeftMs);
  const quota = wholeQuota(config.quota.requests, config.quota.windowSeconds);
  const { scheduleMs } = config;
  const fetch = createFetch({ proxyUrl: config.proxy.httpsProxy, noProxy: config.proxy.noProxy });
  const mayWait = (delayMs: number) => budget.takeWait(delayMs);
  const wiring: Wiring = { ...world, clock, fetch, quota, mayWait, timeLeftMs };
  const paths = new Map<Target, string>();
  for (const account of config.accounts) {
    for (const target of account.targets) {
      if (!isPicked(world.pick, account, target)) continue;
      paths.set(createTarget(wiring, account, target), target.path);
    }
  }
  const targets = [...paths.keys()];
  const shared = { store, clock, quota, log, random: Math.random, requestTimeoutMs };
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
      const ports: CollectPorts = {
        ...shared,
        host: describeHost(Math.random),
        encoders: config.formats.map((format) => encoders[format]),
        scheduleMs,
        keepPagesMs: config.keepPagesMs,
        writer: `cgs-export/${VERSION}`,
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
      };
      return collect(mode, ports);
    },
    status: () => readStatus(store, scheduleMs, targets),
    async probe(target, { signal, progress }) {
      const ledger = openLedger({
        ...shared,
        heldFrom: 'answer',
        mayWait: () => true,
        async wait(delayMs, reason) {
          progress({ kind: 'wait', delayMs, reason });
          await clock.sleep(delayMs, signal);
        },
      });
      const source = target.openSource(
        target.projectId ?? (await target.findProjectId(unlimitedBudget(signal))),
      );
      try {
        const page = await source.fetchPage(
          { offset: 0, limit: 10 },
          {
            admit: () => ledger.admit(target.user, 1),
            sent: (outcome) => ledger.sent(target.user, outcome),
            mayWait: () => true,
            timeLeftMs: () => Number.POSITIVE_INFINITY,
            signal,
          },
        );
        if (page === 'paused') throw new StoppedError('STOPPED', 'Stopped.', 'Run it again.');
        return page.page.totalNum;
      } finally {
        await ledger.release();
      }
    },
  };
}

function openStore({ store, proxy }: Config, world: World, timeLeftMs: () => number): Store {
  if (store.kind === 'file') return openFileStore({ root: store.root, clock: systemClock });
  return openObsStore({
    ...store,
    credentials: createStoreKeys(store.credentials, world),
    proxy: { url: proxy.httpsProxy, noProxy: proxy.noProxy },
    clock: systemClock,
    random: Math.random,
    scrub: world.scrubber.scrub,
    log: world.log,
    timeLeftMs,
  });
}

/** Agency keys are read from the invocation at every try: the platform renews them before they end. */
function createStoreKeys(
  credentials: ObsStoreConfig['credentials'],
  { agencyKey, scrubber }: World,
): ObsKeyProvider {
  if (credentials.kind === 'agency') {
    return async () => {
      const key = readAgency(agencyKey);
      for (const secret of [key.ak, key.sk, key.securityToken]) scrubber.add(secret ?? '');
      return key;
    };
  }
  const { ak, sk, securityToken } = credentials;
  const key = { ak, sk, ...(securityToken ? { securityToken } : {}) };
  return async () => key;
}

function isPicked(pick: World['pick'], account: Account, target: TargetConfig): boolean {
  const accounts = pick?.accounts ?? [];
  const tables = pick?.tables ?? [];
  return (
    (accounts.length === 0 || accounts.includes(account.name)) &&
    (tables.length === 0 || tables.includes(target.table))
  );
}

interface Wiring extends World {
  clock: typeof systemClock;
  fetch: typeof fetch;
  quota: Quota;
  mayWait: (delayMs: number) => boolean;
  timeLeftMs: () => number;
}

function createTarget(wiring: Wiring, account: Account, config: TargetConfig): Target {
  const { clock, fetch, scrubber, log, quota } = wiring;
  const { region, projectId, endpoint, iamEndpoint, api, enterpriseProjectId, filters } = config;
  const dataset = defaultDataset;
  const { windowMs, requests } = quota;
  // With a quota of tens of requests a second nobody waits a second for the first retry.
  const backoffMs = Math.min(backoffMsMax, windowMs / requests);
  const credentials = createCredentials(wiring, account, config, backoffMs);
  const user = fingerprintOf(identityOf(account));
  return {
    account: account.name,
    table: config.table,
    region,
    projectId,
    projectQuestion: `${user} ${iamEndpoint} ${region}`,
    user,
    dataset,
    async findProjectId({ signal, takeWait: mayWait, timeLeftMs }) {
      const client = { fetch, clock, scrubber, backoffMs, signal, mayWait, timeLeftMs };
      const options = { iamEndpoint, region, credentials, ...client };
      const found = await findProjectId(options).catch((error: unknown) => {
        if (!(error instanceof ConfigError)) throw error;
        const prefix = config.path === '' ? '' : `${config.path}.`;
        throw new ConfigError(
          error.issues.map((issue) => ({ ...issue, path: `${prefix}${issue.path}` })),
        );
      });
      if (/^[\w-]{1,64}$/.test(found)) return found;
      throw new ProtocolError(
        'NO_PROJECT_ID',
        'IAM named a project by something that is no project id.',
        'Check iamEndpoint, or set projectId.',
      );
    },
    scopeOf: (project) => ({
      account: account.name,
      region,
      projectId: project,
      endpoint,
      enterpriseProjectId,
      filters: definedOnly(filters),
    }),
    openSource: (project) =>
      createSource({
        dataset,
        scope: { api, enterpriseProjectId, filters },
        endpoint,
        region,
        projectId: project,
        credentials,
        fetch,
        clock,
        scrubber,
        log,
        backoffMs,
        windowMs,
      }),
  };
}

/** What the quota and the holds are kept by: the key, or whom an agency or a sign-in stands for. Hashed by the caller. */
function identityOf({ name, credentials }: Account): string {
  if (credentials.kind === 'key') return credentials.ak;
  if (credentials.kind === 'agency') return `agency of ${name}`;
  return `${credentials.iamDomain}/${credentials.iamUser}`;
}

function createCredentials(
  { agencyKey, clock, fetch, scrubber, mayWait, timeLeftMs }: Wiring,
  { credentials }: Account,
  { region, projectId, iamEndpoint }: TargetConfig,
  backoffMs: number,
): CredentialsProvider {
  if (credentials.kind === 'key') {
    const { ak, sk, securityToken } = credentials;
    const key = { kind: 'aksk' as const, ak, sk, ...(securityToken ? { securityToken } : {}) };
    return async () => key;
  }
  if (credentials.kind === 'agency') {
    return async () => readAgency(agencyKey);
  }
  const { iamUser: user, iamPassword: password, iamDomain: domain } = credentials;
  const client = { fetch, clock, scrubber, backoffMs, mayWait, timeLeftMs };
  const options = { ...client, iamEndpoint, region, projectId };
  const provider = createTokenProvider({ ...options, user, password, domain });
  return async () => provider;
}

function readAgency(agencyKey: World['agencyKey']): KeyCredentials {
  if (agencyKey) return agencyKey();
  throw new ConfigError([
    {
      path: 'accounts',
      message: 'credentials are `agency`, which only a function has',
      hint: 'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or write credentials.',
    },
  ]);
}

function definedOnly(filters: object): Record<string, string> {
  const entries = Object.entries(filters as Record<string, string | undefined>);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
