// Goal: promise 1. In no window do more than `requests` requests leave, whoever is killed, whatever two do at once, and however
// slow store and service are. Method: fleets of exporters on one store in virtual time, every delay, burst and death drawn from a
// seed; the oracle is the list of departures. Then each rule by itself.

import { describe, expect, test } from 'vitest';
import { CorruptError, RateLimitedError } from '../../lib/core/errors.ts';
import type { Store } from '../../lib/core/ports.ts';
import { openLedger } from '../../lib/quota/ledger.ts';
import { guardMs, sendWithinMs, sentKey, wholeQuota } from '../../lib/quota/window.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock, mostInWindow, type VirtualClock } from '../support/world.ts';

const user = 'aaaaaaaaaaaa';
const otherUser = 'bbbbbbbbbbbb';
const requestTimeoutMs = 5_000;

/** As a killed process: nothing that it holds is given back. */
class Killed extends Error {}

type LedgerPorts = Parameters<typeof openLedger>[0];

/** A ledger in a process of its own. */
function openOwn(
  clock: VirtualClock,
  store: Store,
  overrides: Partial<LedgerPorts> & { seed?: number } = {},
) {
  const { seed = 1, ...ports } = overrides;
  return openLedger({
    store,
    clock,
    log: () => {},
    quota: wholeQuota(5, 60),
    requestTimeoutMs,
    heldFrom: 'answer',
    random: createRandom(seed),
    mayWait: () => true,
    wait: (delayMs) => clock.sleep(delayMs),
    ...ports,
  });
}

interface Departure {
  process: number;
  leftMs: number;
  arrivedMs: number;
}

interface Fleet {
  seed: number;
  exporters: number;
  requests: number;
  windowSeconds: number;
  heldFrom: 'answer' | 'departure';
  /** Chance of a kill at each store call, and between admission and departure. */
  deadly: number;
  /** Moves the clock of the host, which is the store's, now and then; milliseconds, drawn anew each time. */
  stepMs?: (random: () => number) => number;
}

