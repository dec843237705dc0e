// Tests temporary files in memory: that they hold what was written, and that their room is given back once.

import { expect, test } from 'vitest';
import { sha256 } from '../../lib/core/state.ts';
import { createMemoryFile } from '../../lib/platform/memory-file.ts';

const utf8 = (content: string) => Buffer.from(content);
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function createFile(heldBytesMax = 100) {
  let held = 0;
  const file = createMemoryFile({
    reserve(bytes) {
      if (held + bytes > heldBytesMax) throw new Error('full');
      held += bytes;
    },
    release: (bytes) => {
      held -= bytes;
    },
  });
  return { file, held: () => held };
}

test('holds what was appended, and each piece and the whole can be read, before and after its end', async () => {
  const { file } = createFile();
  const buffer = utf8('first, ');
  const first = await file.append(buffer);
  buffer.fill(0);
  const empty = await file.append(utf8(''));
  const second = await file.append(utf8('second'));
  expect(file.path).toBeNull();
  expect(file.bytes).toBe(13);
  expect(second).toEqual({ at: 7, length: 6, sha256: sha256(utf8('second')) });
  expect(text(await file.read(second))).toBe('second');
  expect(await file.read(empty)).toHaveLength(0);
  await file.finish();
  expect(text(await file.read(first))).toBe('first, ');
  const whole = { at: 0, length: 13, sha256: sha256(utf8('first, second')) };
  expect(text(await file.read(whole))).toBe('first, second');
  await expect(file.append(utf8('third'))).rejects.toThrow('finished');
});

test('takes its room before it holds the bytes, and gives it back when it is removed, once', async () => {
  const { file, held } = createFile(10);
  await file.append(utf8('12345678'));
  await expect(file.append(utf8('123'))).rejects.toThrow('full');
  expect([file.bytes, held()]).toEqual([8, 8]);
  await file.append(utf8('90'));
  await file.remove();
  await file.remove();
  expect(held()).toBe(0);
  await expect(file.append(utf8('x'))).rejects.toThrow('removed');
});
