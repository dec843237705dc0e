// Responsible for a simulated fleet: exporters that share one quota ledger in virtual time. The seed decides every delay, pause,
// kill and clock step. Not responsible for judging the result: quota-promise.property.test.ts does.

import { TransientError } from '../../lib/core/errors.ts';
import type { Clock, Host, Store } from '../../lib/core/ports.ts';
import { type LedgerPorts, openLedger } from '../../lib/quota/ledger.ts';
import { guardMinMs, sendWithinMs, wholeQuota } from '../../lib/quota/window.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock } from '../support/virtual-clock.ts';

export const user = 'aaaaaaaaaaaa';

/** A process that knows nothing of other processes. */
const strangerHost: Host = {
  identity: 'unknown',
  name: 'process 1 on host-a',
  boot: null,
  isGone: () => false,
};

/** The ledger of one process. */
export function openTestLedger(
  clock: Clock,
  store: Store,
  overrides: Partial<LedgerPorts> & { seed?: number } = {},
) {
  const { seed = 1, ...ports } = overrides;
  return openLedger({
    store,
    clock,
    host: strangerHost,
    log: () => {},
    quota: wholeQuota(5, 60),
    requestTimeoutMs: 5_000,
    list: 'container_nodes',
    heldFrom: 'answer',
    random: createRandom(seed),
    wait: async (delayMs) => {
      await clock.sleep(delayMs);
      return true;
    },
    ...ports,
  });
}

export interface Fleet {
  seed: number;
  exporters: number;
  quota: { requests: number; windowSeconds: number };
  heldFrom: 'answer' | 'departure';
  /** How many requests each exporter must send: drawn from this range. */
  work: readonly [min: number, max: number];
  /** Chance of a kill before and after each store call, and around each request. */
  killChance: number;
  killsMax: number;
  requestTimeoutMs: number;
  /** Longest time from admission to departure, and longest usual time of an answer; some take longer, milliseconds. */
  departMs: number;
  answerMs: number;
  /** A store call takes up to this long before its effect, and again after it, milliseconds. */
  storeDelayMs: number;
  /** The longest pause between two requests, milliseconds. */
  idleMs: number;
  /** The host's clock, which is also the store's, now and then moves by an amount from this range, milliseconds. */
  stepMs?: readonly [min: number, max: number];
  /** Each process knows the store's time only up to this, milliseconds. */
  doubtMs?: number;
}

interface Departure {
  process: number;
  leftMs: number;
  arrivedMs: number;
}

/** A process that is killed releases nothing. */
class Killed extends Error {}

/** Each exporter sends its requests. When its process is killed, a new process sends the rest. */
export async function simulateFleet(fleet: Fleet) {
  const { heldFrom, killChance, killsMax, requestTimeoutMs, answerMs, storeDelayMs } = fleet;
  const random = createRandom(fleet.seed);
  const clock = createClock(undefined, 1);
  const quota = wholeQuota(fleet.quota.requests, fleet.quota.windowSeconds);
  const shared = createMemoryStore({ nowMs: clock.nowMs });
  const departures: Departure[] = [];
  let processes = 0;
  let kills = 0;
  let steppedMs = 0;
  let total = 0;
  const chance = (share: number) => random() < share;
  const between = (min: number, max: number) => min + random() * (max - min);
  const whole = (min: number, max: number) => Math.floor(between(min, max + 1));

  function openStore(maybeDie: () => void): Store {
    const ownDoubtMs = random() * (fleet.doubtMs ?? 0);
    const behindMs = random() * ownDoubtMs;
    async function call<T>(effect: () => Promise<T>): Promise<T> {
      maybeDie();
      await clock.sleep(random() * storeDelayMs);
      if (clock.monotonicMs() > idealMs() * 3 + 3_600_000) throw new Error('livelock');
      const result = await effect();
      await clock.sleep(random() * storeDelayMs);
      maybeDie();
      return result;
    }
    return {
      ...shared,
      nowMs: () => shared.nowMs() - behindMs,
      doubtMs: () => ownDoubtMs,
      put: (key, bytes) => call(() => shared.put(key, bytes)),
      list: (prefix) => call(() => shared.list(prefix)),
      delete: (key) => call(() => shared.delete(key)),
    };
  }

  /** The time that the quota needs for all requests, plus the time that killed reservations and clock steps can cost. */
  function idealMs(): number {
    const windows = Math.ceil(total / quota.requests);
    const held = kills * (sendWithinMs + requestTimeoutMs + quota.windowMs);
    return windows * quota.windowMs + held + steppedMs;
  }

  function maybeStep(share: number): void {
    if (!fleet.stepMs || !chance(share)) return;
    const deltaMs = between(...fleet.stepMs);
    steppedMs += Math.abs(deltaMs);
    clock.step(deltaMs);
  }

  /** Resolves with the number of requests that this process did not send. */
  async function runProcess(count: number): Promise<number> {
    const process = processes++;
    let isDead = false;
    let left = count;
    const maybeDie = () => {
      if (!isDead && kills < killsMax && chance(killChance)) {
        isDead = true;
        kills += 1;
      }
      if (isDead) throw new Killed();
    };
    const ports = { quota, heldFrom, requestTimeoutMs, random };
    const ledger = openTestLedger(clock, openStore(maybeDie), ports);
    try {
      while (left > 0) {
        maybeStep(0.2);
        const isAdmitted = await ledger.admit(user, Math.min(left, whole(1, 7)));
        if (!isAdmitted) throw new Error('refused, although it may wait');
        maybeDie();
        await clock.sleep(random() * (chance(0.2) ? 250 : fleet.departMs));
        maybeDie();
        const leftMs = clock.monotonicMs();
        const slowestMs = chance(0.1) ? requestTimeoutMs : answerMs;
        // Slots that are held from the departure allow the way to the service to vary by the guard only.
        const wayMs =
          heldFrom === 'answer'
            ? random() * slowestMs
            : between(answerMs / 2, answerMs / 2 + guardMinMs);
        departures.push({ process, leftMs, arrivedMs: leftMs + wayMs });
        left -= 1;
        maybeDie();
        await clock.sleep(wayMs + random() * answerMs);
        maybeDie();
        maybeStep(0.02);
        const error = chance(0.1) ? new TransientError('RESET', 'reset', 'wait') : null;
        await ledger.sent(user, { atMonotonicMs: leftMs, error });
        if (chance(0.1)) await ledger.release();
        if (chance(0.15)) await clock.sleep(random() * fleet.idleMs);
      }
      await ledger.release();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    return left;
  }

  async function runExporter(): Promise<void> {
    let left = whole(...fleet.work);
    total += left;
    await clock.sleep(random() * 1_000);
    while (left > 0) left = await runProcess(left);
  }

  await clock.run(Promise.all(Array.from({ length: fleet.exporters }, runExporter)));
  return {
    departures,
    quota,
    kills,
    total,
    idealMs: idealMs(),
    tookMs: clock.monotonicMs(),
    entries: shared.dump().size,
  };
}
