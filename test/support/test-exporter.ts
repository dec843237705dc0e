// Responsible for an exporter for tests: collect() with a fake node list, a store in memory and a virtual clock.
// The fake list enforces the quota, may change between requests and counts the requests.

import { RateLimitedError } from '../../lib/core/errors.ts';
import { parseExact } from '../../lib/core/exact-json.ts';
import type { Dataset, FetchedPage, Host, Log, Source, Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { limitedBudget, unlimitedBudget } from '../../lib/quota/budget.ts';
import { wholeQuota } from '../../lib/quota/window.ts';
import { collect } from '../../lib/runs/collect.ts';
import type { CollectPorts, CollectResult, Target } from '../../lib/runs/invocation.ts';
import { openScheduleView } from '../../lib/runs/schedule-view.ts';
import { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import { createRandom } from './moving-list.ts';
import { createTestScratch } from './test-scratch.ts';
import { createClock, type VirtualClock } from './virtual-clock.ts';

export interface Endpoint {
  /** The current list. Tests may replace or change it. */
  ids: string[];
  /** Called before a request is answered (`index` from 0). May change `ids` or throw the error that ends the request. */
  beforeAnswer: (index: number, offset: number) => void;
  /** Monotonic arrival times. */
  arrivals: number[];
  offsets: number[];
  throttled: number;
  /** How long a response takes. */
  latencyMs: (index: number) => number;
}

export interface TestExporterOptions {
  ids?: string[];
  /** The record that the endpoint lists for an id. */
  recordOf?: (id: string) => Record<string, unknown>;
  quota?: { requests: number; windowSeconds: number };
  store?: Partial<MemoryStoreOptions>;
  scheduleMs?: number;
  limit?: number;
  clock?: VirtualClock;
  seed?: number;
}

export function createTestExporter(options: TestExporterOptions = {}) {
  const clock = options.clock ?? createClock();
  const quota = wholeQuota(options.quota?.requests ?? 5, options.quota?.windowSeconds ?? 60);
  const recordOf = options.recordOf ?? ((id: string) => ({ host_id: id, agent_status: 'online' }));
  const random = createRandom(options.seed ?? 1);
  const store = createMemoryStore({ nowMs: clock.nowMs, ...options.store });
  const scratch = createTestScratch();
  const dataset: Dataset = { ...containerNodes, limit: options.limit ?? 200 };
  const endpoint: Endpoint = {
    ids: options.ids ?? Array.from({ length: 1_000 }, (_, index) => `host-${index}`),
    beforeAnswer: () => {},
    arrivals: [],
    offsets: [],
    throttled: 0,
    latencyMs: () => 0,
  };
  const logs: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const log: Log = (level, message, fields = {}) => logs.push({ level, message, fields });

  /** Sends one request without retries. The tests of the real source cover retries. */
  const source: Source = {
    async fetchPage({ offset, limit }, gate) {
      if (!(await gate.admit())) return 'paused';
      const index = endpoint.arrivals.length;
      const atMonotonicMs = clock.monotonicMs();
      const windowStartMs = atMonotonicMs - quota.windowMs;
      const inWindow = endpoint.arrivals.filter((timeMs) => timeMs > windowStartMs).length;
      endpoint.arrivals.push(atMonotonicMs);
      endpoint.offsets.push(offset);
      const latencyMs = endpoint.latencyMs(index);
      if (latencyMs > 0) await clock.sleep(latencyMs);
      try {
        if (inWindow >= quota.requests) {
          endpoint.throttled += 1;
          throw new RateLimitedError('too many', 'wait', quota.windowMs);
        }
        endpoint.beforeAnswer(index, offset);
      } catch (error) {
        await gate.sent({ atMonotonicMs, error: error as RateLimitedError });
        throw error;
      }
      const page = endpoint.ids.slice(offset, offset + limit);
      const records = page.map((id) => recordOf(id));
      const body = JSON.stringify({ total_num: endpoint.ids.length, data_list: records });
      await gate.sent({ atMonotonicMs, error: null });
      return toFetchedPage(body, clock.nowMs());
    },
  };

  function createTarget(overrides: Partial<Target> = {}): Target {
    return {
      account: 'prod',
      table: 'container_nodes',
      region: 'cn-south-4',
      projectId: 'p1',
      findProjectId: async () => 'p1',
      projectQuestion: 'cn-south-4',
      user: '0123456789ab',
      dataset,
      scopeOf: (projectId) => ({
        account: 'prod',
        region: overrides.region ?? 'cn-south-4',
        projectId,
        api: 'hss',
        endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
        enterpriseProjectId: null,
        filters: {},
      }),
      openSource: () => source,
      ...overrides,
    };
  }

  let processes = 0;
  /** The ports of one process. Each process has its own identity and random numbers. */
  function createPorts(overrides: Partial<CollectPorts> = {}): CollectPorts {
    processes += 1;
    const identity = `process-${processes}`;
    const host: Host = { identity, name: identity, boot: null, isGone: () => false };
    const targets = overrides.targets ?? [createTarget()];
    const processRandom = createRandom(processes * 1_000 + Math.floor(random() * 1_000));
    return {
      store: store as Store,
      scratch,
      clock,
      host,
      log,
      random: processRandom,
      encoders: [parquetEncoder, ndjsonEncoder],
      changesEncoder: parquetEncoder,
      decoder: parquetDecoder,
      quota,
      requestTimeoutMs: 20_000,
      scheduleMs: options.scheduleMs ?? 24 * 3_600_000,
      keepPagesMs: 7 * 24 * 3_600_000,
      writer: 'cgs-export/test',
      signing: null,
      targets,
      budget: unlimitedBudget(new AbortController().signal),
      progress: () => {},
      viewSchedule: openScheduleView(overrides.store ?? store, targets),
      checkDistinct: () => {},
      ...overrides,
    };
  }

  return {
    clock,
    quota,
    store,
    scratch,
    endpoint,
    source,
    logs,
    dataset,
    createTarget,
    createPorts,
    /** What `export` does, in a new process. */
    exportNow(overrides: Partial<CollectPorts> = {}): Promise<CollectResult> {
      return clock.run(collect('command', createPorts(overrides)));
    },
    /** One timer invocation with `timeLeftMs`, in a new process. */
    tick(overrides: Partial<CollectPorts> = {}, timeLeftMs = 900_000): Promise<CollectResult> {
      const endMs = clock.monotonicMs() + timeLeftMs;
      const budget = limitedBudget({
        windowMs: quota.windowMs,
        timeLeftMs: () => endMs - clock.monotonicMs(),
        signal: new AbortController().signal,
      });
      return clock.run(collect('timer', createPorts({ budget, ...overrides })));
    },
  };
}

/** What a source returns for this body. */
export function toFetchedPage(body: string, fetchedAtMs: number): FetchedPage {
  const page = containerNodes.parsePage(parseExact(body));
  if (typeof page === 'string') throw new Error(page);
  return { body, page, fetchedAtMs };
}

export type TestExporter = ReturnType<typeof createTestExporter>;
