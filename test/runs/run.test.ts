// Tests the order of side effects and the time limits of one run. advanceRun() starts from a stored checkpoint, with a source that
// answers from a list; every store call and lease renewal is recorded. Rules of whole invocations: collect.test.ts.

import { describe, expect, test } from 'vitest';
import {
  RateLimitedError,
  ScratchError,
  StoppedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import { checkpointKey, runPrefix, sealRecordKey } from '../../lib/core/object-keys.ts';
import type { RequestGate, Source } from '../../lib/core/ports.ts';
import { limitedBudget, unlimitedBudget } from '../../lib/quota/budget.ts';
import type { Ledger } from '../../lib/quota/ledger.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { policies } from '../../lib/runs/policy.ts';
import { advanceRun } from '../../lib/runs/run.ts';
import type { RunPorts } from '../../lib/runs/run-state.ts';
import { nodeText, someTarget, storeRun } from '../support/stored-run.ts';
import { createTestExporter, toFetchedPage } from '../support/test-exporter.ts';

const snapshot = '20261124T060000Z';

/** A ledger that admits every request and counts them. */
function createLedger() {
  const wants: number[] = [];
  let released = 0;
  const ledger: Ledger = {
    async admit(_user, want) {
      wants.push(want);
      return true;
    },
    async sent() {},
    async release() {
      released += 1;
    },
  };
  return { ledger, wants, released: () => released };
}

function createRun(size: number) {
  const events: string[] = [];
  const world = createTestExporter({
    ids: Array.from({ length: size }, (_, index) => `n${index}`),
    store: {
      onCall: ({ op, key, phase }) => {
        if (phase === 'before' && op !== 'get') {
          const name = key.replace(/.*\/(?=[^/]+\/[^/]*$)/, '').replace(/-?[0-9a-f]{12,}/g, '');
          events.push(`${op} ${name}`);
        }
      },
    },
  });
  const { clock, store, dataset } = world;
  const { scopeOf } = world.createTarget();
  const start = startCheckpoint({
    target: someTarget,
    dataset: dataset.name,
    schemaVersion: dataset.schemaVersion,
    snapshot,
    scope: scopeOf('p1'),
    startedAtMs: clock.nowMs(),
  });
  const prefix = runPrefix(someTarget, snapshot, start.run);
  const counted = createLedger();
  const progressed: Parameters<RunPorts['progress']>[0][] = [];
  const source: Source = {
    async fetchPage({ offset, limit }, attempts) {
      if (!(await attempts.admit())) return 'paused';
      events.push(`request ${offset}`);
      const records = world.endpoint.ids.slice(offset, offset + limit).map((id) => nodeText(id));
      await attempts.sent({ atMonotonicMs: clock.monotonicMs(), error: null });
      const body = `{"total_num":${world.endpoint.ids.length},"data_list":[${records.join(',')}]}`;
      return toFetchedPage(body, clock.nowMs());
    },
  };
  function portsOf(overrides: Partial<RunPorts> = {}): RunPorts {
    const budget = overrides.budget ?? unlimitedBudget(new AbortController().signal);
    // Only a timer has a limited budget.
    const isTimer = Number.isFinite(budget.timeLeftMs());
    return {
      ...world.createPorts(),
      policy: isTimer ? policies.timer : policies.command,
      budget,
      dataset,
      source,
      ledger: counted.ledger,
      user: 'aaaaaaaaaaaa',
      renew: async () => {},
      progress: (event) => progressed.push(event),
      first: true,
      requested: () => {},
      remembered: null,
      ...overrides,
    };
  }
  const stored = (): Checkpoint => {
    const key = checkpointKey(prefix);
    return decodeCheckpoint(key, store.dump().get(key)?.bytes ?? new Uint8Array());
  };
  const advance = (checkpoint: Checkpoint, overrides: Partial<RunPorts> = {}) =>
    clock.run(advanceRun(portsOf(overrides), someTarget, checkpoint));
  return { ...world, ...counted, start, prefix, events, progressed, source, stored, advance };
}

function limited(timeLeftMs: () => number, signal = new AbortController().signal) {
  return limitedBudget({ windowMs: 60_000, timeLeftMs, signal });
}

test('stores each page and the progress of the run in one write, before the next request', async () => {
  const { advance, start, events } = createRun(350);
  await advance(start);
  expect(events.slice(0, 6)).toEqual([
    'request 0',
    expect.stringMatching(/^put .*checkpoint.json$/),
    'request 197',
    expect.stringMatching(/^put .*checkpoint.json$/),
    // The verdict, then the attempt to seal, which is counted before it starts.
    expect.stringMatching(/^put .*checkpoint.json$/),
    expect.stringMatching(/^put .*checkpoint.json$/),
  ]);
});

test('stores ten pages together as one object, with the tenth page and before its checkpoint', async () => {
  const { advance, start, events } = createRun(2_189);
  await advance(start);
  const writes = events.map((event) => event.replace(/.*\/|-$/g, ''));
  const requests = writes.map((event, index) => (event.startsWith('request') ? index : -1));
  const tenth = requests.filter((index) => index >= 0)[9] ?? 0;
  expect(writes.slice(tenth, tenth + 4)).toEqual([
    'request 1791',
    expect.stringMatching(/^000000/),
    'checkpoint.json',
    'request 1990',
  ]);
  expect(events.filter((event) => event.includes('pages/'))).toHaveLength(1);
});

test('renews the lease before every side effect, and does nothing after the lease is lost', async () => {
  const undisturbed = createRun(350);
  let renewals = 0;
  await undisturbed.advance(undisturbed.start, {
    renew: async () => {
      renewals += 1;
    },
  });
  expect(renewals).toBeGreaterThan(10);
  for (let allowed = 0; allowed < renewals; allowed += 1) {
    const { advance, start, events } = createRun(350);
    let left = allowed;
    let eventsWhenLost = -1;
    const renew = async () => {
      if (left-- > 0) return;
      eventsWhenLost = events.length;
      throw new StoppedError('LEASE_LOST', 'lost', 'wait');
    };
    await expect(advance(start, { renew })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(events.length, `renewal ${allowed}`).toBe(eventsWhenLost);
  }
});

test('renews the lease between any two side effects, except the two pointers', async () => {
  const { advance, start, events } = createRun(350);
  await advance(start, {
    renew: async () => {
      events.push('renew');
    },
  });
  const effects = events.filter((event) => !event.startsWith('list '));
  const unguarded = effects.filter(
    (event, index) => event !== 'renew' && index > 0 && effects[index - 1] !== 'renew',
  );
  expect(effects[0]).toBe('renew');
  expect(unguarded).toEqual([expect.stringMatching(/^put .*prj=p1.json$/)]);
});

test('passes the number of remaining requests to the ledger, and releases unused slots after the last page', async () => {
  const { advance, start, wants, released } = createRun(1_000);
  await advance(start);
  expect(wants).toEqual([1, 5, 4, 3, 2, 1]);
  expect(released()).toBeGreaterThanOrEqual(1);
});

test('reports progress page by page, then the seal', async () => {
  const { advance, start, progressed } = createRun(400);
  await advance(start);
  expect(
    progressed.map((event) => ('rows' in event ? [event.kind, event.rows] : event.kind)),
  ).toEqual([['page', 200], ['page', 397], ['page', 400], 'seal', ['sealed', 400]]);
});

test('reports that it waits for another run to seal', async () => {
  const { store, advance, start, progressed } = createRun(400);
  const other = { snapshot: '20261124T000000Z', run: '0123456789ab' };
  await store.put(checkpointKey(runPrefix(someTarget, other.snapshot, other.run)), Buffer.from(''));
  await store.put(sealRecordKey(someTarget, other.snapshot, other.run), Buffer.from(''));
  await advance(start);
  expect(progressed).toContainEqual({ kind: 'wait', delayMs: 600_000, reason: 'seal' });
  expect(progressed.at(-1)).toMatchObject({ kind: 'sealed' });
});

describe('time', () => {
  test('starts no request with less than 2 s left', async () => {
    const { advance, start, events } = createRun(10);
    expect(await advance(start, { budget: limited(() => 1_999) })).toEqual({ kind: 'paused' });
    expect(events).toEqual([]);
    // With 2 s left the page is read. Sealing is left to an invocation that starts with it.
    expect(await advance(start, { budget: limited(() => 2_000) })).toEqual({ kind: 'paused' });
    expect(events[0]).toBe('request 0');
    expect(events).toHaveLength(2);
  });

  test('reserves time for storing a page, and does not give it to the request', async () => {
    const { advance, start } = createRun(10);
    let given = 0;
    const source: Source = {
      async fetchPage(_request: unknown, attempts: RequestGate) {
        given = attempts.timeLeftMs();
        return 'paused';
      },
    };
    await advance(start, { budget: limited(() => 5_000), source });
    expect(given).toBe(3_500);
  });

  test('leaves sealing to an invocation with enough time, but tries it as the first work of any', async () => {
    const { store, advance } = createRun(0);
    const run = await storeRun(store, { snapshot, pages: [{ records: [nodeText('a')] }] });
    // 2 s, and 0.5 ms for each record that the page can have.
    const leastMs = 2_100;
    const late = limited(() => leastMs - 1);
    const logged: string[] = [];
    const log = (_level: string, message: string) => void logged.push(message);
    const paused = await advance(run.checkpoint, { budget: late, first: false, log });
    expect(paused).toEqual({ kind: 'paused' });
    expect(logged.join()).toContain('needs up to 3 s, but 2 s are left');
    expect(store.dump().has(sealRecordKey(someTarget, snapshot, run.checkpoint.run))).toBe(false);
    const enough = limited(() => leastMs);
    expect((await advance(run.checkpoint, { budget: enough, first: false })).kind).toBe('sealed');
    const other = await storeRun(store, {
      snapshot: '20261124T060001Z',
      pages: [{ records: [nodeText('a')] }],
    });
    expect((await advance(other.checkpoint, { budget: late, first: true })).kind).toBe('sealed');
  });

  test('a timer fails after three interrupted attempts to seal, a command tries again', async () => {
    const { store, advance } = createRun(0);
    const run = await storeRun(store, { snapshot, pages: [{ records: [nodeText('a')] }] });
    let checkpoint = run.checkpoint;
    const key = checkpointKey(run.prefix);
    const renew = async () => {
      // Killed right after the attempt is counted.
      const bytes = store.dump().get(key)?.bytes ?? new Uint8Array();
      if (decodeCheckpoint(key, bytes).sealAttempts > checkpoint.sealAttempts) {
        throw new StoppedError('LEASE_LOST', 'killed', 'again');
      }
    };
    const budget = limited(() => 900_000);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await expect(advance(checkpoint, { budget, renew })).rejects.toThrow('killed');
      checkpoint = decodeCheckpoint(key, store.dump().get(key)?.bytes ?? new Uint8Array());
      expect(checkpoint.sealAttempts).toBe(attempt);
    }
    await expect(advance(checkpoint, { budget })).rejects.toMatchObject({
      code: 'SEAL_KILLED',
      hint: expect.stringContaining('memory'),
    });
    // The count restarts: the cause may have passed by the next attempt.
    const saved = decodeCheckpoint(key, store.dump().get(key)?.bytes ?? new Uint8Array());
    expect(saved.sealAttempts).toBe(0);
    const unbounded = unlimitedBudget(new AbortController().signal);
    expect((await advance(checkpoint, { budget: unbounded })).kind).toBe('sealed');
  });

  test('stops a seal that is clearly too slow: the first work of an invocation fails, later work pauses', async () => {
    const { store, clock, advance } = createRun(0);
    const pages = Array.from({ length: 100 }, (_, page) => ({
      records: Array.from({ length: 300 }, (_, place) => nodeText(`n${page}-${place}`)),
    }));
    const { checkpoint, prefix } = await storeRun(store, { snapshot, pages });
    const key = checkpointKey(prefix);
    const read = () => decodeCheckpoint(key, store.dump().get(key)?.bytes ?? new Uint8Array());
    // 300 records a second.
    const renew = async () => clock.advance(1_000);
    const timeout = (durationMs: number) => {
      const endMs = clock.monotonicMs() + durationMs;
      return limited(() => endMs - clock.monotonicMs());
    };
    const logged: string[] = [];
    const log = (_level: string, message: string) => void logged.push(message);
    const later = { budget: timeout(100_000), renew, first: false, log };
    expect(await advance(checkpoint, later)).toEqual({ kind: 'paused' });
    expect(logged.join()).toMatch(/left to the next invocation.*Measured: \d+ records read/);
    const stopped = read();
    expect(stopped).toMatchObject({ phase: 'sealing', sealAttempts: 0 });
    expect(stopped.sealPace?.msPerRecord).toBeGreaterThan(2);
    // Judged before it starts, and once: then it is measured again.
    const failed = advance(stopped, { budget: timeout(100_000), renew });
    await expect(failed).rejects.toMatchObject({ code: 'SEAL_TOO_SLOW' });
    expect(read().sealPace).toBeNull();
    const measured = advance(read(), { budget: timeout(100_000), renew });
    await expect(measured).rejects.toMatchObject({ code: 'SEAL_TOO_SLOW' });
    expect(read().sealPace).not.toBeNull();
    // A command has all the time.
    expect((await advance(read())).kind).toBe('sealed');
  });

  test('does not count an attempt to seal that ended with a store error', async () => {
    const { store, advance } = createRun(0);
    const run = await storeRun(store, { snapshot, pages: [{ records: [nodeText('a')] }] });
    const key = checkpointKey(run.prefix);
    const failing = {
      ...store,
      put: async (name: string, bytes: Uint8Array) => {
        if (!name.startsWith('_')) throw new StoreError('STORE_FAILED', 'down', 'again');
        await store.put(name, bytes);
      },
    };
    const budget = limited(() => 900_000);
    let { checkpoint } = run;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(advance(checkpoint, { budget, store: failing })).rejects.toThrow('down');
      checkpoint = decodeCheckpoint(key, store.dump().get(key)?.bytes ?? new Uint8Array());
    }
    expect((await advance(checkpoint, { budget })).kind).toBe('sealed');
  });
});

