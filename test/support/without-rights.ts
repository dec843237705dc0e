// Responsible for running code as a user who lacks rights. Root has every right, so root becomes the user nobody for a while.

import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';

const nobody = 65_534;

/** `folder` belongs to this user during `work`, but the paths of `modes` belong to another one, with these permissions. */
export async function withoutRights<T>(
  folder: string,
  modes: Readonly<Record<string, number>>,
  work: () => Promise<T>,
): Promise<T> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) execFileSync('chown', ['-R', String(nobody), folder]);
  for (const [path, mode] of Object.entries(modes)) {
    if (isRoot) execFileSync('chown', ['0', path]);
    chmodSync(path, mode);
  }
  if (isRoot) process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    for (const path of Object.keys(modes)) chmodSync(path, 0o700);
  }
}
