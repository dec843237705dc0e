// Owns a world for the core under a clock that only moves when everybody waits: an endpoint that holds the quota and a list
// that may move, and the ports that collect() needs. Refuses to be a mock: what it serves is a list, and it counts.

import { RateLimitedError } from '../../lib/core/errors.ts';
import type { Clock, Dataset, Host, Log, Source, Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { limitedBudget, unlimitedBudget } from '../../lib/quota/budget.ts';
import { wholeQuota } from '../../lib/quota/window.ts';
import { collect } from '../../lib/runs/collect.ts';
import type { CollectPorts, CollectResult, Target } from '../../lib/runs/invocation.ts';
import { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import { createRandom } from './moving-list.ts';

export interface VirtualClock extends Clock {
  /** Moves the wall clock alone, as an operator or NTP does. */
  step(deltaMs: number): void;
  /** Runs `work` to its end, moving time on to the next sleeper whenever nobody has anything else to do. */
  run<T>(work: Promise<T>): Promise<T>;
  advance(deltaMs: number): void;
}

/** `turnsPerStep`: turns of the event loop in which nobody may have anything to do before time moves on. */
export function createClock(
  startMs = Date.UTC(2026, 10, 24, 6, 0, 0),
  turnsPerStep = 3,
): VirtualClock {
  let monotonicMs = 1_000;
  let offsetMs = startMs - monotonicMs;
  const sleepers: { atMs: number; wake: () => void }[] = [];
  return {
    nowMs: () => monotonicMs + offsetMs,
    monotonicMs: () => monotonicMs,
    step(deltaMs) {
      offsetMs += deltaMs;
    },
    advance(deltaMs) {
      monotonicMs += deltaMs;
    },
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          sleepers.splice(sleepers.indexOf(sleeper), 1);
          reject(signal?.reason);
        };
        const wake = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const sleeper = { atMs: monotonicMs + delayMs, wake };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    async run(work) {
      let over = false;
      const settled = work.finally(() => {
        over = true;
      });
      settled.catch(() => {});
      for (let idle = 0; !over; ) {
        await new Promise((resolve) => setImmediate(resolve));
        // zlib works on threads: give it some turns before time moves on without it.
        idle += 1;
        if (over || idle < turnsPerStep || sleepers.length === 0) continue;
        idle = 0;
        sleepers.sort((a, b) => a.atMs - b.atMs);
        const next = sleepers.shift();
        if (!next) continue;
        monotonicMs = Math.max(monotonicMs, next.atMs);
        next.wake();
      }
      return settled;
    },
  };
}

export interface Endpoint {
  /** The list as it is now; replace or change it at will. */
  ids: string[];
  /** Called before the n-th request (from 0) is answered; may change `ids`, or throw what the request ends in. */
  beforeAnswer: (index: number, offset: number) => void;
  /** Monotonic arrival times. */
  arrivals: number[];
  offsets: number[];
  throttled: number;
  /** Milliseconds an answer takes. */
  latencyMs: (index: number) => number;
}

export interface WorldOptions {
  ids?: string[];
  /** What the endpoint lists for an id. */
  recordOf?: (id: string) => Record<string, unknown>;
  quota?: { requests: number; windowSeconds: number };
  store?: Partial<MemoryStoreOptions>;
  scheduleMs?: number;
  limit?: number;
  clock?: VirtualClock;
  seed?: number;
}

export function createWorld(options: WorldOptions = {}) {
  const clock = options.clock ?? createClock();
  const quota = wholeQuota(options.quota?.requests ?? 5, options.quota?.windowSeconds ?? 60);
  const recordOf = options.recordOf ?? ((id: string) => ({ host_id: id, agent_status: 'online' }));
  const random = createRandom(options.seed ?? 1);
  const store = createMemoryStore({ nowMs: clock.nowMs, ...options.store });
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

  /** Asks once: what retries add is the source's own business and tested there. */
  const source: Source = {
    async fetchPage({ offset, limit }, attempts) {
      if (!(await attempts.admit())) return 'paused';
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
        await attempts.sent({ atMonotonicMs, error: error as RateLimitedError });
        throw error;
      }
      const page = endpoint.ids.slice(offset, offset + limit);
      const records = page.map((id) => recordOf(id));
      const body = JSON.stringify({ total_num: endpoint.ids.length, data_list: records });
      await attempts.sent({ atMonotonicMs, error: null });
      return { body, fetchedAtMs: clock.nowMs() };
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
        region: 'cn-south-4',
        projectId,
        endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
        enterpriseProjectId: null,
        filters: {},
      }),
      openSource: () => source,
      ...overrides,
    };
  }

  let processes = 0;
  /** One process's ports: each has an identity and a random of its own. */
  function createPorts(overrides: Partial<CollectPorts> = {}): CollectPorts {
    processes += 1;
    const identity = `process-${processes}`;
    const host: Host = { identity, isGone: () => false };
    const own = createRandom(processes * 1_000 + Math.floor(random() * 1_000));
    return {
      store: store as Store,
      clock,
      host,
      log,
      random: own,
      encoders: [ndjsonEncoder],
      quota,
      requestTimeoutMs: 20_000,
      scheduleMs: options.scheduleMs ?? 24 * 3_600_000,
      keepPagesMs: 7 * 24 * 3_600_000,
      writer: 'cgs-export/test',
      targets: [createTarget()],
      budget: unlimitedBudget(new AbortController().signal),
      progress: () => {},
      checkDistinct: () => {},
      ...overrides,
    };
  }

  return {
    clock,
    quota,
    store,
    endpoint,
    source,
    logs,
    dataset,
    createTarget,
    createPorts,
    /** `export`, in a process of its own. */
    exportNow(overrides: Partial<CollectPorts> = {}): Promise<CollectResult> {
      return clock.run(collect('command', createPorts(overrides)));
    },
    /** One timer invocation with `timeLeftMs`. */
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

export type World = ReturnType<typeof createWorld>;

/** The most arrivals in any window of this length that is open on one side. */
export function mostInWindow(arrivals: readonly number[], windowMs: number): number {
  const sorted = [...arrivals].sort((a, b) => a - b);
  let most = 0;
  let start = 0;
  for (const [index, timeMs] of sorted.entries()) {
    while ((sorted[start] as number) <= timeMs - windowMs) start += 1;
    most = Math.max(most, index - start + 1);
  }
  return most;
}
