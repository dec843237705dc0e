// Responsible for temporary files in tests with a virtual clock: every call is complete when it returns, because such a clock
// does not wait for the disk.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scratch } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';

export interface TestScratch extends Scratch {
  /** Files that were not removed. */
  left(): number;
  /** Files that were opened so far. */
  opened(): number;
}

/** The folder is removed with the test run. */
export function createTestScratch(): TestScratch {
  let folder: string | null = null;
  let opened = 0;
  const files = new Set<string>();
  return {
    left: () => files.size,
    opened: () => opened,
    async open() {
      folder ??= mkdtempSync(join(tmpdir(), 'scratch-'));
      const path = join(folder, String(opened));
      opened += 1;
      files.add(path);
      writeFileSync(path, '', { flag: 'wx' });
      let bytes = 0;
      return {
        path,
        get bytes() {
          return bytes;
        },
        async append(chunk) {
          writeFileSync(path, chunk, { flag: 'a' });
          const appended = { at: bytes, length: chunk.length, sha256: sha256(chunk) };
          bytes += chunk.length;
          return appended;
        },
        async read({ at, length }) {
          return readFileSync(path).subarray(at, at + length);
        },
        async finish() {},
        async remove() {
          files.delete(path);
          rmSync(path, { force: true });
        },
      };
    },
  };
}
