// Tests each rule of the quota ledger separately, in virtual time. quota-promise.property.test.ts tests that all of them together keep the quota.

import { describe, expect, test } from 'vitest';
import { CorruptError, RateLimitedError } from '../../lib/core/errors.ts';
import type { LedgerPorts } from '../../lib/quota/ledger.ts';
import { sentKey } from '../../lib/quota/ledger-entry.ts';
import { guardMinMs, sendWithinMs, wholeQuota } from '../../lib/quota/window.ts';
import { mostInWindow } from '../support/busiest-window.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { createClock, type VirtualClock } from '../support/virtual-clock.ts';
import { openTestLedger, user } from './fleet-simulation.ts';

const otherUser = 'bbbbbbbbbbbb';
const requestTimeoutMs = 5_000;
const refuse = async () => false;

/** One process that sends one request after another, on a store without delay. */
function createProcess(
  overrides: Partial<LedgerPorts> & { seed?: number; clock?: VirtualClock } = {},
) {
  const clock = overrides.clock ?? createClock(undefined, 1);
  const calls: string[] = [];
  const store: MemoryStore = createMemoryStore({
    nowMs: clock.nowMs,
    onCall: ({ op, phase }) => {
      if (phase === 'before') calls.push(op);
    },
  });
  const departures: number[] = [];
  const ledger = openTestLedger(clock, overrides.store ?? store, overrides);
  async function send(from = user, want = 1, error: RateLimitedError | null = null) {
    if (!(await ledger.admit(from, want))) return false;
    const leftMs = clock.monotonicMs();
    departures.push(leftMs);
    await ledger.sent(from, { atMonotonicMs: leftMs, error });
    return true;
  }
  const keys = () => [...store.dump().keys()];
  return { clock, store, ledger, calls, departures, send, keys };
}