describe('evidence', () => {
  test('counts a failed request, and the run stays where it was', async () => {
    const { advance, start, stored, source } = createRun(500);
    let asked = 0;
    const flaky: Source = {
      async fetchPage(request, attempts) {
        asked += 1;
        if (asked < 3) return source.fetchPage(request, attempts);
        for (const error of [
          new TransientError('UNAVAILABLE', '503', 'wait'),
          new RateLimitedError('429', 'wait', 1_000),
        ]) {
          await attempts.admit();
          await attempts.sent({ atMonotonicMs: 0, error });
        }
        throw new TransientError('UNAVAILABLE', '503', 'wait');
      },
    };
    let requests = 0;
    const requested = () => {
      requests += 1;
    };
    await expect(advance(start, { source: flaky, requested })).rejects.toThrow('503');
    expect(requests).toBe(4);
    expect(stored()).toMatchObject({
      phase: 'collecting',
      cursor: { offset: 394 },
      evidence: { pages: 2, requests: 4, retries: 2, throttled: 1, totalNumFirst: 500 },
    });
    const outcome = await advance(stored());
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    expect(outcome.sealed.manifest.evidence).toMatchObject({ pages: 3, requests: 5, retries: 2 });
  });

  test('counts a request before a pause', async () => {
    const { advance, start, stored } = createRun(500);
    const source: Source = {
      async fetchPage(_request, attempts) {
        await attempts.admit();
        await attempts.sent({ atMonotonicMs: 0, error: new TransientError('X', 'x', 'x') });
        return 'paused';
      },
    };
    expect(await advance(start, { source })).toEqual({ kind: 'paused' });
    expect(stored()).toMatchObject({ evidence: { pages: 0, requests: 1, retries: 1 } });
  });

  /** States `change` more nodes than there are. */
  function stating(change: number, { endpoint, clock }: ReturnType<typeof createRun>): Source {
    return {
      async fetchPage({ offset, limit }, gate) {
        await gate.admit();
        await gate.sent({ atMonotonicMs: 0, error: null });
        const records = endpoint.ids.slice(offset, offset + limit).map((id) => nodeText(id));
        const total = endpoint.ids.length + change;
        const body = `{"total_num":${total},"data_list":[${records.join(',')}]}`;
        return toFetchedPage(body, clock.nowMs());
      },
    };
  }

  test('holds how many nodes are missing against a total that is too large', async () => {
    const run = createRun(450);
    const outcome = await run.advance(run.start, { source: stating(3, run) });
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    expect(outcome.sealed.manifest).toMatchObject({
      rows: 450,
      verdict: 'drifted',
      evidence: { missing: 3, passes: 2, requests: 8, totalNumLast: 453 },
    });
  });

  test('a total that is too small does not end the run, and progress never exceeds its total', async () => {
    const run = createRun(1_000);
    const outcome = await run.advance(run.start, { source: stating(-601, run) });
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    expect(outcome.sealed.manifest).toMatchObject({ rows: 1_000, verdict: 'complete' });
    const pages = run.progressed.filter((event) => event.kind === 'page');
    expect(pages.map(({ rows, total }) => [rows, total])).toEqual([
      [200, 399],
      [399, 399],
      [598, 598],
      [797, 797],
      [996, 996],
      [1_000, 1_000],
      [1_000, 1_000],
    ]);
  });

  test('holds the totals of the first and the last page', async () => {
    const { advance, start, endpoint, source } = createRun(500);
    let asked = 0;
    const growing: Source = {
      async fetchPage(request, attempts) {
        asked += 1;
        if (asked === 3) endpoint.ids.push('new');
        return source.fetchPage(request, attempts);
      },
    };
    const outcome = await advance(start, { source: growing });
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    expect(outcome.sealed.manifest).toMatchObject({
      rows: 501,
      evidence: { totalNumFirst: 500, totalNumLast: 501, passes: 1 },
    });
  });
});

