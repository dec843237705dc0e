// Tests promise 6 for sealing: damaged evidence never stops an export and is never replaced silently. Each test damages a store
// with two snapshots, seals further ones, and asks what the seal reports and what verify finds from then on.

import { describe, expect, test } from 'vitest';
import {
  headKey,
  latestKey,
  manifestKey,
  sealRecordKey,
  snapshotName,
} from '../../lib/core/object-keys.ts';
import { readChainEnd } from '../../lib/sealing/chain-end.ts';
import type { SealPorts } from '../../lib/sealing/seal.ts';
import {
  decodeSealed,
  encodeManifest,
  encodePointer,
  pointerTo,
  type Sealed,
} from '../../lib/snapshots/manifest.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { createRecordedStore, first, many, second } from '../support/sealed-run.ts';
import { createSealPorts, sealWithFaults, someTarget, storeRun } from '../support/stored-run.ts';

const hourMs = 3_600_000;
const [head, latest] = [headKey(someTarget), latestKey(someTarget)];
const keyOf = (snapshot: string) => manifestKey(someTarget, snapshot);

/** A store with the snapshots `first` and `second`; the store's time is that of `second`. */
async function createWorld() {
  const { clock, store, recorded } = createRecordedStore();
  async function seal(
    snapshot = snapshotName(clock.nowMs()),
    ports: Partial<Pick<SealPorts, 'remembered' | 'signing'>> = {},
  ) {
    const run = await storeRun(recorded, { snapshot, pages: [many] });
    const { sealed, faults } = await clock.run(
      sealWithFaults(createSealPorts(recorded, clock, ports), run),
    );
    clock.advance(6 * hourMs);
    return { ...sealed, faults, run: run.checkpoint.run };
  }
  const one = await seal();
  const two = await seal();
  expect([one.manifest.snapshot, two.manifest.snapshot]).toEqual([first, second]);
  const bytesOf = (key: string) => store.dump().get(key)?.bytes ?? new Uint8Array();
  const verify = async () =>
    (await verifyStore(store, () => {})).faults.map(({ key, message }) => `${key} ${message}`);
  return { clock, store, seal, one, two, bytesOf, verify };
}

type World = Awaited<ReturnType<typeof createWorld>>;

const replaceIn = (bytes: Uint8Array, from: string, to: string) =>
  Buffer.from(Buffer.from(bytes).toString().replace(from, to));

const named = ({ manifest, manifestSha256 }: Sealed) => {
  return { snapshot: manifest.snapshot, manifestSha256 };
};

describe('a lost or altered manifest', () => {
  test('that _head names stays the predecessor, is reported once, and verify names it for ever', async () => {
    const { store, seal, two, verify } = await createWorld();
    await store.delete(keyOf(second));
    for (const { key } of two.manifest.parts) await store.delete(key);
    expect(await verify()).toEqual([
      `${keyOf(second)} is missing: ${head} names it`,
      `${keyOf(second)} is missing: ${latest} names it`,
    ]);
    const three = await seal();
    expect(three.manifest.previous).toEqual(named(two));
    expect(three.faults).toMatchObject([
      { key: keyOf(second), message: expect.stringContaining('missing') },
    ]);
    expect((await seal()).faults).toEqual([]);
    expect(await verify()).toEqual([
      `${keyOf(second)} is missing: ${three.manifest.snapshot} names it as its predecessor`,
    ]);
  });

  test('of every snapshot is missing for ever too', async () => {
    const { store, seal, two, verify } = await createWorld();
    for (const key of [...store.dump().keys()])
      if (!key.startsWith('_head/')) await store.delete(key);
    const three = await seal();
    expect(three.manifest.previous).toEqual(named(two));
    expect(three.faults).toHaveLength(1);
    expect((await seal()).faults).toEqual([]);
    expect(await verify()).toEqual([
      `${keyOf(second)} is missing: ${three.manifest.snapshot} names it as its predecessor`,
    ]);
  });

  test.each([
    ['changed', (text: string) => text.replace('"retries":0', '"retries":7')],
    ['truncated', (text: string) => text.slice(0, 100)],
    ['empty', () => ''],
  ])(
    'that is %s does not stop sealing, and the chain keeps the hash of what it was',
    async (_how, alter) => {
      const { store, seal, two, bytesOf, verify } = await createWorld();
      const text = Buffer.from(bytesOf(keyOf(second))).toString();
      expect(alter(text)).not.toBe(text);
      await store.put(keyOf(second), Buffer.from(alter(text)));
      const three = await seal();
      expect(three.manifest.previous).toEqual(named(two));
      expect(three.faults).toMatchObject([{ key: keyOf(second) }]);
      expect((await seal()).faults).toEqual([]);
      expect(await verify()).toContain(
        `${keyOf(second)} was altered: ${three.manifest.snapshot} recorded another hash of it`,
      );
    },
  );
});

