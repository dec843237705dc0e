// Tests what errors of the file system mean to a store. Real errors of real disks are tested in file.test.ts.

import { expect, test } from 'vitest';
import { ExportError } from '../../lib/core/errors.ts';
import { toStoreError } from '../../lib/store/file-errors.ts';

function toError(cause: unknown): ExportError {
  const error = toStoreError(cause, 'write', '/lake/a');
  if (!(error instanceof ExportError)) throw error;
  return error;
}

test.each([
  ['ENOSPC', 'DISK_FULL'],
  ['EDQUOT', 'DISK_FULL'],
  ['EACCES', 'STORE_DENIED'],
  ['EROFS', 'STORE_DENIED'],
  ['EXDEV', 'STORE_FAILED'],
  ['EIO', 'STORE_FAILED'],
])('%s is %s, with the path and a hint', (code, expected) => {
  const cause = Object.assign(new Error(`${code}: it failed`), { code });
  const error = toError(cause);
  expect(error).toMatchObject({ code: expected, cause });
  expect(error.message).toBe(`cannot write /lake/a: ${code}: it failed`);
  expect(error.hint).not.toBe('');
});

test('a file system without hard links is not reported as a missing permission', () => {
  const cause = Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'link' });
  const error = toError(cause);
  expect(error.code).toBe('STORE_FAILED');
  expect(error.hint).toContain('hard links');
});

test('returns an error that is not from the file system unchanged', () => {
  const bug = new TypeError('x is not a function');
  expect(toStoreError(bug, 'write', '/lake/a')).toBe(bug);
});