describe('a host without temporary files', () => {
  const message = 'cannot use /none for temporary files: ENOENT';
  const fault = new ScratchError('TEMP_UNUSABLE', message, 'Create it.');

  test('does not read a list that is too long: after the page that shows it, and then without a request', async () => {
    const run = createRun(1_001);
    const listLimit = { entriesMax: 1_000, fault };
    for (const requests of [1, 1]) {
      const start = run.events.length === 0 ? run.start : run.stored();
      await expect(run.advance(start, { listLimit })).rejects.toMatchObject({
        ...{ name: 'ScratchError', code: 'TEMP_UNUSABLE', hint: 'Create it.' },
        message: `${message}. The list has 1,001 entries; without temporary files, at most 1,000 can be exported.`,
      });
      expect(run.events.filter((event) => event.startsWith('request'))).toHaveLength(requests);
    }
    // With temporary files, the run continues where it stopped.
    expect(await run.advance(run.stored())).toMatchObject({ kind: 'sealed' });
    expect(run.events.filter((event) => event === 'request 0')).toHaveLength(1);
  });

  test('exports a list that is not too long', async () => {
    const run = createRun(1_000);
    const listLimit = { entriesMax: 1_000, fault };
    expect(await run.advance(run.start, { listLimit })).toMatchObject({ kind: 'sealed' });
  });
});