describe('_head', () => {
  test.each([
    ['is deleted', null],
    ['cannot be read', Buffer.from('{"snapshot":')],
    ['is the one of another target', 'moved' as const],
  ])(
    'that %s: the newest manifest is the predecessor, and that is reported once',
    async (_how, bytes) => {
      const { store, seal, two, bytesOf, verify } = await createWorld();
      const moved = Buffer.from(
        Buffer.from(bytesOf(head)).toString().replaceAll('prj=p1', 'prj=p2'),
      );
      if (bytes === null) await store.delete(head);
      else await store.put(head, bytes === 'moved' ? moved : bytes);
      expect(await verify()).toHaveLength(1);
      const three = await seal();
      expect(three.manifest.previous).toEqual(named(two));
      expect(three.faults).toMatchObject([
        { key: head, hint: expect.stringContaining('best evidence') },
      ]);
      expect((await seal()).faults).toEqual([]);
      expect(await verify()).toEqual([]);
    },
  );

  test.each([null, Buffer.from('{')])(
    'that is lost together with the newest manifest: _latest names what is missing',
    async (bytes) => {
      const { store, seal, two, verify } = await createWorld();
      await store.delete(keyOf(second));
      if (bytes === null) await store.delete(head);
      else await store.put(head, bytes);
      const three = await seal();
      expect(three.manifest.previous).toEqual(named(two));
      expect(three.faults.map(({ key }) => key)).toEqual([head, keyOf(second)]);
      expect(await verify()).toContain(
        `${keyOf(second)} is missing: ${three.manifest.snapshot} names it as its predecessor`,
      );
    },
  );

  test('that was set back is reported, and the chain does not fork', async () => {
    const { store, seal, two, bytesOf, verify } = await createWorld();
    const old = bytesOf(head);
    await seal();
    const four = await seal();
    await store.put(head, old);
    const five = await seal();
    expect(five.manifest.previous).toEqual(named(four));
    expect(five.faults).toMatchObject([
      { key: head, message: expect.stringContaining('set back') },
    ]);
    expect(two.manifest.snapshot < four.manifest.snapshot).toBe(true);
    expect(await verify()).toEqual([]);
  });

  test('one snapshot behind is not a fault if a young seal record shows that the exporter was killed', async () => {
    const { clock, store, seal, bytesOf, verify } = await createWorld();
    const old = bytesOf(head);
    const three = await seal();
    await store.put(head, old);
    expect((await readChainEnd(store, someTarget, null)).faults).toEqual([]);
    clock.advance(18 * hourMs);
    expect((await readChainEnd(store, someTarget, null)).faults).toMatchObject([{ key: head }]);
    clock.advance(-18 * hourMs);
    await store.delete(sealRecordKey(someTarget, three.manifest.snapshot, three.run));
    expect((await readChainEnd(store, someTarget, null)).faults).toMatchObject([{ key: head }]);
    expect((await seal()).manifest.previous).toEqual(named(three));
    expect(await verify()).toEqual([]);
  });

  test('one snapshot behind is a fault if the schedule remembers that the seal was finished', async () => {
    const { store, seal, bytesOf } = await createWorld();
    const old = bytesOf(head);
    const three = await seal();
    await store.put(head, old);
    const { faults, previous } = await readChainEnd(store, someTarget, named(three));
    expect(faults).toMatchObject([{ key: head, message: expect.stringContaining('set back') }]);
    expect(previous).toEqual(named(three));
  });

  test.each<[string, string, (bytes: Uint8Array, old: Uint8Array) => Uint8Array | null]>([
    ['_head with another account', head, (bytes) => replaceIn(bytes, '"prod"', '"test"')],
    ['_latest with another account', latest, (bytes) => replaceIn(bytes, '"prod"', '"test"')],
    ['_latest that is deleted', latest, () => null],
    ['_latest that was set back', latest, (_bytes, old) => old],
  ])('%s is reported once and written again', async (_name, key, change) => {
    const { store, seal, bytesOf, verify } = await createWorld();
    const old = bytesOf(key);
    await seal();
    const changed = change(bytesOf(key), old);
    if (changed === null) await store.delete(key);
    else await store.put(key, changed);
    expect(await verify()).toHaveLength(1);
    expect((await seal()).faults).toMatchObject([{ key }]);
    expect((await seal()).faults).toEqual([]);
    expect(await verify()).toEqual([]);
  });

  test('decides, if a newer manifest does not continue what it names', async () => {
    const { clock, store, seal, one, two, verify } = await createWorld();
    const forged = snapshotName(clock.nowMs() - hourMs);
    const empty = { parts: [], rows: 0, rejects: 0 };
    const manifest = { ...two.manifest, snapshot: forged, previous: named(one), ...empty };
    await store.put(keyOf(forged), encodeManifest(manifest));
    const three = await seal();
    expect(three.manifest.previous).toEqual(named(two));
    expect(three.faults).toMatchObject([{ key: keyOf(forged) }]);
    expect(await verify()).toEqual([
      `${keyOf(forged)} names ${first} as its predecessor, as ${second} does: the chain forks`,
    ]);
  });
});

