// Goal: one exporter at a time, none locked out for longer than a lease. Method: both kinds of lease, on files and on objects, by the
// same rules in virtual time; then what is special to each.

import { describe, expect, test } from 'vitest';
import { StoppedError } from '../../lib/core/errors.ts';
import type { Store } from '../../lib/core/ports.ts';
import { type Lease, leaseMs, takeLease } from '../../lib/quota/lease.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock } from '../support/world.ts';

function createHosts(options: Partial<MemoryStoreOptions> = {}) {
  const clock = createClock(undefined, 1);
  const store = createMemoryStore({ nowMs: clock.nowMs, ...options });
  const gone = new Set<string>();
  const warnings: string[] = [];
  let processes = 0;
  async function take(overrides: { store?: Store; identity?: string } = {}) {
    processes += 1;
    const identity = overrides.identity ?? `process-${processes}`;
    return takeLease({
      store: overrides.store ?? store,
      clock,
      host: { identity, isGone: (other) => gone.has(other) },
      log: (_level, message) => warnings.push(message),
      random: createRandom(processes),
    });
  }
  /** For those who must get it. */
  async function takeNow(overrides: Parameters<typeof take>[0] = {}): Promise<Lease> {
    const lease = await take(overrides);
    if ('heldForMs' in lease) throw new Error(`held for ${lease.heldForMs} ms`);
    return lease;
  }
  const leases = () => [...store.dump().keys()].filter((key) => key.startsWith('_lease/'));
  return { clock, store, gone, warnings, take, takeNow, leases };
}

const kinds: [string, Partial<MemoryStoreOptions>][] = [
  ['files', { exclusive: true }],
  ['objects', { settleMs: 200 }],
];

for (const [name, options] of kinds) {
  describe(`on ${name}`, () => {
    test('is held until it is given back, and leaves nothing behind', async () => {
      const { clock, take, takeNow, leases } = createHosts(options);
      await clock.run(
        (async () => {
          const first = await takeNow();
          expect(await take()).toEqual({ heldForMs: expect.any(Number) });
          await first.release();
          expect(leases()).toEqual([]);
          await (await takeNow()).release();
        })(),
      );
      expect(leases()).toEqual([]);
    });

    test('ends 30 s after the last sign of life, by the time of the store', async () => {
      const { clock, take, takeNow } = createHosts(options);
      const startMs = clock.nowMs();
      await clock.run(takeNow());
      clock.advance(20_000);
      const { heldForMs } = (await clock.run(take())) as { heldForMs: number };
      expect(heldForMs).toBe(startMs + leaseMs - clock.nowMs());
      clock.advance(heldForMs - 1);
      expect(await clock.run(take())).toEqual({ heldForMs: 1 });
      clock.advance(1);
      await clock.run(takeNow());
    });

    test('ends at once where its holder is gone', async () => {
      const { clock, takeNow, gone } = createHosts(options);
      await clock.run(takeNow({ identity: 'dead' }));
      gone.add('dead');
      await clock.run(takeNow());
    });

    test('is kept by signs of life, given only when one is due', async () => {
      let writes = 0;
      const { clock, take, takeNow } = createHosts({
        ...options,
        onCall: ({ op, phase }) => {
          if (phase === 'before' && op === 'put') writes += 1;
        },
      });
      const lease = await clock.run(takeNow());
      writes = 0;
      for (let second = 1; second <= 120; second += 1) {
        clock.advance(1_000);
        await clock.run(lease.renew());
        if (second % 10 === 0) expect(await clock.run(take())).toHaveProperty('heldForMs');
      }
      expect(writes).toBe(6);
    });

    test('is lost to whoever took over: renewing says so, again and again, and gives nothing back', async () => {
      const { clock, takeNow, leases } = createHosts(options);
      const lost = await clock.run(takeNow());
      clock.advance(leaseMs + 1);
      const lease = await clock.run(takeNow());
      for (let count = 0; count < 2; count += 1) {
        const renewed = clock.run(lost.renew());
        await expect(renewed).rejects.toThrow(StoppedError);
        await expect(renewed).rejects.toMatchObject({ code: 'LEASE_LOST' });
      }
      await clock.run(lost.release());
      expect(leases()).toHaveLength(1);
      clock.advance(13_000);
      await clock.run(lease.renew());
    });

    test('is not given back by one that lost it without noticing', async () => {
      const { clock, takeNow, take, leases } = createHosts(options);
      const lost = await clock.run(takeNow());
      clock.advance(leaseMs + 1);
      await clock.run(takeNow());
      await clock.run(lost.release());
      expect(leases()).toHaveLength(1);
      expect(await clock.run(take())).toHaveProperty('heldForMs');
    });

    test('of a holder whose clock is far ahead ends after 30 s all the same', async () => {
      const { clock, store, take, takeNow } = createHosts(options);
      const ahead = { ...store, nowMs: () => clock.nowMs() + 3_600_000 };
      await clock.run(takeNow({ store: ahead }));
      expect(await clock.run(take())).toEqual({ heldForMs: leaseMs });
      clock.advance(leaseMs);
      await clock.run(takeNow());
    });

    test('that cannot be read holds for 30 s at the most', async () => {
      const { clock, store, take, leases, takeNow } = createHosts(options);
      await clock.run(takeNow());
      const [key = ''] = leases();
      for (const half of ['', '{"identity":"a","tok', 'null', '{"identity":1}', '[]']) {
        await store.put(key, Buffer.from(half));
        expect(await clock.run(take()), half).toEqual({ heldForMs: leaseMs });
      }
      // From when it was written, not from when it is looked at.
      clock.advance(leaseMs - 1);
      expect(await clock.run(take())).toEqual({ heldForMs: 1 });
      clock.advance(1);
      await clock.run(takeNow());
    });

    test('a store that fails at the end is a warning, and the lease ends by itself', async () => {
      let broken = false;
      const { clock, takeNow, warnings } = createHosts({
        ...options,
        onCall: () => {
          if (broken) throw new Error('offline');
        },
      });
      const lease = await clock.run(takeNow());
      broken = true;
      await clock.run(lease.release());
      expect(warnings).toEqual(['the lease was not given back; it ends by itself']);
      broken = false;
      clock.advance(leaseMs);
      await clock.run(takeNow());
    });

    test('of many at once one at a time has it: 200 seeds', async () => {
      for (let seed = 1; seed <= 200; seed += 1) {
        const random = createRandom(seed);
        const { clock, take } = createHosts({
          ...options,
          onCall: (): Promise<void> => clock.sleep(random() * 30),
        });
        let holders = 0;
        let most = 0;
        let turns = 0;
        const work = async () => {
          await clock.sleep(random() * (seed % 2 === 0 ? 20 : 500));
          for (;;) {
            const lease = await take();
            if ('heldForMs' in lease) {
              await clock.sleep(200 + random() * 500);
              continue;
            }
            // On objects it is known after the moment in which others may have written too.
            await clock.sleep(options.settleMs ?? 0);
            const kept = await lease.renew().then(
              () => true,
              () => false,
            );
            if (!kept) {
              await clock.sleep(200 + random() * 500);
              continue;
            }
            holders += 1;
            most = Math.max(most, holders);
            turns += 1;
            await clock.sleep(random() * 2_000);
            await lease.renew();
            holders -= 1;
            await lease.release();
            return;
          }
        };
        await clock.run(Promise.all([work(), work(), work(), work()]));
        expect([most, turns], `seed ${seed}`).toEqual([1, 4]);
      }
    });
  });
}

