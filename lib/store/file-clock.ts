// Responsible for the clock that stamps files: whether a file server's or that of this host.

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileClock } from '../core/ports.ts';

/**
 * File systems whose files a server stamps: NFS, SMB (three versions), AFS, Ceph, 9P, Lustre, GPFS, BeeGFS.
 * Source: Linux, include/uapi/linux/magic.h, and statfs(2). Not FUSE, behind which anything can be.
 */
const servedTypes = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x00c36400, 0x01021997, 0x0bd00bd0,
  0x47504653, 0x19830326,
]);

/** `type`: as statfs returns it, signed or not. */
export function isServed(type: number): boolean {
  return servedTypes.has(type >>> 0);
}

/** Whose clock stamps the files in `folder`, which may not exist yet. */
export async function findClockKind(folder: string): Promise<FileClock['kind']> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { type } = await statfs(path);
      return isServed(type) ? 'server' : 'host';
    } catch {
      if (path === dirname(path)) return 'host';
    }
  }
}
