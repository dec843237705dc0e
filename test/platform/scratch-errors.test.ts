// Tests what a failed call on a temporary file means: each system error has one code and a hint.

import { expect, test } from 'vitest';
import { policyOf } from '../../lib/core/error-policy.ts';
import { ScratchError } from '../../lib/core/errors.ts';
import { changedFile, describeScratchFault } from '../../lib/platform/scratch-errors.ts';

const failed = (code: string) =>
  Object.assign(new Error(`${code}: what the system says`), { code, syscall: 'write' });

test.each([
  ['ENOSPC', false, 'DISK_FULL', 1, /Free space there.*TMPDIR.*FunctionGraph.*ephemeral storage/],
  ['EDQUOT', false, 'DISK_FULL', 1, /larger file system/],
  ['ENOSPC', true, 'DISK_FULL', 1, /Free space/],
  ['EROFS', true, 'TEMP_UNUSABLE', 3, /TMPDIR/],
  ['EACCES', true, 'TEMP_UNUSABLE', 3, /write to it/],
  ['EPERM', true, 'TEMP_UNUSABLE', 3, /write to it/],
  ['ENOENT', true, 'TEMP_UNUSABLE', 3, /Create this folder if it does not exist/],
  ['ENOTDIR', true, 'TEMP_UNUSABLE', 3, /TMPDIR/],
  // Later, the folder of this process has disappeared.
  ['ENOENT', false, 'TEMP_FAILED', 4, /a program cleans this folder/],
  ['EFBIG', false, 'TEMP_UNUSABLE', 3, /ulimit -f/],
  ['EMFILE', false, 'TEMP_FAILED', 4, /ulimit -n/],
  ['EIO', false, 'TEMP_FAILED', 4, /system log/],
])('%s, at the start %s: %s, exit %i', (systemCode, isFirst, code, exitCode, hint) => {
  const error = describeScratchFault('/var/tmp', failed(systemCode), isFirst);
  expect(error).toBeInstanceOf(ScratchError);
  expect(error).toMatchObject({ code, hint: expect.stringMatching(hint) });
  expect((error as ScratchError).message).toBe(
    `cannot use /var/tmp for temporary files: ${systemCode}: what the system says`,
  );
  expect(policyOf(error).exitCode).toBe(exitCode);
});

test('a bug stays what it is', () => {
  const bug = new TypeError('x is not a function');
  expect(describeScratchFault('/tmp', bug)).toBe(bug);
  const argument = Object.assign(new RangeError('out of range'), { code: 'ERR_OUT_OF_RANGE' });
  expect(describeScratchFault('/tmp', argument)).toBe(argument);
});

test('a file that was changed is named', () => {
  expect(changedFile('/tmp/x/1', 'it became shorter')).toMatchObject({
    code: 'TEMP_FAILED',
    message: expect.stringContaining('/tmp/x/1'),
  });
});
