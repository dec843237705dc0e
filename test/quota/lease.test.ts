// Tests that one exporter holds the lease at a time, and that no exporter is locked out for longer than a lease. Method: both kinds
// of lease, on files and on objects, must pass the same tests in virtual time; then the tests that are special to one kind.

import { describe, expect, test } from 'vitest';
import { StoppedError } from '../../lib/core/errors.ts';
import type { FileClock, Store } from '../../lib/core/ports.ts';
import {
  type Lease,
  type LeasePorts,
  leaseMs,
  readHolder,
  takeLease,
  watchLease,
} from '../../lib/quota/lease.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createClock } from '../support/virtual-clock.ts';

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
      host: { identity, name: identity, boot: null, isGone: (other) => gone.has(other) },
      log: (_level, message) => warnings.push(message),
      random: createRandom(processes),
    });
  }
  /** Fails if another process holds the lease. */
  async function takeNow(overrides: Parameters<typeof take>[0] = {}): Promise<Lease> {
    const lease = await take(overrides);
    if ('heldForMs' in lease) throw new Error(`held for ${lease.heldForMs} ms`);
    return lease;
  }
  const watcher = { identity: 'watcher', name: 'watcher', boot: null };
  const look = () =>
    readHolder({
      ...{ store, clock, host: { ...watcher, isGone: (other: string) => gone.has(other) } },
      ...{ log: () => {}, random: createRandom(99) },
    });
  const leases = () => [...store.dump().keys()].filter((key) => key.startsWith('_lease/'));
  return { clock, store, gone, warnings, take, takeNow, look, leases };
}

const kinds: [string, Partial<MemoryStoreOptions>][] = [
  ['files', { exclusive: true }],
  ['objects', { settleMs: 200 }],
];

