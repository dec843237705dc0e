// Responsible for simulated hosts that share one folder: their clocks jump, their processes are killed, and they are started
// again. The seed decides all of it. Not responsible for judging the result: host-clocks.property.test.ts does.

import type { Clock, Host, Store } from '../../lib/core/ports.ts';
import { wholeQuota } from '../../lib/quota/window.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock } from '../support/virtual-clock.ts';
import { openTestLedger, user } from './fleet-simulation.ts';

const yearMs = 365 * 86_400_000;

export interface Hosts {
  seed: number;
  hosts: number;
  /** Whose clock stamps the files: a file server's, which is steady, or that of the only host, which jumps. */
  clock: 'server' | 'host';
  quota: { requests: number; windowSeconds: number };
  /** Each host sends this many requests. */
  work: number;
  requestTimeoutMs: number;
  /** `export` waits as long as it needs; `tick` waits 3 s at most, and starts every 20 s. */
  command: 'export' | 'tick';
  killChance: number;
  rebootChance: number;
  /** Chance of a clock jump around each request. */
  jumpChance: number;
  /** The longest time until a killed process starts again, milliseconds. */
  restartMs: number;
}

class Killed extends Error {}

/** Resolves with the real times at which requests left. */
export async function simulateHosts(options: Hosts) {
  const { clock: kind, requestTimeoutMs } = options;
  const random = createRandom(options.seed);
  const real = createClock(undefined, 1);
  const quota = wholeQuota(options.quota.requests, options.quota.windowSeconds);
  const chance = (share: number) => random() < share;
  const departedMs: number[] = [];
  /** When a process ended, or a host started again, without settling its reservation. */
  const lostMs: number[] = [];
  const counts = { kills: 0, reboots: 0, jumps: 0 };
  let stampMs = () => real.nowMs();
  const folder = createMemoryStore({ nowMs: () => stampMs() });

  async function runHost(number: number): Promise<void> {
    let boots = 0;
    let boot = '';
    let startedMs = 0;
    let wallOffsetMs = 0;
    let pids = 0;
    const living = new Set<string>();
    const nowMs = () => real.nowMs() + wallOffsetMs;

    function start(): void {
      boots += 1;
      boot = `${String(number).padStart(6, '0')}${String(boots).padStart(6, '0')}`;
      startedMs = real.monotonicMs();
      living.clear();
    }

    /** By up to a year, or by about a window: both have broken ledgers. */
    function maybeJump(share: number): void {
      if (!chance(share)) return;
      counts.jumps += 1;
      const rangeMs = chance(0.5) ? yearMs : 3 * quota.windowMs;
      wallOffsetMs = (random() * 2 - 1) * rangeMs;
    }

    const clock: Clock = {
      nowMs,
      monotonicMs: () => real.monotonicMs() - startedMs,
      sleep: (delayMs, signal) => real.sleep(delayMs, signal),
    };
    if (kind === 'host') stampMs = nowMs;

    function openStore(maybeDie: () => void): Store {
      let skewMs = 0;
      async function call<T>(effect: () => Promise<T>): Promise<T> {
        maybeDie();
        await real.sleep(random() * 5);
        const result = await effect();
        await real.sleep(random() * 5);
        maybeDie();
        return result;
      }
      return {
        ...folder,
        nowMs: () => nowMs() + skewMs,
        async readClock() {
          const storeMs = await call(async () => stampMs());
          skewMs = storeMs - nowMs();
          return { kind, nowMs: storeMs };
        },
        put: (key, bytes) => call(() => folder.put(key, bytes)),
        list: (prefix) => call(() => folder.list(prefix)),
        delete: (key) => call(() => folder.delete(key)),
      };
    }

    /** Resolves with the number of requests that are left to send. */
    async function runProcess(count: number): Promise<number> {
      let left = count;
      pids += 1;
      const identity = `${boot}.1.${pids}.7`;
      const ownBoot = boot;
      living.add(identity);
      const maybeDie = () => {
        if (living.has(identity) && chance(options.killChance)) {
          counts.kills += 1;
          lostMs.push(real.monotonicMs());
          living.delete(identity);
        }
        if (!living.has(identity)) throw new Killed();
      };
      const host: Host = {
        identity,
        name: identity,
        boot: ownBoot,
        isGone: (other) => other.startsWith(`${ownBoot}.1.`) && !living.has(other),
      };
      let waitedMs = 0;
      const ledger = openTestLedger(clock, openStore(maybeDie), {
        host,
        quota,
        requestTimeoutMs,
        random,
        heldFrom: 'departure',
        async wait(delayMs) {
          waitedMs += delayMs;
          if (options.command === 'tick' && waitedMs > 3_000) return false;
          const middleMs = random() * delayMs;
          await real.sleep(middleMs);
          maybeJump(options.jumpChance);
          await real.sleep(delayMs - middleMs);
          maybeDie();
          return true;
        },
      });
      try {
        while (left > 0) {
          maybeJump(options.jumpChance);
          if (!(await ledger.admit(user, left))) break;
          maybeDie();
          await real.sleep(random() * 20);
          maybeDie();
          departedMs.push(real.monotonicMs());
          const atMonotonicMs = clock.monotonicMs();
          left -= 1;
          await real.sleep(random() * 200);
          maybeJump(options.jumpChance);
          maybeDie();
          await ledger.sent(user, { atMonotonicMs, error: null });
        }
        await ledger.release();
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
      living.delete(identity);
      return left;
    }

    start();
    maybeJump(1);
    await real.sleep(random() * 1_000);
    for (let left = options.work; left > 0; ) {
      left = await runProcess(left);
      if (chance(options.rebootChance)) {
        counts.reboots += 1;
        lostMs.push(real.monotonicMs());
        // The clock of a host that was off can be anything.
        await real.sleep(random() * 5_000);
        start();
        maybeJump(0.8);
      }
      const pauseMs = options.command === 'tick' ? 20_000 : options.restartMs;
      await real.sleep(random() * pauseMs);
      if (real.monotonicMs() > 100 * 3_600_000) throw new Error('no progress');
    }
  }

  const all = Array.from({ length: options.hosts }, (_, index) => runHost(index + 1));
  await real.run(Promise.all(all));
  return { departedMs, lostMs, quota, ...counts, entries: folder.dump().size };
}
