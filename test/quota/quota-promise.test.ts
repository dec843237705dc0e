// Goal: promise 1. In no window do more requests leave than the quota allows, whatever is killed, delayed or run at once.
// Method: one to four processes share a ledger in virtual time; each sends bursts of random length, the store and the service
// answer after random delays, processes are killed at random store calls and between admission and answer, and wall clocks step.
// The oracle counts departures, as the service's own window would.

import { describe, expect, test } from 'vitest';
import { TransientError } from '../../lib/core/errors.ts';
import type { Clock, Store } from '../../lib/core/ports.ts';
import { type Ledger, openLedger } from '../../lib/quota/ledger.ts';
import { wholeQuota } from '../../lib/quota/window.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock, mostInWindow } from '../support/world.ts';

class Killed extends Error {}

interface Scenario {
  seed: number;
  processes: number;
  quota: { requests: number; windowSeconds: number };
  heldFrom: 'answer' | 'departure';
  kills: number;
  /** Requests that each process must get through in the end. */
  work: number;
  steps: boolean;
  /** A store that tells whole seconds leaves each process in doubt up to this far, milliseconds. */
  doubtMs?: number;
}

async function play(scenario: Scenario) {
  const { seed, processes, work, heldFrom, doubtMs = 0 } = scenario;
  const random = createRandom(seed);
  const clock = createClock();
  const quota = wholeQuota(scenario.quota.requests, scenario.quota.windowSeconds);
  const departures: number[] = [];
  let kills = scenario.kills;
  const shared = createMemoryStore({ nowMs: clock.nowMs });

  /** A process sees the shared store through calls that take time, and in which it may be killed. */
  function storeOf(isKilled: () => boolean): Store {
    const ownDoubtMs = random() * doubtMs;
    const behindMs = random() * ownDoubtMs;
    const guard = async <T>(call: () => Promise<T>): Promise<T> => {
      if (isKilled()) throw new Killed();
      await clock.sleep(random() * 8);
      if (isKilled()) throw new Killed();
      const result = await call();
      await clock.sleep(random() * 8);
      if (isKilled()) throw new Killed();
      return result;
    };
    return {
      url: shared.url,
      settleMs: 0,
      nowMs: () => shared.nowMs() - behindMs,
      doubtMs: () => ownDoubtMs,
      put: (key, bytes) => guard(() => shared.put(key, bytes)),
      get: (key) => guard(() => shared.get(key)),
      list: (prefix) => guard(() => shared.list(prefix)),
      delete: (key) => guard(() => shared.delete(key)),
    };
  }

  async function runProcess(): Promise<void> {
    for (let left = work; left > 0; ) {
      let dead = false;
      // Dies at a random moment of its life; its successor starts with nothing in memory.
      const dies = kills > 0 && random() < 0.5;
      if (dies) kills -= 1;
      let callsLeft = dies ? Math.floor(random() * 25) : Number.POSITIVE_INFINITY;
      const isKilled = () => {
        callsLeft -= 1;
        if (callsLeft <= 0) dead = true;
        return dead;
      };
      const ledger: Ledger = openLedger({
        store: storeOf(isKilled),
        clock: clock as Clock,
        log: () => {},
        quota,
        requestTimeoutMs: 1_000,
        heldFrom,
        random,
        mayWait: () => true,
        wait: async (delayMs) => {
          await clock.sleep(delayMs);
          if (dead) throw new Killed();
        },
      });
      try {
        while (left > 0) {
          const ahead = 1 + Math.floor(random() * 6);
          if (!(await ledger.admit('0123456789ab', Math.min(ahead, left))))
            throw new Error('refused');
          // Time may pass until the bytes leave, but not two seconds.
          if (random() < 0.2) await clock.sleep(random() * 200);
          const atMonotonicMs = clock.monotonicMs();
          departures.push(atMonotonicMs);
          left -= 1;
          await clock.sleep(random() * (random() < 0.1 ? 900 : 120));
          if (dies && random() < 0.1) throw new Killed();
          if (scenario.steps && random() < 0.02) clock.step((random() - 0.3) * 600_000);
          const error = random() < 0.1 ? new TransientError('RESET', 'reset', 'wait') : null;
          await ledger.sent('0123456789ab', { atMonotonicMs, error });
          if (random() < 0.1) await ledger.release();
          if (random() < 0.2) await clock.sleep(random() * quota.windowMs);
        }
        await ledger.release();
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
    }
  }

  await clock.run(Promise.all(Array.from({ length: processes }, runProcess)));
  return { departures, quota, objects: shared.dump() };
}

const quotas = [
  { requests: 5, windowSeconds: 60 },
  { requests: 5, windowSeconds: 0.5 },
  { requests: 1, windowSeconds: 2 },
  { requests: 0.5, windowSeconds: 1 },
  { requests: 2.5, windowSeconds: 3 },
  { requests: 8, windowSeconds: 0.2 },
  { requests: 30, windowSeconds: 10 },
];

describe('the quota holds', () => {
  test.each(quotas)(
    '$requests in $windowSeconds s: 60 seeds',
    async (quota) => {
      for (let seed = 1; seed <= 60; seed += 1) {
        const scenario: Scenario = {
          seed,
          quota,
          processes: 1 + (seed % 4),
          heldFrom: seed % 2 === 0 ? 'answer' : 'departure',
          kills: seed % 3 === 0 ? 4 : 0,
          work: 12,
          steps: false,
        };
        const { departures, quota: whole } = await play(scenario);
        const where = `seed ${seed}`;
        expect(mostInWindow(departures, whole.windowMs), where).toBeLessThanOrEqual(whole.requests);
        expect(departures.length, where).toBeGreaterThanOrEqual(scenario.processes * scenario.work);
      }
    },
    60_000,
  );

  test('among processes that know the time of the store to the second only', async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const quota = { requests: 5, windowSeconds: 4 };
      const scenario = { seed, quota, processes: 3, kills: seed % 3, work: 12, steps: false };
      const heldFrom = seed % 2 === 0 ? 'answer' : 'departure';
      const { departures } = await play({ ...scenario, heldFrom, doubtMs: 1_000 });
      expect(mostInWindow(departures, 4_000), `seed ${seed}`).toBeLessThanOrEqual(5);
    }
  });

  test('a host clock that steps: never more than the quota from one process', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const quota = { requests: 5, windowSeconds: 60 };
      const scenario = { seed, quota, processes: 1, kills: 0, work: 40, steps: true };
      const { departures } = await play({ ...scenario, heldFrom: 'answer' });
      expect(mostInWindow(departures, 60_000), `seed ${seed}`).toBeLessThanOrEqual(5);
    }
  });
});

test('what is spent is deleted: the ledger does not grow', async () => {
  const quota = { requests: 5, windowSeconds: 2 };
  const scenario = { seed: 1, quota, processes: 1, kills: 0, work: 200, steps: false };
  const { objects } = await play({ ...scenario, heldFrom: 'answer' });
  expect(objects.size).toBeLessThan(15);
});
