// Tests what errors of the file system mean to a store. Real errors of real disks are tested in file.test.ts.

import { expect, test } from 'vitest';
import { withStoreErrors } from '../../lib/store/file-errors.ts';
import { errorOf } from '../support/store-errors.ts';

const fail = (cause: unknown) => withStoreErrors('write', '/lake/a', () => Promise.reject(cause));

const meanings: [code: string, expected: string][] = [
  ['ENOSPC', 'DISK_FULL'],
  ['EDQUOT', 'DISK_FULL'],
  ['EACCES', 'STORE_DENIED'],
  ['EROFS', 'STORE_DENIED'],
  ['EPERM', 'STORE_DENIED'],
  ...[
    ...['ENOTDIR', 'EEXIST', 'EISDIR', 'ENOTEMPTY', 'ELOOP', 'EXDEV', 'ENAMETOOLONG', 'EILSEQ'],
    ...['ENOENT', 'EINVAL', 'EFBIG', 'EOVERFLOW', 'ENODEV', 'ENXIO', 'ENOTSUP', 'ENOSYS'],
  ].map((code): [string, string] => [code, 'STORE_UNUSABLE']),
  ...['EIO', 'EBUSY', 'EAGAIN', 'EMFILE', 'ENFILE', 'ESTALE', 'ETIMEDOUT', 'ENOTCONN'].map(
    (code): [string, string] => [code, 'STORE_FAILED'],
  ),
];

test.each(meanings)('%s is %s, with the path and a hint', async (code, expected) => {
  const cause = Object.assign(new Error(`${code}: it failed`), { code });
  const error = await errorOf(fail(cause));
  expect(error).toMatchObject({ code: expected, cause });
  expect(error.message).toBe(`cannot write /lake/a: ${code}: it failed`);
  expect(error.hint).not.toBe('');
});

test('a file system without hard links is not reported as a missing permission', async () => {
  const cause = Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'link' });
  const error = await errorOf(fail(cause));
  expect(error.code).toBe('STORE_UNUSABLE');
  expect(error.hint).toContain('hard links');
});

test('throws an error that is not from the file system unchanged', async () => {
  const bug = new TypeError('x is not a function');
  await expect(fail(bug)).rejects.toBe(bug);
});
