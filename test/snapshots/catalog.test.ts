// Tests finding and reading the sealed snapshots of a target.

import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { manifestKey } from '../../lib/core/object-keys.ts';
import { findNewest, listSnapshots, readManifest } from '../../lib/snapshots/catalog.ts';
import { encodeManifest, type Manifest } from '../../lib/snapshots/manifest.ts';
import { createRecordedStore, first, many, seal, second, third } from '../support/sealed-run.ts';
import { createSealPorts, sealStored, someTarget, storeRun } from '../support/stored-run.ts';

test('lists the snapshots of one target, oldest first, and ignores other objects', async () => {
  const { clock, recorded } = createRecordedStore();
  for (const snapshot of [first, second]) {
    const run = await storeRun(recorded, { snapshot, pages: [many] });
    await clock.run(sealStored(createSealPorts(recorded, clock), run));
  }
  const other = { ...someTarget, projectId: 'p12' };
  await recorded.put(manifestKey(other, first), Buffer.from('{}'));
  await recorded.put(`${manifestKey(someTarget, first)}.bak`, Buffer.from('x'));
  expect(await listSnapshots(recorded, someTarget)).toEqual([first, second]);
});

test('reads a manifest as it was sealed; an unsealed snapshot is null', async () => {
  const { recorded, sealed } = await seal({ snapshot: first, pages: [many] });
  expect(await readManifest(recorded, someTarget, first)).toEqual(sealed);
  expect(await readManifest(recorded, someTarget, second)).toBeNull();
});

describe('the newest snapshot', () => {
  test('is the newest that is wanted; null if there is none', async () => {
    const { recorded, clock, ports, sealed } = await seal({ snapshot: first, pages: [many] });
    const drifted = await storeRun(recorded, {
      snapshot: second,
      pages: [many],
      verdict: 'drifted',
    });
    const newer = await clock.run(sealStored(ports, drifted));
    expect(await findNewest(recorded, someTarget)).toEqual(newer);
    const isComplete = ({ verdict }: Manifest) => verdict === 'complete';
    expect(await findNewest(recorded, someTarget, isComplete)).toEqual(sealed);
    expect(await findNewest(recorded, { ...someTarget, projectId: 'p2' })).toBeNull();
  });

  test('is never a manifest that is damaged, copied from another name, or named after tomorrow', async () => {
    const { recorded, store, sealed, clock } = await seal({ snapshot: first, pages: [many] });
    const bytes = store.dump().get(sealed.manifestKey)?.bytes ?? new Uint8Array();
    await store.put(manifestKey(someTarget, second), bytes);
    await store.put(manifestKey(someTarget, third), Buffer.from('{}\n'));
    const { manifest } = sealed;
    const future = '20261125T060001Z';
    const key = manifestKey(someTarget, future);
    await store.put(key, encodeManifest({ ...manifest, snapshot: future }));
    expect(await findNewest(recorded, someTarget)).toEqual(sealed);
    clock.advance(1_000);
    // Up to 24 hours ahead, the name counts.
    expect((await findNewest(recorded, someTarget))?.manifest.snapshot).toBe(future);
  });
});

test('throws CorruptError that names a truncated manifest', async () => {
  const { recorded, store } = await seal({ snapshot: first, pages: [many] });
  const key = manifestKey(someTarget, first);
  const bytes = store.dump().get(key)?.bytes ?? new Uint8Array();
  await store.put(key, bytes.subarray(0, -1));
  const failed = readManifest(recorded, someTarget, first);
  await expect(failed).rejects.toThrow(CorruptError);
  await expect(failed).rejects.toMatchObject({ key });
});
