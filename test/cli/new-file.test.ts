// Tests that a file is created with its permissions, and that no file is overwritten.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFile } from '../../lib/cli/new-file.ts';
import { createFolder } from './test-runtime.ts';

const about = { mode: 0o600, hint: 'Give another name.' };

test('creates a file that only its owner can read, and never overwrites it', async () => {
  const file = join(createFolder(), 'a');
  expect(await createFile(file, 'text', about)).toBe(true);
  expect(await createFile(file, 'other', about)).toBe(false);
  expect(readFileSync(file, 'utf8')).toBe('text');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a folder that does not exist is a fault of --out, with the hint', async () => {
  const file = join(createFolder(), 'none', 'a');
  await expect(createFile(file, 'text', about)).rejects.toMatchObject({
    message: `--out: ${file} cannot be written (ENOENT)`,
    hint: 'Give another name.',
  });
});
