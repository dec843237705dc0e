// Tests finding and reading the sealed snapshots of a target.

import { expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { headKey, latestKey, manifestKey } from '../../lib/core/object-keys.ts';
import { listSnapshots, readManifest, readPointed } from '../../lib/snapshots/catalog.ts';
import { createRecordedStore, first, many, seal, second } from '../support/sealed-run.ts';
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

test('follows a pointer to its manifest; a missing pointer or manifest is null', async () => {
  const { recorded, store, manifest } = await seal({ snapshot: first, pages: [many] });
  expect(await readPointed(recorded, someTarget, latestKey(someTarget))).toEqual(manifest);
  expect(await readPointed(recorded, someTarget, '_head/missing.json')).toBeNull();
  await store.delete(manifestKey(someTarget, first));
  expect(await readPointed(recorded, someTarget, headKey(someTarget))).toBeNull();
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
