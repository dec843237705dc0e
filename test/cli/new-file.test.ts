// Tests that a file is created with its permissions, and that no file is overwritten.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { createFile, createStreamedFile } from '../../lib/cli/new-file.ts';
import { ConfigError, CorruptError } from '../../lib/core/errors.ts';
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

describe('a file that is written as a stream', () => {
  const write = async (out: Writable) => {
    out.end('text');
    await finished(out);
    return 4;
  };

  test('has its name only when it is complete, and nothing else is left', async () => {
    const folder = createFolder();
    const file = join(folder, 'a');
    const seen: string[] = [];
    const result = await createStreamedFile(file, about.hint, async (out) => {
      const written = await write(out);
      seen.push(...readdirSync(folder).filter((name) => name === 'a'));
      return written;
    });
    expect([result, seen, readdirSync(folder)]).toEqual([4, [], ['a']]);
    expect(readFileSync(file, 'utf8')).toBe('text');
  });

  test('never overwrites a file, also one that was created meanwhile', async () => {
    const folder = createFolder();
    const file = join(folder, 'a');
    let calls = 0;
    const create = () =>
      createStreamedFile(file, about.hint, async (out) => {
        calls += 1;
        await write(out);
        writeFileSync(file, 'mine');
      });
    for (const _round of [1, 2]) {
      await expect(create()).rejects.toMatchObject({
        message: `--out: ${file} exists already`,
        hint: about.hint,
      });
    }
    expect([calls, readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual([1, 'mine', ['a']]);
  });

  test('is not there if the writing fails, and the error is kept', async () => {
    const folder = createFolder();
    const cause = new CorruptError('key', 'was altered', '');
    const fail = async (out: Writable) => {
      out.write('te');
      throw cause;
    };
    await expect(createStreamedFile(join(folder, 'a'), about.hint, fail)).rejects.toBe(cause);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a folder that does not exist is a fault of --out', async () => {
    const folder = createFolder();
    const nowhere = createStreamedFile(join(folder, 'none', 'a'), about.hint, write);
    await expect(nowhere).rejects.toBeInstanceOf(ConfigError);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test.each(['ENOSPC', 'EDQUOT'])('a full disk (%s) is not a fault of --out', async (code) => {
  const folder = createFolder();
  const fail = () => Promise.reject(Object.assign(new Error('write'), { code }));
  const created = createStreamedFile(join(folder, 'a'), about.hint, fail);
  await expect(created).rejects.toMatchObject({ code: 'DISK_FULL', name: 'ScratchError' });
  expect(readdirSync(folder)).toEqual([]);
});
