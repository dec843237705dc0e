// Responsible for files in the temporary folder of the tests, described as putFile() wants them.

import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalFile } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';

/** A new file with these bytes. It is removed with the test run. */
export async function makeLocalFile(content: Uint8Array): Promise<LocalFile> {
  const path = join(await mkdtemp(join(tmpdir(), 'local-')), 'file');
  await writeFile(path, content);
  const md5 = createHash('md5').update(content).digest();
  return { path, bytes: content.length, sha256: sha256(content), md5 };
}