for (const [name, options] of kinds) {
  describe(`on ${name}`, () => {
    test('its holder can be read until the holder is gone or the lease has ended, without taking it', async () => {
      const { clock, store, gone, take, look } = createHosts(options);
      await clock.run(
        (async () => {
          expect(await look()).toBeNull();
          await take({ identity: 'one' });
          const before = store.dump();
          expect(await look()).toMatchObject({ holder: 'one' });
          expect(store.dump()).toEqual(before);
          gone.add('one');
          expect(await look()).toBeNull();
          gone.clear();
          await clock.sleep(leaseMs + 1);
          expect(await look()).toBeNull();
        })(),
      );
    });

    test('is held until it is released, and leaves nothing behind', async () => {
      const { clock, take, takeNow, leases } = createHosts(options);
      await clock.run(
        (async () => {
          const first = await takeNow();
          expect(await take()).toMatchObject({ heldForMs: expect.any(Number) });
          await first.release();
          expect(leases()).toEqual([]);
          await (await takeNow()).release();
        })(),
      );
      expect(leases()).toEqual([]);
    });

    test('ends 30 s after it was renewed, by the time of the store', async () => {
      const { clock, take, takeNow } = createHosts(options);
      const startMs = clock.nowMs();
      await clock.run(takeNow());
      clock.advance(20_000);
      const { heldForMs } = (await clock.run(take())) as { heldForMs: number };
      expect(heldForMs).toBe(startMs + leaseMs - clock.nowMs());
      clock.advance(heldForMs - 1);
      expect(await clock.run(take())).toMatchObject({ heldForMs: 1 });
      clock.advance(1);
      await clock.run(takeNow());
    });

    test('ends at once when its holder is gone', async () => {
      const { clock, takeNow, gone } = createHosts(options);
      await clock.run(takeNow({ identity: 'dead' }));
      gone.add('dead');
      await clock.run(takeNow());
    });

    test('lasts while it is renewed, and is written only when renewal is due', async () => {
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

    test('that another process took over is lost: each renew() throws, and release() deletes nothing', async () => {
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

    test('is not deleted by a process that lost it without noticing', async () => {
      const { clock, takeNow, take, leases } = createHosts(options);
      const lost = await clock.run(takeNow());
      clock.advance(leaseMs + 1);
      await clock.run(takeNow());
      await clock.run(lost.release());
      expect(leases()).toHaveLength(1);
      expect(await clock.run(take())).toHaveProperty('heldForMs');
    });

    test('of a holder whose clock is far ahead also ends after 30 s', async () => {
      const { clock, store, take, takeNow } = createHosts(options);
      const ahead = { ...store, nowMs: () => clock.nowMs() + 3_600_000 };
      await clock.run(takeNow({ store: ahead }));
      expect(await clock.run(take())).toMatchObject({ heldForMs: leaseMs });
      clock.advance(leaseMs);
      await clock.run(takeNow());
    });

    test('that cannot be read is held for at most 30 s', async () => {
      const { clock, store, take, leases, takeNow } = createHosts(options);
      await clock.run(takeNow());
      const [key = ''] = leases();
      for (const half of ['', '{"identity":"a","tok', 'null', '{"identity":1}', '[]']) {
        await store.put(key, Buffer.from(half));
        expect(await clock.run(take()), half).toMatchObject({ heldForMs: leaseMs });
      }
      // From the time when it was written, not from the time when it is read.
      clock.advance(leaseMs - 1);
      expect(await clock.run(take())).toMatchObject({ heldForMs: 1 });
      clock.advance(1);
      await clock.run(takeNow());
    });

    test('that cannot be released is a warning, and ends by itself', async () => {
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
      expect(warnings).toEqual(['the lease could not be released; it ends by itself']);
      broken = false;
      clock.advance(leaseMs);
      await clock.run(takeNow());
    });

    const seeds = countCases(200);
    test(`is held by one of four processes at a time, for ${seeds} seeds`, async () => {
      for (let seed = 1; seed <= seeds; seed += 1) {
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
            // On objects the holder is known only when competing writes have ended.
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
  test('taking over creates the next number and deletes older leases', async () => {
    const { clock, takeNow, leases } = createHosts({ exclusive: true });
    await clock.run(takeNow());
    expect(leases()).toEqual(['_lease/000000000001']);
    clock.advance(leaseMs);
    await clock.run(takeNow());
    expect(leases()).toEqual(['_lease/000000000002']);
  });

  test('ignores objects that no exporter wrote, and leaves them where they are', async () => {
    const { clock, store, takeNow, leases } = createHosts({ exclusive: true });
    const foreign = ['_lease/.nfs0001', '_lease/zzz'];
    for (const key of foreign) await store.put(key, Buffer.from('junk'));
    const lease = await clock.run(takeNow());
    await clock.run(lease.renew());
    expect(leases()).toEqual([...foreign, '_lease/000000000001']);
    await clock.run(lease.release());
    expect(leases()).toEqual(foreign);
  });
});

describe('on files, even if clocks are wrong', () => {
  const yearMs = 365 * 86_400_000;

  /** Two hosts, each with its own clocks, and a folder that is stamped by the clock of a file server or of `writer`. */
  function createFolder(kind: FileClock['kind']) {
    const clock = createClock(undefined, 1);
    const offsets = { writer: 0, reader: 0 };
    const stampMs = () => clock.nowMs() + (kind === 'server' ? 0 : offsets.writer);
    const folder = createMemoryStore({ nowMs: stampMs, exclusive: true });
    const portsOf = (
      name: keyof typeof offsets,
      boot: string,
      gone: string[] = [],
    ): LeasePorts => ({
      store: {
        ...folder,
        nowMs: () => clock.nowMs() + offsets[name],
        readClock: async () => ({ kind, nowMs: stampMs() }),
      },
      clock: { ...clock, nowMs: () => clock.nowMs() + offsets[name] },
      host: {
        identity: `${boot}.1.${name === 'writer' ? 11 : 12}.7`,
        name: `process of the ${name}`,
        boot,
        isGone: (identity) => gone.includes(identity),
      },
      log: () => {},
      random: createRandom(name.length),
    });
    return { clock, offsets, portsOf };
  }

  test.each([yearMs, 20_000, -20_000, -yearMs])(
    'within one boot the clock steps by %d ms: the lease ends 30 s after it was written',
    async (stepMs) => {
      const { clock, offsets, portsOf } = createFolder('host');
      await clock.run(takeLease(portsOf('writer', 'aaaaaaaaaaaa')));
      offsets.writer = stepMs;
      offsets.reader = stepMs;
      const reader = portsOf('reader', 'aaaaaaaaaaaa');
      clock.advance(10_000);
      const held = { heldForMs: leaseMs - 10_000, holder: 'process of the writer' };
      expect(await clock.run(takeLease(reader))).toEqual(held);
      clock.advance(leaseMs - 10_000);
      expect(await clock.run(takeLease(reader))).toHaveProperty('renew');
    },
  );

  test.each([
    ['host', yearMs],
    ['host', 40_000],
    ['host', -40_000],
    ['host', -yearMs],
    ['server', yearMs],
    ['server', -yearMs],
  ] as const)(
    'after another boot, with the clock of a %s and a step of %d ms, a waiting exporter gets it within 30 s',
    async (kind, stepMs) => {
      const { clock, offsets, portsOf } = createFolder(kind);
      await clock.run(takeLease(portsOf('writer', 'aaaaaaaaaaaa')));
      offsets.writer = stepMs;
      offsets.reader = stepMs;
      const reader = portsOf('reader', 'bbbbbbbbbbbb');
      const watch = watchLease();
      let waitedMs = 0;
      for (; waitedMs <= 60_000; waitedMs += 1_000) {
        const lease = await clock.run(takeLease(reader, watch));
        if ('renew' in lease) break;
        expect(lease.heldForMs).toBeLessThanOrEqual(leaseMs);
        // The clock steps again while it waits.
        if (waitedMs === 15_000) offsets.writer -= 14_000;
        clock.advance(1_000);
      }
      expect(waitedMs).toBeLessThanOrEqual(leaseMs);
      // A file server shows how long the lease still holds, however wrong the clocks of the hosts are.
      if (kind === 'server') expect(waitedMs).toBe(leaseMs);
    },
  );

  test('a timer, which remembers nothing, is never locked out by a clock that was ahead', async () => {
    const { clock, offsets, portsOf } = createFolder('host');
    offsets.writer = yearMs;
    await clock.run(takeLease(portsOf('writer', 'aaaaaaaaaaaa')));
    offsets.writer = 0;
    expect(await clock.run(takeLease(portsOf('reader', 'bbbbbbbbbbbb')))).toHaveProperty('renew');
  });

  test('two containers that both run as process 1 are two holders', async () => {
    const { clock, portsOf } = createFolder('host');
    const first = { ...portsOf('writer', 'aaaaaaaaaaaa') };
    const second = { ...portsOf('reader', 'aaaaaaaaaaaa') };
    first.host = { ...first.host, identity: 'aaaaaaaaaaaa.4026532100.1.55' };
    second.host = { ...second.host, identity: 'aaaaaaaaaaaa.4026532200.1.66' };
    await clock.run(takeLease(first));
    expect(await clock.run(takeLease(second))).toHaveProperty('heldForMs');
  });

  test('a holder whose lease was taken by an exporter with a wrong clock notices it when it renews', async () => {
    const { clock, offsets, portsOf } = createFolder('host');
    const lease = await clock.run(takeLease(portsOf('writer', 'aaaaaaaaaaaa')));
    if (!('renew' in lease)) throw new Error('held');
    offsets.writer = -yearMs;
    await clock.run(takeLease(portsOf('reader', 'bbbbbbbbbbbb')));
    clock.advance(20_000);
    await expect(clock.run(lease.renew())).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });
});

describe('on objects', () => {
  test('when two write at the same moment the last one holds the lease, and the other loses it at its next renewal', async () => {
    const { clock, takeNow } = createHosts({ settleMs: 200 });
    const [first, second] = await clock.run(Promise.all([takeNow(), takeNow()]));
    // Both may start: an invocation is billed while it waits, and no promise depends on the lease.
    await clock.run(Promise.all([first.renew(), second.renew()]));
    clock.advance(200);
    await expect(clock.run(first.renew())).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await clock.run(second.renew());
  });

  test('release() reads the lease again only if another process may hold it', async () => {
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
