// Tests that the size of an object does not decide how much memory a process needs to store and read it in a folder.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { moveLargeObject } from './large-object.ts';

test('200 MB pass through a process without filling its memory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'large-store-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const module = new URL('../../lib/store/file.ts', import.meta.url).href;
  const opening = `const { openFileStore } = await import(${JSON.stringify(module)});
    const store = openFileStore({ root: ${JSON.stringify(root)}, clock: { nowMs: Date.now } });`;
  const bytes = 200 * 2 ** 20;
  const args = ['--import', 'tsx', '--input-type=module', '-e', moveLargeObject(opening, bytes)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { read, growthBytes } = JSON.parse(stdout);
  expect(read).toBe(bytes);
  expect(growthBytes).toBeLessThan(60 * 2 ** 20);
});