describe('a history that was rewritten with all hashes and pointers', () => {
  /** Replaces the newest `count` manifests by others that fit together, and the pointers by those to the last one. */
  async function rewrite(world: World, sealed: readonly Sealed[]) {
    const { store, two } = world;
    let previous = sealed[0]?.manifest.previous ?? null;
    for (const { manifest, manifestKey: key } of sealed) {
      const bytes = encodeManifest({ ...manifest, previous, values: {} });
      await store.put(key, bytes);
      const forged = decodeSealed(key, bytes);
      previous = named(forged);
      for (const pointer of [head, latest])
        await store.put(pointer, encodePointer(pointerTo(forged)));
    }
    expect(previous).not.toEqual(named(two));
  }

  test('is reported once if the schedule remembers the newest manifest, and stays visible for ever', async () => {
    const world = await createWorld();
    const { seal, one, two, verify } = world;
    await rewrite(world, [one, two]);
    const three = await seal(undefined, { remembered: named(two) });
    expect(three.faults).toMatchObject([
      { key: keyOf(second), message: expect.stringContaining('_runs/schedule.json') },
    ]);
    expect(three.manifest.previous).toEqual(named(two));
    expect((await seal(undefined, { remembered: named(three) })).faults).toEqual([]);
    expect(await verify()).toEqual([
      `${keyOf(second)} was altered: ${three.manifest.snapshot} recorded another hash of it`,
    ]);
  });

  test('is reported too if newer snapshots follow it', async () => {
    const world = await createWorld();
    const { seal, two, verify } = world;
    const three = await seal();
    await rewrite(world, [two, three]);
    const four = await seal(undefined, { remembered: named(two) });
    expect(four.faults.map(({ key }) => key)).toEqual([
      keyOf(three.manifest.snapshot),
      keyOf(second),
    ]);
    expect(four.manifest.previous).toEqual(named(two));
    expect((await seal(undefined, { remembered: named(four) })).faults).toEqual([]);
    expect(await verify()).toContainEqual(expect.stringContaining(`${keyOf(second)} was altered`));
  });

  test('is not suspected if the schedule is older than the chain, also with a gap in between', async () => {
    const { store, seal, one, two } = await createWorld();
    const three = await seal();
    expect((await seal(undefined, { remembered: named(one) })).faults).toEqual([]);
    await store.delete(two.manifestKey);
    const five = await seal(undefined, { remembered: named(one) });
    expect(five.faults).toEqual([]);
    expect(three.manifest.previous).toEqual(named(two));
  });
});

