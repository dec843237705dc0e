// Tests reading of single files beyond file.test.ts, which tests what is not an object.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkRoot, readRegularFile } from '../../lib/store/file-read.ts';

test('reads a file of exactly the largest size, and an empty one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'file-read-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'a');
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 256);
  await writeFile(path, bytes);
  expect(Buffer.compare((await readRegularFile(path, 300_000)) as Uint8Array, bytes)).toBe(0);
  await expect(readRegularFile(path, 299_999)).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
  await writeFile(path, '');
  expect(await readRegularFile(path, 10)).toHaveLength(0);
  expect(await readRegularFile(join(folder, 'b'), 10)).toBeNull();
  expect(await readRegularFile(folder, 10)).toBeNull();
});

test('a folder that another process creates during the check is not a broken link', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'root-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const results = await Promise.allSettled(
    Array.from({ length: 300 }, async (_, index) => {
      const root = join(parent, String(index));
      const [found] = await Promise.all([checkRoot(root), mkdir(root)]);
      return found;
    }),
  );
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
});