describe('one exporter', () => {
  test('sends five at once and the sixth when the window has room, and stores the times', async () => {
    const { clock, ledger, send, keys, departures } = createProcess();
    await clock.run(
      (async () => {
        for (let count = 6; count > 0; count -= 1) await send(user, count);
        await ledger.release();
      })(),
    );
    const startMs = departures[0] ?? 0;
    expect(departures.slice(0, 5)).toEqual(Array(5).fill(startMs));
    expect(departures[5]).toBe(startMs + 60_000 + guardMinMs);
    expect(keys()).toHaveLength(2);
    expect(keys().every((key) => /-\d+(\.\d+)*$/.test(key))).toBe(true);
  });

  test('needs at most 1.2 store calls per page at 5 requests per minute, and the ledger does not grow', async () => {
    const { clock, send, calls, keys } = createProcess();
    let before = 0;
    await clock.run(
      (async () => {
        for (let sent = 0; sent < 1_000; sent += 1) {
          await send(user, 1_000 - sent);
          await clock.sleep(120);
          if (sent === 99) before = calls.length;
        }
      })(),
    );
    // For five requests: LIST, DELETE of an expired entry, PUT and LIST to reserve, PUT and DELETE to settle.
    expect((calls.length - before) / 900).toBeLessThanOrEqual(1.2);
    expect(keys().length).toBeLessThanOrEqual(3);
  });

  test('reserves at most 20 slots at once, however many the quota allows', async () => {
    const { clock, ledger, keys } = createProcess({ quota: wholeQuota(1_000, 60) });
    await clock.run(ledger.admit(user, 1_000));
    expect(keys()).toEqual([expect.stringMatching(/-20$/)]);
  });

  test('releases a reservation that is older than 2 s, and still counts what was sent', async () => {
    const { clock, ledger, send, store } = createProcess();
    const other = openTestLedger(clock, store, { seed: 2 });
    await clock.run(
      (async () => {
        await send(user, 5);
        // Four slots are still reserved: no other process can send.
        expect(await openTestLedger(clock, store, { seed: 3, wait: refuse }).admit(user, 1)).toBe(
          false,
        );
        await clock.sleep(sendWithinMs);
        // This process may not use them any more either. It reserves again, and the window has room.
        await send(user, 1);
        await ledger.release();
        for (let count = 3; count > 0; count -= 1)
          expect(await other.admit(user, count)).toBe(true);
        expect(await openTestLedger(clock, store, { seed: 4, wait: refuse }).admit(user, 1)).toBe(
          false,
        );
      })(),
    );
  });

  test('does not use a reservation after a wait that took longer than requested', async () => {
    const clock = createClock(undefined, 1);
    const late: number[] = [];
    const { send, ledger, calls, departures } = createProcess({
      clock,
      quota: wholeQuota(2, 60),
      // Like a process that is stopped for one minute during its second wait.
      wait: async (delayMs) => {
        await clock.sleep(delayMs + (late.push(delayMs) === 2 ? 60_000 : 0));
        return true;
      },
    });
    await clock.run(
      (async () => {
        await send(user, 3);
        await clock.sleep(1_000);
        await send(user, 2);
        // The next slots become free one second apart: one reservation holds both.
        await send(user, 2);
        await send(user, 1);
        await ledger.release();
      })(),
    );
    expect(late[0]).toBeGreaterThan(50_000);
    expect(late[1]).toBeLessThanOrEqual(1_000);
    // Three reservations: the last request needed a new one.
    expect(calls.filter((op) => op === 'list')).toHaveLength(6);
    expect(mostInWindow(departures, 60_000)).toBeLessThanOrEqual(2);
  });

  test('measures the age of a reservation by the monotonic clock too', async () => {
    const { clock, send, calls } = createProcess();
    await clock.run(
      (async () => {
        await send(user, 5);
        clock.step(-1_500);
        await clock.sleep(sendWithinMs + 100);
        await send(user, 4);
      })(),
    );
    expect(calls.filter((op) => op === 'list')).toHaveLength(4);
  });

  test('does not use a reservation from before its host was suspended, although the monotonic clock stopped', async () => {
    const { clock, send, ledger, store } = createProcess();
    await clock.run(
      (async () => {
        await send(user, 5);
        // The monotonic clock of a suspended host stops; the store's time continues.
        clock.step(3_600_000);
        const other = openTestLedger(clock, store, { seed: 2 });
        for (let count = 5; count > 0; count -= 1) {
          await other.admit(user, count);
          await other.sent(user, { atMonotonicMs: clock.monotonicMs(), error: null });
        }
        await other.release();
        const resumedMs = clock.monotonicMs();
        await send(user, 4);
        expect(clock.monotonicMs() - resumedMs).toBeGreaterThanOrEqual(60_000);
        await ledger.release();
      })(),
    );
  });

  test('resolves false when the wait is refused, and leaves only sent requests in the store', async () => {
    const asked: number[] = [];
    const { clock, send, ledger, keys } = createProcess({
      wait: async (delayMs) => {
        asked.push(delayMs);
        return false;
      },
    });
    await clock.run(
      (async () => {
        for (let count = 5; count > 0; count -= 1) expect(await send(user, count)).toBe(true);
        expect(await send()).toBe(false);
        await ledger.release();
      })(),
    );
    expect(asked).toEqual([60_000 + guardMinMs]);
    expect(keys()).toHaveLength(1);
  });

  test('release() removes the reservation, may be called twice, and does nothing without a reservation', async () => {
    const { clock, ledger, keys, calls } = createProcess();
    await clock.run(
      (async () => {
        await ledger.release();
        expect(calls).toEqual([]);
        await ledger.admit(user, 5);
        await ledger.release();
        await ledger.release();
      })(),
    );
    expect(keys()).toEqual([]);
  });

  test('sent() without admit() is a programming error', async () => {
    const { ledger } = createProcess();
    const outcome = { atMonotonicMs: 0, error: null };
    await expect(ledger.sent(user, outcome)).rejects.toThrow(/without admit/);
  });

  test('ignores objects that the ledger did not write, and leaves them where they are', async () => {
    const said: unknown[] = [];
    const { clock, store, ledger, keys } = createProcess({
      log: (level, message, fields) => said.push([level, message, fields]),
    });
    const foreign = [
      '_quota/container_nodes/.nfs0000000000c8f1a20000001d',
      '_quota/container_nodes/junk',
    ];
    for (const key of foreign) await store.put(key, Buffer.from('junk'));
    expect(await clock.run(ledger.admit(user, 1))).toBe(true);
    await ledger.release();
    expect(keys()).toEqual(foreign);
    expect(said).toContainEqual([
      'debug',
      'ignored an object that is not an entry of the quota ledger',
      { key: '_quota/container_nodes/junk' },
    ]);
  });

  test('a damaged entry of the ledger: the error names it, no request is sent, nothing is written', async () => {
    const { clock, store, ledger, keys } = createProcess();
    const key = '_quota/container_nodes/1764100805123-0a1b2c3d4e5f-';
    await store.put(key, Buffer.from(key));
    const admitted = clock.run(ledger.admit(user, 1));
    await expect(admitted).rejects.toThrow(CorruptError);
    await expect(admitted).rejects.toMatchObject({ key });
    expect(keys()).toEqual([key]);
  });

  test('counts requests that were sent under a higher quota', async () => {
    const { clock, store, send, ledger } = createProcess();
    await clock.run(
      (async () => {
        for (let count = 5; count > 0; count -= 1) await send(user, count);
        await ledger.release();
        const startMs = clock.monotonicMs();
        await openTestLedger(clock, store, { seed: 2, quota: wholeQuota(1, 60) }).admit(user, 1);
        expect(clock.monotonicMs() - startMs).toBe(60_000 + guardMinMs);
      })(),
    );
  });
});

