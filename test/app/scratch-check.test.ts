// Tests the check of the folder for temporary files: what it finds, and that it leaves nothing there.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkScratch } from '../../lib/app/scratch-check.ts';
import { describeHost } from '../../lib/platform/host.ts';
import { openScratch } from '../../lib/platform/scratch.ts';
import { describeScratchFault } from '../../lib/platform/scratch-errors.ts';

function openIn(parent: string) {
  const host = describeHost(() => 0.5);
  return openScratch({ parent, host, clock: { nowMs: Date.now }, onExit: () => {} });
}

function createParent(): string {
  const parent = mkdtempSync(join(tmpdir(), 'scratch-check-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return parent;
}

test('a folder where a file can be made is good, with its free space, and is left empty', async () => {
  const parent = createParent();
  const check = await checkScratch(openIn(parent));
  expect(check.message).toMatch(/^\/.*: a temporary file can be made, [\d,]+ MB free$/);
  expect(check.message.startsWith(parent)).toBe(true);
  expect(readdirSync(parent)).toEqual([]);
});

test.each([
  [64_000_000, 'ok', / 64 MB free$/],
  [63_999_999, 'warning', / 63 MB free$/],
  [0, 'warning', / 0 MB free$/],
  // Not every file system tells it.
  [null, 'ok', /: a temporary file can be made$/],
])('%s free bytes: %s', async (freeBytes, status, message) => {
  const scratch = { ...openIn(createParent()), freeBytes: async () => freeBytes };
  const check = await checkScratch(scratch);
  expect(check).toMatchObject({ check: 'temporary-files', status });
  expect(check.message).toMatch(message);
  expect(check.hint !== '').toBe(status === 'warning');
});

test('without a folder exports work, so it is a warning: it says up to which size, and what to set', async () => {
  const check = await checkScratch(openIn(join(createParent(), 'none')));
  expect(check).toMatchObject({ check: 'temporary-files', status: 'warning' });
  expect(check.message).toMatch(
    /cannot use .*\/none for temporary files: ENOENT.*\. Up to 64 MB of temporary data are kept in memory instead\. A list of more than 50,000 entries is not exported\.$/,
  );
  expect(check.hint).toContain('TMPDIR');
});

test('a file that cannot be written is a fault, and is removed', async () => {
  const parent = createParent();
  const { open, ...scratch } = openIn(parent);
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' });
  const check = await checkScratch({
    ...scratch,
    async open() {
      const file = await open();
      const append = () => Promise.reject(describeScratchFault(parent, full));
      return { ...file, append };
    },
  });
  expect(check).toMatchObject({ status: 'failed', error: { code: 'DISK_FULL' } });
  expect(readdirSync(parent)).toEqual([]);
});