/** Every exporter sends some requests; one that is killed is followed by another with what is left. */
async function runFleet(fleet: Fleet) {
  const { seed, exporters, heldFrom, deadly, stepMs } = fleet;
  const random = createRandom(seed);
  const clock = createClock(undefined, 1);
  const quota = wholeQuota(fleet.requests, fleet.windowSeconds);
  const shared = createMemoryStore({ nowMs: clock.nowMs });
  const departures: Departure[] = [];
  let processes = 0;
  let kills = 0;
  let steppedMs = 0;
  let total = 0;
  const chance = (share: number) => random() < share;
  const below = (count: number) => Math.floor(random() * count);

  function openStore(die: () => void): Store {
    async function call<T>(effect: () => Promise<T>): Promise<T> {
      die();
      await clock.sleep(random() * 120);
      if (clock.monotonicMs() > idealMs() * 3 + 3_600_000) throw new Error('livelock');
      const result = await effect();
      await clock.sleep(random() * 120);
      die();
      return result;
    }
    return {
      ...shared,
      put: (key, bytes) => call(() => shared.put(key, bytes)),
      list: (prefix) => call(() => shared.list(prefix)),
      delete: (key) => call(() => shared.delete(key)),
    };
  }

  /** What the quota alone needs for so many requests, and what dead reservations and steps hold up. */
  function idealMs(): number {
    const windows = Math.ceil(total / quota.requests);
    const held = kills * (sendWithinMs + requestTimeoutMs + quota.windowMs);
    return windows * quota.windowMs + held + steppedMs;
  }

  /** One process: resolves with how many requests it did not come to send. */
  async function runProcess(count: number): Promise<number> {
    const process = processes++;
    let dead = false;
    let left = count;
    const die = () => {
      if (!dead && kills < 6 && chance(deadly)) {
        dead = true;
        kills += 1;
      }
      if (dead) throw new Killed();
    };
    const ledger = openOwn(clock, openStore(die), { quota, heldFrom, random });
    try {
      while (left > 0) {
        for (let burst = Math.min(left, 1 + below(7)); burst > 0; burst -= 1) {
          if (stepMs && chance(0.2)) {
            const deltaMs = stepMs(random);
            steppedMs += Math.abs(deltaMs);
            clock.step(deltaMs);
          }
          if (!(await ledger.admit(user, burst))) throw new Error('refused, though it may wait');
          die();
          await clock.sleep(random() * 250);
          die();
          const leftMs = clock.monotonicMs();
          // Where slots are held from the departure, the way may differ by the guard.
          const slow = chance(0.1) ? requestTimeoutMs : 500;
          const wayMs = heldFrom === 'answer' ? random() * slow : 200 + random() * guardMs;
          departures.push({ process, leftMs, arrivedMs: leftMs + wayMs });
          left -= 1;
          die();
          await clock.sleep(wayMs + random() * 500);
          die();
          await ledger.sent(user, { atMonotonicMs: leftMs, error: null });
        }
        if (chance(0.3)) await ledger.release();
        if (chance(0.4)) await clock.sleep(random() * 3_000);
      }
      await ledger.release();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    return left;
  }

  async function runExporter(): Promise<void> {
    let left = 3 + below(8);
    total += left;
    await clock.sleep(random() * 1_000);
    while (left > 0) left = await runProcess(left);
  }

  await clock.run(Promise.all(Array.from({ length: exporters }, runExporter)));
  return { departures, quota, kills, total, idealMs: idealMs(), tookMs: clock.monotonicMs() };
}

const windows = [0.2, 1, 2, 5, 10, 30, 60];
const quotas = [0.5, 1, 2, 2.5, 3, 4, 5, 6, 7, 8];

function fleetOf(seed: number): Fleet {
  return {
    seed,
    exporters: 1 + (seed % 4),
    requests: quotas[(seed >> 2) % quotas.length] ?? 5,
    windowSeconds: windows[seed % windows.length] ?? 60,
    heldFrom: seed % 2 === 0 ? 'answer' : 'departure',
    deadly: seed % 3 === 0 ? 0 : 0.01,
  };
}

describe('fleets', () => {
  test('840 seeds: in no window more than the quota, and everybody gets on', async () => {
    let killed = 0;
    for (let seed = 1; seed <= 840; seed += 1) {
      const fleet = fleetOf(seed);
      const { departures, quota, kills, total, idealMs, tookMs } = await runFleet(fleet);
      const where = JSON.stringify(fleet);
      killed += kills;
      expect(departures.length, where).toBe(total);
      for (const times of [
        departures.map(({ leftMs }) => leftMs),
        departures.map(({ arrivedMs }) => arrivedMs),
      ]) {
        expect(mostInWindow(times, quota.windowMs), where).toBeLessThanOrEqual(quota.requests);
      }
      // Far from the best that could be, but no livelock: some seconds a request for slow stores and contention.
      expect(tookMs, where).toBeLessThan(idealMs * 1.5 + total * 5_000);
    }
    expect(killed).toBeGreaterThan(300);
  }, 60_000);

  test('120 seeds whose clock steps back by minutes: slots last longer, never shorter', async () => {
    for (let seed = 1; seed <= 120; seed += 1) {
      const fleet = { ...fleetOf(seed), stepMs: (random: () => number) => -random() * 600_000 };
      const { departures, quota, total } = await runFleet(fleet);
      const where = `seed ${seed}`;
      expect(departures.length, where).toBe(total);
      const times = departures.map(({ leftMs }) => leftMs);
      expect(mostInWindow(times, quota.windowMs), where).toBeLessThanOrEqual(quota.requests);
    }
  }, 60_000);

  test('120 seeds whose clock steps either way: no process forgets what it sent itself', async () => {
    for (let seed = 1; seed <= 120; seed += 1) {
      const stepMs = (random: () => number) => (random() - 0.5) * 1_200_000;
      const { departures, quota, total } = await runFleet({ ...fleetOf(seed), stepMs });
      const where = `seed ${seed}`;
      expect(departures.length, where).toBe(total);
      for (const process of new Set(departures.map((departure) => departure.process))) {
        const own = departures.filter((departure) => departure.process === process);
        const times = own.map(({ leftMs }) => leftMs);
        expect(mostInWindow(times, quota.windowMs), where).toBeLessThanOrEqual(quota.requests);
      }
    }
  }, 60_000);
});

/** One process with a store that answers at once, and one request after another. */
function createOwn(overrides: Partial<LedgerPorts> & { seed?: number; clock?: VirtualClock } = {}) {
  const clock = overrides.clock ?? createClock(undefined, 1);
  const calls: string[] = [];
  const store: MemoryStore = createMemoryStore({
    nowMs: clock.nowMs,
    onCall: ({ op, phase }) => {
      if (phase === 'before') calls.push(op);
    },
  });
  const departures: number[] = [];
  const ledger = openOwn(clock, overrides.store ?? store, overrides);
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

describe('what one exporter does', () => {
  test('five at once, the sixth when the first has left the window; the store is told', async () => {
    const { clock, ledger, send, keys, departures } = createOwn();
    await clock.run(
      (async () => {
        for (let count = 6; count > 0; count -= 1) await send(user, count);
        await ledger.release();
      })(),
    );
    const startMs = departures[0] ?? 0;
    expect(departures.slice(0, 5)).toEqual(Array(5).fill(startMs));
    expect(departures[5]).toBe(startMs + 60_000 + guardMs);
    expect(keys()).toHaveLength(2);
    expect(keys().every((key) => /-\d+(\.\d+)*$/.test(key))).toBe(true);
  });

  test('at 5 a minute a page costs 1.2 store calls, and the ledger does not grow', async () => {
    const { clock, send, calls, keys } = createOwn();
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
    // Found by running: LIST, DELETE of a spent entry, PUT and LIST of the reservation, PUT and DELETE at its end, for five.
    expect((calls.length - before) / 900).toBeLessThanOrEqual(1.2);
    expect(keys().length).toBeLessThanOrEqual(3);
  });

  test('no more is reserved at once than can leave within 2 s, whatever the quota allows', async () => {
    const { clock, ledger, keys } = createOwn({ quota: wholeQuota(1_000, 60) });
    await clock.run(ledger.admit(user, 1_000));
    expect(keys()).toEqual([expect.stringMatching(/-20$/)]);
  });

  test('a reservation that is not used within 2 s is given back, and what was sent stays counted', async () => {
    const { clock, ledger, send, store } = createOwn();
    const other = openOwn(clock, store, { seed: 2 });
    await clock.run(
      (async () => {
        await send(user, 5);
        // Four are still reserved: nothing is free for anybody else.
        expect(await openOwn(clock, store, { seed: 3, mayWait: () => false }).admit(user, 1)).toBe(
          false,
        );
        await clock.sleep(sendWithinMs);
        // This process may not use them either: it reserves anew, and there is room for it.
        await send(user, 1);
        await ledger.release();
        for (let count = 3; count > 0; count -= 1)
          expect(await other.admit(user, count)).toBe(true);
        expect(await openOwn(clock, store, { seed: 4, mayWait: () => false }).admit(user, 1)).toBe(
          false,
        );
      })(),
    );
  });

  test('a reservation is not used after a wait that took longer than asked for', async () => {
    const clock = createClock(undefined, 1);
    const late: number[] = [];
    const { send, ledger, calls, departures } = createOwn({
      clock,
      quota: wholeQuota(2, 60),
      // As a process that is stopped for a minute in its second wait.
      wait: async (delayMs) => {
        await clock.sleep(delayMs + (late.push(delayMs) === 2 ? 60_000 : 0));
      },
    });
    await clock.run(
      (async () => {
        await send(user, 3);
        await clock.sleep(1_000);
        await send(user, 2);
        // The next slots come free a second apart: one reservation holds both.
        await send(user, 2);
        await send(user, 1);
        await ledger.release();
      })(),
    );
    expect(late[0]).toBeGreaterThan(50_000);
    expect(late[1]).toBeLessThanOrEqual(1_000);
    // Three reservations for four requests: the last one began anew.
    expect(calls.filter((op) => op === 'list')).toHaveLength(6);
    expect(mostInWindow(departures, 60_000)).toBeLessThanOrEqual(2);
  });

  test('a reservation ages by the clock that cannot be set, too', async () => {
    const { clock, send, calls } = createOwn();
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

  test('suspended with its host while it holds a reservation: whatever the other clock says, it is too old', async () => {
    const { clock, send, ledger, store } = createOwn();
    await clock.run(
      (async () => {
        await send(user, 5);
        // The monotonic clock of a suspended host stands still; the store's has gone on.
        clock.step(3_600_000);
        const other = openOwn(clock, store, { seed: 2 });
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

  test('a wait that is refused: false, and nothing is left in the store but what was sent', async () => {
    const asked: number[] = [];
    const { clock, send, ledger, keys } = createOwn({
      mayWait: (delayMs) => {
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
    expect(asked).toEqual([60_000 + guardMs]);
    expect(keys()).toHaveLength(1);
  });

  test('release gives everything back, twice as well as once, and nothing where nothing was reserved', async () => {
    const { clock, ledger, keys, calls } = createOwn();
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

  test('sent without admit is a mistake of the caller', async () => {
    const { ledger } = createOwn();
    const outcome = { atMonotonicMs: 0, error: null };
    await expect(ledger.sent(user, outcome)).rejects.toThrow(/without admit/);
  });

  test('an object that is no entry: named, no request leaves, nothing is written', async () => {
    const { clock, store, ledger, keys } = createOwn();
    await store.put('_quota/junk', Buffer.from('junk'));
    const admitted = clock.run(ledger.admit(user, 1));
    await expect(admitted).rejects.toThrow(CorruptError);
    await expect(admitted).rejects.toMatchObject({ key: '_quota/junk' });
    expect(keys()).toEqual(['_quota/junk']);
  });

  test('a quota that was lowered since: what left under the old one counts', async () => {
    const { clock, store, send, ledger } = createOwn();
    await clock.run(
      (async () => {
        for (let count = 5; count > 0; count -= 1) await send(user, count);
        await ledger.release();
        const startMs = clock.monotonicMs();
        await openOwn(clock, store, { seed: 2, quota: wholeQuota(1, 60) }).admit(user, 1);
        expect(clock.monotonicMs() - startMs).toBe(60_000 + guardMs);
      })(),
    );
  });
});

describe('two exporters', () => {
  test('in lockstep: one of them draws the shorter wait', async () => {
    const clock = createClock(undefined, 1);
    const shared = createMemoryStore({
      nowMs: clock.nowMs,
      onCall: async () => {
        await clock.sleep(10);
        if (clock.monotonicMs() > 3_600_000) throw new Error('livelock');
      },
    });
    const both = [1, 2].map(async (seed) => {
      const ledger = openOwn(clock, shared, { seed, quota: wholeQuota(1, 1) });
      await ledger.admit(user, 1);
      await ledger.sent(user, { atMonotonicMs: clock.monotonicMs(), error: null });
      await ledger.release();
    });
    await clock.run(Promise.all(both));
    expect(clock.monotonicMs()).toBeLessThan(15_000);
  });

  test('one is killed with five reserved: they are held until their requests can have been counted, not longer', async () => {
    const { clock, ledger, store } = createOwn();
    await clock.run(
      (async () => {
        await ledger.admit(user, 5);
        const startMs = clock.monotonicMs();
        await openOwn(clock, store, { seed: 2 }).admit(user, 1);
        const heldMs = sendWithinMs + requestTimeoutMs + 60_000 + guardMs;
        expect(clock.monotonicMs() - startMs).toBe(heldMs);
      })(),
    );
  });

  test('one is killed between telling what was sent and deleting its reservation: counted once', async () => {
    const { clock, ledger, send, store } = createOwn();
    await clock.run(
      (async () => {
        await send(user, 5);
        const reserved = [...store.dump()];
        await ledger.release();
        store.restore(new Map([...reserved, ...store.dump()]));
        const other = openOwn(clock, store, { seed: 2, mayWait: () => false });
        for (let count = 4; count > 0; count -= 1)
          expect(await other.admit(user, count)).toBe(true);
      })(),
    );
  });
});

describe('a 429', () => {
  const throttled = new RateLimitedError('too many', 'wait', 30_000);

  test('delays its own user once, for as long as was asked; what was reserved is not used', async () => {
    const { clock, ledger, send, departures } = createOwn();
    await clock.run(
      (async () => {
        await send(user, 5, throttled);
        for (let count = 4; count > 0; count -= 1) await send(user, count);
        await ledger.release();
      })(),
    );
    const startMs = departures[0] ?? 0;
    // The configured quota stands: all four at once as soon as the silence is over.
    expect(departures).toEqual([startMs, ...Array(4).fill(startMs + 30_000)]);
  });

  test('delays nobody else, in this process or another', async () => {
    const { clock, ledger, send, store, departures } = createOwn({ mayWait: () => false });
    await clock.run(
      (async () => {
        await send(user, 5, throttled);
        expect(await send(user)).toBe(false);
        expect(await send(otherUser, 2)).toBe(true);
        await ledger.release();
        const other = openOwn(clock, store, { seed: 2, mayWait: () => false });
        expect(await other.admit(user, 1)).toBe(false);
        expect(await other.admit(otherUser, 1)).toBe(true);
      })(),
    );
    expect(departures).toHaveLength(2);
  });

  test('doubles the guard of everybody, and its reason for waiting is told', async () => {
    const reasons: string[] = [];
    const clock = createClock(undefined, 1);
    const { send, departures } = createOwn({
      clock,
      wait: async (delayMs, reason) => {
        reasons.push(reason);
        await clock.sleep(delayMs);
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
    expect(departures[5]).toBe(startMs + 60_000 + 2 * guardMs);
    expect(reasons).toEqual(['throttled', 'quota']);
  });
});

test('an entry of another process, sent by a clock that is ahead, is believed', async () => {
  const { clock, store, ledger } = createOwn({ quota: wholeQuota(1, 60) });
  const ahead = clock.nowMs() + 10_000;
  const key = sentKey(ahead, '0123456789ab', [ahead]);
  await store.put(key, Buffer.from(key));
  const startMs = clock.monotonicMs();
  await clock.run(ledger.admit(user, 1));
  expect(clock.monotonicMs() - startMs).toBe(70_000 + guardMs);
});