describe('two exporters', () => {
  test('that run in lockstep both finish, because they wait for random times', async () => {
    const clock = createClock(undefined, 1);
    const shared = createMemoryStore({
      nowMs: clock.nowMs,
      onCall: async () => {
        await clock.sleep(10);
        if (clock.monotonicMs() > 3_600_000) throw new Error('livelock');
      },
    });
    const both = [1, 2].map(async (seed) => {
      const ledger = openTestLedger(clock, shared, { seed, quota: wholeQuota(1, 1) });
      await ledger.admit(user, 1);
      await ledger.sent(user, { atMonotonicMs: clock.monotonicMs(), error: null });
      await ledger.release();
    });
    await clock.run(Promise.all(both));
    expect(clock.monotonicMs()).toBeLessThan(15_000);
  });

  test('one is killed with five slots reserved: the slots are held as long as its requests can count, and not longer', async () => {
    const { clock, ledger, store } = createProcess();
    await clock.run(
      (async () => {
        await ledger.admit(user, 5);
        const startMs = clock.monotonicMs();
        await openTestLedger(clock, store, { seed: 2 }).admit(user, 1);
        const heldMs = sendWithinMs + requestTimeoutMs + 60_000 + guardMinMs;
        expect(clock.monotonicMs() - startMs).toBe(heldMs);
      })(),
    );
  });

  test('one is killed after it stored what was sent and before it deleted its reservation: its requests count once', async () => {
    const { clock, ledger, send, store } = createProcess();
    await clock.run(
      (async () => {
        await send(user, 5);
        const reserved = [...store.dump()];
        await ledger.release();
        store.restore(new Map([...reserved, ...store.dump()]));
        const other = openTestLedger(clock, store, { seed: 2, wait: refuse });
        for (let count = 4; count > 0; count -= 1)
          expect(await other.admit(user, count)).toBe(true);
      })(),
    );
  });
});

describe('a 429', () => {
  const throttled = new RateLimitedError('too many', 'wait', 30_000);

  test('delays its user once, for the requested time, and the rest of the reservation is not used', async () => {
    const { clock, ledger, send, departures } = createProcess();
    await clock.run(
      (async () => {
        await send(user, 5, throttled);
        for (let count = 4; count > 0; count -= 1) await send(user, count);
        await ledger.release();
      })(),
    );
    const startMs = departures[0] ?? 0;
    // The configured quota still applies: all four are sent at once after the requested time.
    expect(departures).toEqual([startMs, ...Array(4).fill(startMs + 30_000)]);
  });

  test('does not delay other users, in this process or another', async () => {
    const { clock, ledger, send, store, departures } = createProcess({ wait: refuse });
    await clock.run(
      (async () => {
        await send(user, 5, throttled);
        expect(await send(user)).toBe(false);
        expect(await send(otherUser, 2)).toBe(true);
        await ledger.release();
        const other = openTestLedger(clock, store, { seed: 2, wait: refuse });
        expect(await other.admit(user, 1)).toBe(false);
        expect(await other.admit(otherUser, 1)).toBe(true);
      })(),
    );
    expect(departures).toHaveLength(2);
  });

  test('doubles the guard for all users, and reports the reason for the wait', async () => {
    const reasons: string[] = [];
    const clock = createClock(undefined, 1);
    const { send, departures } = createProcess({
      clock,
      wait: async (delayMs, reason) => {
        reasons.push(reason);
        await clock.sleep(delayMs);
        return true;
      },
    });
    await clock.run(
      (async () => {
        await send(user, 1, throttled);
        for (let count = 5; count > 0; count -= 1) await send(user, count);
      })(),
    );
    const startMs = departures[0] ?? 0;
    expect(departures.slice(1, 5)).toEqual(Array(4).fill(startMs + 30_000));
    expect(departures[5]).toBe(startMs + 60_000 + 2 * guardMinMs);
    expect(reasons).toEqual(['throttled', 'quota']);
  });
});

test('an entry of a process whose clock is ahead counts from its own time', async () => {
  const { clock, store, ledger } = createProcess({ quota: wholeQuota(1, 60) });
  const ahead = clock.nowMs() + 10_000;
  const key = sentKey(
    { list: 'container_nodes', writtenMs: ahead, writer: null },
    '0123456789ab',
    [0],
  );
  await store.put(key, Buffer.from(key));
  const startMs = clock.monotonicMs();
  await clock.run(ledger.admit(user, 1));
  expect(clock.monotonicMs() - startMs).toBe(70_000 + guardMinMs);
});

test('each list has a quota of its own, also in one store', async () => {
  const { clock, store, ledger } = createProcess({ quota: wholeQuota(1, 60) });
  const other = openTestLedger(clock, store, {
    quota: wholeQuota(1, 60),
    list: 'container_clusters',
  });
  const send = async (one: typeof ledger) => {
    const startMs = clock.monotonicMs();
    expect(await clock.run(one.admit(user, 1))).toBe(true);
    await one.sent(user, { atMonotonicMs: clock.monotonicMs(), error: null });
    return clock.monotonicMs() - startMs;
  };
  expect(await send(ledger)).toBe(0);
  expect(await send(other)).toBe(0);
  expect(await send(ledger)).toBeGreaterThanOrEqual(60_000);
});
