// Responsible for the files of `verify.publicKeys` in the zip of a function that verifies. It needs no variable: `package` has none.

import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { readPublicKeys } from '../app/public-keys.ts';
import type { PublicKeySource } from '../config/model.ts';
import { packedKeyPath } from '../config/packed-key.ts';
import { asRecord } from '../core/value-shape.ts';
import { mayBeMounted, parseUnfilled, placeholder } from './unfilled-config.ts';

/**
 * `text`: the configuration, `folder`: its folder. A key that is PEM text in the configuration needs no file, and one that is a
 * variable is checked by the function. With `mounted: true`, a file with an absolute path that does not exist here may
 * be on the mounted file system. Throws ConfigError with every file that cannot be read or is not a public key.
 */
export async function collectPublicKeys(
  text: string,
  fileName: string,
  folder: string,
): Promise<{ path: string; bytes: Buffer }[]> {
  const { verify, mounted } = parseUnfilled(text, fileName);
  const { publicKeys } = asRecord(verify);
  const sources: PublicKeySource[] = [];
  const files = new Map<string, Buffer>();
  for (const [index, given] of (Array.isArray(publicKeys) ? publicKeys : []).entries()) {
    if (typeof given !== 'string' || given.includes(placeholder)) continue;
    const name = `verify.publicKeys.${index}`;
    if (given.includes('-----BEGIN ')) {
      sources.push({ name, kind: 'text', text: given });
      continue;
    }
    const own = given.replace(/^file:/, '');
    const path = resolve(folder, own);
    const bytes = await readFile(path).catch(() => null);
    if (bytes === null && mayBeMounted(mounted) && isAbsolute(own)) continue;
    sources.push({ name, kind: 'file', paths: [path] });
    if (bytes !== null) files.set(packedKeyPath(given, index), bytes);
  }
  await readPublicKeys(sources);
  return [...files].map(([path, bytes]) => ({ path, bytes }));
}
