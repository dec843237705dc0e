// Tests that a local file is read whole, and that a change is found before its last bytes are given away.

import { appendFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { readLocalFile } from '../../lib/store/local-file.ts';
import { errorOf } from '../support/store-errors.ts';
import { copyChunks } from './chunks.ts';
import { makeLocalFile } from './local-files.ts';

const chunkBytes = 256 * 1024;
const content = (bytes: number) => Buffer.alloc(bytes, 'some content, ');

test.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes])(
  'reads a file of %i bytes',
  async (bytes) => {
    const file = await makeLocalFile(content(bytes));
    const read = await copyChunks(readLocalFile(file));
    expect(Buffer.compare(read, content(bytes))).toBe(0);
  },
);

describe('throws TEMP_FAILED in place of the last chunk', () => {
  const bytes = 3 * chunkBytes;
  test.each([
    [
      'other bytes of the same length',
      (path: string) => writeFile(path, content(bytes).fill('x')),
      2,
    ],
    ['fewer bytes', (path: string) => truncate(path, bytes - 1), 0],
    ['more bytes', (path: string) => appendFile(path, 'x'), 0],
    ['no file', (path: string) => rm(path), 0],
    [
      'a link',
      async (path: string) => {
        await rm(path);
        await symlink('/etc/hostname', path);
      },
      0,
    ],
  ])('%s', async (_name, change, chunks) => {
    const file = await makeLocalFile(content(bytes));
    await change(file.path);
    let seen = 0;
    const reading = (async () => {
      for await (const _chunk of readLocalFile(file)) seen += 1;
    })();
    const error = await errorOf(reading);
    expect(error).toMatchObject({ name: 'ScratchError', code: 'TEMP_FAILED' });
    expect(error.message).toContain(file.path);
    expect(error.hint).toContain('TMPDIR');
    expect(seen).toBe(chunks);
  });

  test('a file that becomes shorter while it is read', async () => {
    const file = await makeLocalFile(content(bytes));
    let seen = 0;
    const reading = (async () => {
      for await (const _chunk of readLocalFile(file)) {
        seen += 1;
        await truncate(file.path, chunkBytes);
      }
    })();
    expect((await errorOf(reading)).message).toContain('it became shorter');
    expect(seen).toBe(1);
  });
});

test('an empty file with another hash is found too', async () => {
  const file = await makeLocalFile(content(0));
  const reading = buffer(readLocalFile({ ...file, sha256: '00' }));
  expect(await errorOf(reading)).toMatchObject({ code: 'TEMP_FAILED' });
});
