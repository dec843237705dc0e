// Responsible for the place of a public key's file in the zip of a function.

import { basename, isAbsolute, normalize } from 'node:path';

/**
 * `given`: an item of `verify.publicKeys` that names a file, as it is written; `index`: its place in the list. Returns a path
 * relative to cgs-export.yml, in the zip too: its own, or one in the folder `public-keys` if it is outside the folder of
 * cgs-export.yml.
 */
export function packedKeyPath(given: string, index: number): string {
  const path = normalize(given.replace(/^file:/, ''));
  const isInside = !isAbsolute(path) && path.split('/')[0] !== '..';
  return isInside ? path : `public-keys/${index}-${basename(path)}`;
}
