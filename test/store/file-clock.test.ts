// Tests which file systems are taken for those of a file server. The clock itself is tested in file.test.ts.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findClockKind, isServed } from '../../lib/store/file-clock.ts';

test.each([
  ['NFS', 0x6969, true],
  ['SMB 2, as a signed number', 0xfe534d42 | 0, true],
  ['Ceph', 0x00c36400, true],
  ['9P', 0x01021997, true],
  ['ext4', 0xef53, false],
  ['XFS', 0x58465342, false],
  ['tmpfs', 0x01021994, false],
  ['overlayfs', 0x794c7630, false],
  ['FUSE, behind which anything can be', 0x65735546, false],
])('%s', (_name, type, expected) => {
  expect(isServed(type)).toBe(expected);
});

test('a folder that does not exist yet is judged by the next one above it', async () => {
  expect(await findClockKind(join(tmpdir(), 'not', 'made', 'yet'))).toBe('host');
});