test('an unreadable _latest is reported, and written again', async () => {
  const { store, seal, bytesOf, verify } = await createWorld();
  await store.put(latest, Buffer.from('{}\n'));
  expect((await seal()).faults).toMatchObject([{ key: latest }]);
  expect((await seal()).faults).toEqual([]);
  expect(bytesOf(latest)).toEqual(bytesOf(head));
  expect(await verify()).toEqual([]);
});

describe('a manifest under a name that is not its own', () => {
  test.each(['20991231T000000Z', '20261124T150000Z'])(
    'is ignored: copied to %s, it does not stop an export, and stays a fault',
    async (name) => {
      const { store, seal, two, bytesOf, verify } = await createWorld();
      await store.put(keyOf(name), bytesOf(keyOf(second)));
      const three = await seal();
      expect(three.manifest).toMatchObject({ snapshot: '20261124T180000Z', previous: named(two) });
      expect(three.faults).toMatchObject([
        { key: keyOf(name), message: expect.stringContaining('copied') },
      ]);
      expect(await verify()).toEqual([
        expect.stringContaining(`${keyOf(name)} is the manifest of`),
      ]);
      const { newest, newestName } = await readChainEnd(store, someTarget, null);
      expect([newest?.manifest.snapshot, newestName]).toEqual([
        '20261124T180000Z',
        '20261124T180000Z',
      ]);
    },
  );

  test('is not overwritten by the run of that name', async () => {
    const { store, seal, bytesOf } = await createWorld();
    const name = '20261124T180000Z';
    await store.put(keyOf(name), bytesOf(keyOf(second)));
    await expect(seal(name)).rejects.toMatchObject({ code: 'CORRUPT', key: keyOf(name) });
    expect(bytesOf(keyOf(name))).toEqual(bytesOf(keyOf(second)));
  });
});

describe('a snapshot that is named more than 24 hours after the store time', () => {
  test('stays in the chain; the next one follows it under its own name, and the pointers move to it', async () => {
    const { clock, store, seal, bytesOf, verify } = await createWorld();
    clock.step(400 * 24 * hourMs);
    const future = await seal();
    clock.step(-400 * 24 * hourMs);
    expect(future.faults).toEqual([]);
    expect((await readChainEnd(store, someTarget, null)).newestName).toBe(second);
    expect(await verify()).toEqual([]);
    const three = await seal();
    expect(three.manifest.previous).toEqual(named(future));
    expect(three.faults).toMatchObject([
      { key: future.manifestKey, message: expect.stringContaining('24 hours') },
    ]);
    for (const key of [head, latest]) {
      expect(JSON.parse(Buffer.from(bytesOf(key)).toString())).toMatchObject(named(three));
    }
    expect((await seal()).manifest.previous).toEqual(named(three));
    const { faults, future: listed } = await verifyStore(store, () => {});
    expect([faults, listed]).toEqual([[], [future.manifestKey]]);
  });

  test('that a drifted snapshot follows is still the newest complete one of the chain', async () => {
    const { clock, store, seal, verify } = await createWorld();
    clock.step(400 * 24 * hourMs);
    await seal();
    clock.step(-400 * 24 * hourMs);
    const snapshot = snapshotName(clock.nowMs());
    const run = await storeRun(store, { snapshot, pages: [many], verdict: 'drifted' });
    await clock.run(sealWithFaults(createSealPorts(store, clock), run));
    expect(await verify()).toEqual([]);
  });

  test('up to 24 hours ahead, a name counts: an older run is overtaken', async () => {
    const { clock, seal } = await createWorld();
    clock.step(18 * hourMs);
    await seal();
    clock.step(-24 * hourMs);
    await expect(seal()).rejects.toMatchObject({ code: 'OVERTAKEN' });
  });
});
