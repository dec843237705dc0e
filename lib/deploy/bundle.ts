// Responsible for the zip of each function: building the bundle, adding the configuration, writing and reading the file.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { configFault } from '../core/errors.ts';
import { type ArchivedFile, writeArchive } from './archive.ts';
import type { CommandContext } from './command-context.ts';
import type { FunctionSettings } from './settings.ts';
import { checkWrittenSecrets } from './written-secrets.ts';

/** The configuration, at the root of the checkout and of the zip. */
export const configName = 'cgs-export.yml';

/** Builds the bundles and writes one zip for each function. Returns one line of text for each zip. */
export async function packFunctions(
  context: CommandContext,
  functions: readonly FunctionSettings[],
): Promise<string[]> {
  const { root, nodePath } = context;
  context.progress('build');
  await buildBundles(root, nodePath);
  const lines: string[] = [];
  for (const { key } of functions) {
    const files = await collectFiles(root, key);
    const config = files.find(({ path }) => path === configName);
    if (config) checkWrittenSecrets(Buffer.from(config.bytes).toString(), configName);
    const zip = await writeArchive(files);
    const path = context.zipPath(key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, zip);
    const hash = createHash('sha256').update(zip).digest('hex');
    lines.push(`${relative(root, path)}: ${zip.length} bytes, sha-256 ${hash}`);
  }
  return lines;
}

/** `root`: the checkout. */
async function buildBundles(root: string, nodePath: string): Promise<void> {
  try {
    await promisify(execFile)(nodePath, [join(root, 'build.mjs'), root], { cwd: root });
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const hint = 'Run `npm ci`, then `npm run build`, and fix the errors that it prints.';
    throw configFault('package', `the build failed: ${stderr.trim() || message}`, hint);
  }
}

export function bundleOf(root: string, key: string): string {
  return join(root, 'dist/functions', key, 'index.js');
}

/** The built index.js with its licences, and cgs-export.yml if it exists. Throws ConfigError if the bundle does not exist. */
export async function collectFiles(root: string, key: string): Promise<ArchivedFile[]> {
  const script = bundleOf(root, key);
  const files: ArchivedFile[] = [];
  for (const [path, source] of [
    ['index.js', script],
    ['index.js.LEGAL.txt', `${script}.LEGAL.txt`],
    [configName, join(root, configName)],
  ] as const) {
    const bytes = await readFile(source).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (bytes) files.push({ path, bytes });
  }
  if (files.some(({ path }) => path === 'index.js')) return files;
  const hint = 'Name each function in serverless.yml like its file in functions/.';
  throw configFault(`functions.${key}`, `there is no bundle of functions/${key}.ts`, hint);
}

/** The zip that this command or, with --package, an earlier one wrote. */
export async function readZip({ root, zipPath }: CommandContext, key: string): Promise<Buffer> {
  try {
    return await readFile(zipPath(key));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const message = `${relative(root, zipPath(key))} cannot be read (${code})`;
    const hint = 'Run `serverless package --package <folder>` first, or leave --package out.';
    throw configFault('--package', message, hint);
  }
}
