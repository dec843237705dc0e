// Tests which paths are inside a store. The pins use it too: pin-file.test.ts.

import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireOutsideStore } from '../../lib/app/outside-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'outside-'));
mkdirSync(join(folder, 'lake', 'sub'), { recursive: true });
symlinkSync(join(folder, 'lake'), join(folder, 'link'));
const check = (path: string, url = `file:${folder}/lake`) =>
  requireOutsideStore(
    { name: '--out', path: join(folder, path), reason: 'it is wrong', hint: 'h' },
    { url },
  );

test.each(['lake', 'lake/a', 'lake/sub/../b', 'lake/new/deep/c', 'link/a'])(
  '%s is inside',
  async (path) => {
    await expect(check(path)).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(/^--out: .* is inside the store .*: it is wrong$/),
    });
  },
);

test.each(['lake2', 'a', 'lake/../b'])('%s is outside', async (path) => {
  await check(path);
});

test('no file is inside a bucket', async () => {
  await check('lake/a', 'obs://bucket/lake');
});
