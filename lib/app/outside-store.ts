// Responsible for refusing a path inside the folder of a store, also through links.

import { realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { configFault } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';

/** What is about to be written outside of the store. */
export interface OutsideFile {
  /** The option or setting that names it. */
  name: string;
  /** Absolute. It need not exist. */
  path: string;
  /** What goes wrong if it is inside the store. */
  reason: string;
  hint: string;
}

/** Throws ConfigError if the file is inside the folder of the store. */
export async function requireOutsideStore(
  { name, path, reason, hint }: OutsideFile,
  { url }: Pick<Store, 'url'>,
): Promise<void> {
  if (!url.startsWith('file:')) return;
  const [found, root] = await Promise.all([
    findRealPath(path),
    findRealPath(url.slice('file:'.length)),
  ]);
  if (found !== root && !found.startsWith(root.endsWith(sep) ? root : root + sep)) return;
  throw configFault(name, `${found} is inside the store ${root}: ${reason}`, hint);
}

/** Without links. What does not exist yet keeps its name. */
async function findRealPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await findRealPath(parent), path.slice(parent.length));
  }
}
