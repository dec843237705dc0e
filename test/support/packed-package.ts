// Responsible for packing the package as a release does: from a copy of the checkout that was never built.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const origin = join(import.meta.dirname, '../..');
const leftOut = ['node_modules', 'dist', 'coverage', 'demo-out', '.git', '.serverless'];

/**
 * Packs below `folder`, which must be empty. `strays`: files that the copy has in addition, by path. Resolves with the path of the
 * tgz. Takes about ten seconds, as it builds.
 */
export async function packPackage(
  folder: string,
  strays: Readonly<Record<string, string>> = {},
): Promise<string> {
  const copy = join(folder, 'checkout');
  await mkdir(copy);
  const parts = (await readdir(origin)).filter((name) => !leftOut.includes(name));
  for (const part of parts) await cp(join(origin, part), join(copy, part), { recursive: true });
  for (const [path, text] of Object.entries(strays)) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await writeFile(join(copy, path), text);
  }
  await symlink(join(origin, 'node_modules'), join(copy, 'node_modules'));
  const args = ['pack', '--silent', '--offline', '--pack-destination', folder];
  const env = { PATH: process.env.PATH, HOME: folder, npm_config_cache: join(folder, 'cache') };
  // As a careful user has it: it must not decide who can read the installed files.
  const command = ['-c', 'umask 077; exec npm "$@"', 'npm', ...args];
  await promisify(execFile)('sh', command, { cwd: copy, env });
  const [tgz] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  return join(folder, tgz ?? '');
}
