// Owns how a function's files come together: built as `npm run build` does, with the configuration if there is one. Refuses to zip them.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../core/errors.ts';
import type { ArchivedFile } from './archive.ts';

/** What a function reads beside its bundle. */
export const configName = 'cgs-export.yml';

/** Builds everything, as bundles are built in one go. `root`: the checkout. Throws Error with what the build said. */
export async function buildBundles(root: string, nodePath: string): Promise<void> {
  try {
    await promisify(execFile)(nodePath, [join(root, 'build.mjs'), root], { cwd: root });
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const said = stderr.trim() || message;
    const hint = 'Run `npm ci`, then `npm run build`, and mend what it says.';
    throw new ConfigError([{ path: 'package', message: `the build failed: ${said}`, hint }]);
  }
}

export function bundleOf(root: string, key: string): string {
  return join(root, 'dist/functions', key, 'index.js');
}

/** index.js, its licences, and cgs-export.yml if it is present. Throws ConfigError if there is no such bundle. */
export async function collectFiles(root: string, key: string): Promise<ArchivedFile[]> {
  const script = bundleOf(root, key);
  const index = await readIfThere(script);
  if (index === null) {
    throw new ConfigError([
      {
        path: `functions.${key}`,
        message: `functions/${key}.ts gives no bundle`,
        hint: 'A function of serverless.yml is named as its file in functions/.',
      },
    ]);
  }
  const files: ArchivedFile[] = [{ path: 'index.js', bytes: index }];
  const licences = await readIfThere(`${script}.LEGAL.txt`);
  if (licences) files.push({ path: 'index.js.LEGAL.txt', bytes: licences });
  const config = await readIfThere(join(root, configName));
  if (config) files.push({ path: configName, bytes: config });
  return files;
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