describe('on files', () => {
  test('taking over counts up and clears away what is older', async () => {
    const { clock, takeNow, leases } = createHosts({ exclusive: true });
    await clock.run(takeNow());
    expect(leases()).toEqual(['_lease/000000000001']);
    clock.advance(leaseMs);
    await clock.run(takeNow());
    expect(leases()).toEqual(['_lease/000000000002']);
  });

  test('a number that is none does not lock everybody out', async () => {
    const { clock, store, takeNow, leases } = createHosts({ exclusive: true });
    await store.put('_lease/zzz', Buffer.from('junk'));
    for (let count = 0; count < 3; count += 1) {
      clock.advance(leaseMs);
      await clock.run(takeNow());
    }
    expect(leases()).toEqual(['_lease/000000000003']);
  });
});

describe('on objects', () => {
  test('of two that write at the same moment the last holds, and the other is told at its first renewal after it', async () => {
    const { clock, takeNow } = createHosts({ settleMs: 200 });
    const [first, second] = await clock.run(Promise.all([takeNow(), takeNow()]));
    // Both may begin: an invocation is billed while it waits, and no promise rests on the lease.
    await clock.run(Promise.all([first.renew(), second.renew()]));
    clock.advance(200);
    await expect(clock.run(first.renew())).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await clock.run(second.renew());
  });

  test("what is known to be its own is given back without asking again; what may be another's is asked for", async () => {
    const calls: string[] = [];
    const { clock, takeNow, leases } = createHosts({
      settleMs: 200,
      onCall({ op, phase }) {
        if (phase === 'before') calls.push(op);
      },
    });
    const short = await clock.run(takeNow());
    await clock.run(short.release());
    expect(calls).toEqual(['get', 'put', 'get', 'delete']);
    const settled = await clock.run(takeNow());
    clock.advance(200);
    await clock.run(settled.renew());
    calls.length = 0;
    await clock.run(settled.release());
    expect(calls).toEqual(['delete']);
    const silent = await clock.run(takeNow());
    clock.advance(200);
    await clock.run(silent.renew());
    clock.advance(leaseMs);
    await clock.run(takeNow());
    await clock.run(silent.release());
    expect(leases()).toHaveLength(1);
  });
});