describe('a run that another process continues', () => {
  test('learns the known rows from the stored pages, and reads them only if needed', async () => {
    const gets: string[] = [];
    const { advance, start, stored, endpoint, store, source } = createRun(4_400);
    let asked = 0;
    const until =
      (count: number): Source['fetchPage'] =>
      async (request, attempts) =>
        asked++ < count ? source.fetchPage(request, attempts) : 'paused';
    expect(await advance(start, { source: { fetchPage: until(21) } })).toEqual({ kind: 'paused' });
    const reading = {
      ...store,
      get(key: string) {
        if (key.includes('/pages/')) gets.push(key);
        return store.get(key);
      },
    };
    // The next page is aligned, so no stored page is read.
    asked = 0;
    await advance(stored(), { source: { fetchPage: until(1) }, store: reading });
    expect(gets).toEqual([]);
    // The anchor is gone, so the stored pages are needed to know which rows were read.
    endpoint.ids.splice(stored().cursor.offset, 1);
    const outcome = await advance(stored(), { store: reading });
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    // Twenty pages are stored in two objects, each fetched once. The others are in the checkpoint.
    expect(gets).toHaveLength(2);
    expect(new Set(gets).size).toBe(2);
    expect(outcome.sealed.manifest).toMatchObject({ rows: 4_400, verdict: 'complete' });
  });

  test('judges a second pass by the pages of that pass only', async () => {
    const { advance, start, stored, endpoint, source } = createRun(600);
    let asked = 0;
    const moving: Source = {
      async fetchPage(request, attempts) {
        asked += 1;
        // A row that was read moves behind other rows that were read: the first pass reads it twice, out of order.
        if (asked === 2) endpoint.ids.splice(449, 0, ...endpoint.ids.splice(100, 1));
        const isSecond = asked > 1 && stored().cursor.pass === 2;
        return isSecond && request.offset > 0 ? 'paused' : source.fetchPage(request, attempts);
      },
    };
    expect(await advance(start, { source: moving })).toEqual({ kind: 'paused' });
    expect(stored()).toMatchObject({ phase: 'collecting', cursor: { pass: 2 } });
    const outcome = await advance(stored());
    if (outcome.kind !== 'sealed') throw new Error(outcome.kind);
    expect(outcome.sealed.manifest).toMatchObject({
      rows: 600,
      verdict: 'complete',
      evidence: { passes: 2 },
    });
  });

  test('stops on a signal before any other side effect', async () => {
    const { advance, start, events } = createRun(100);
    const controller = new AbortController();
    controller.abort();
    const budget = unlimitedBudget(controller.signal);
    await expect(advance(start, { budget })).rejects.toMatchObject({ code: 'STOPPED' });
    expect(events).toEqual([]);
  });

  test('stops on a signal during a request, whatever its outcome', async () => {
    const { advance, start } = createRun(100);
    const controller = new AbortController();
    const source: Source = {
      async fetchPage() {
        controller.abort(new Error('SIGTERM'));
        throw new Error('aborted');
      },
    };
    const budget = unlimitedBudget(controller.signal);
    await expect(advance(start, { budget, source })).rejects.toThrow(StoppedError);
  });
});
