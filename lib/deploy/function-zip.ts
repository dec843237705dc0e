// Responsible for the zip of each function: which files are in it, writing and reading it. The same files always give the same bytes.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import { ZipFile } from 'yazl';
import { needsOf, verifies } from '../app/function-needs.ts';
import { configFault } from '../core/errors.ts';
import type { CommandContext } from './command-context.ts';
import { collectPublicKeys } from './packed-keys.ts';
import { checkPackedStore } from './packed-store.ts';
import type { FunctionSettings } from './settings.ts';
import { describeUnusedVariables } from './unused-variables.ts';
import { checkWrittenSecrets } from './written-secrets.ts';

/** The configuration: beside serverless.yml, and at the root of the zip. */
export const configName = 'cgs-export.yml';

/** False if the function reads another file: a configuration with another file name is not in the zip. */
export function usesPackedConfig(environment: Readonly<Record<string, string>>): boolean {
  return basename(environment.CGS_EXPORT_CONFIG ?? configName) === configName;
}

/** Limit for a zip sent through the API. Source: FunctionGraph User Guide, "Notes and Constraints", read 2026-11-24. */
export const zipMaxBytes = 50 * 2 ** 20;

/**
 * Checks the configuration and writes one zip for each function, with the bundle that a build or the package has. Returns one line of
 * text for each zip, and warnings of two lines each. Throws ConfigError.
 */
export async function packFunctions(
  { root, bundles, zipPath }: CommandContext,
  functions: readonly FunctionSettings[],
): Promise<{ lines: string[]; warnings: string[] }> {
  const config = await readIfThere(join(root, configName));
  const inputs = [];
  for (const settings of functions) {
    const bundle = await collectBundle(bundles, settings.key);
    const ofConfig = config ? await collectConfig(root, config, settings) : [];
    inputs.push({ ...settings, files: [...bundle, ...ofConfig] });
  }
  const readers = functions.filter(({ environment }) => usesPackedConfig(environment));
  const warnings = config ? describeUnusedVariables(String(config), configName, readers) : [];
  const lines: string[] = [];
  for (const { key, files } of inputs) {
    const zip = await writeZip(files);
    const path = zipPath(key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, zip);
    const hash = createHash('sha256').update(zip).digest('hex');
    lines.push(`${relative(root, path)}: ${zip.length} bytes, sha-256 ${hash}`);
  }
  return { lines, warnings };
}

interface ZippedFile {
  /** Inside the zip. */
  path: string;
  bytes: Buffer;
}

/** cgs-export.yml, which has `bytes`, and the public keys that the function reads. Throws ConfigError. */
async function collectConfig(
  root: string,
  bytes: Buffer,
  { key, environment }: FunctionSettings,
): Promise<ZippedFile[]> {
  const text = String(bytes);
  const config = { path: configName, bytes };
  const usesKeys = verifies(needsOf(key));
  checkWrittenSecrets(text, configName);
  if (!usesPackedConfig(environment)) return [config];
  checkPackedStore(text, configName, usesKeys);
  return [config, ...(usesKeys ? await collectPublicKeys(text, configName, root) : [])];
}

/** The built index.js with the licences of the packages in it. Throws ConfigError if no function has the name `key`. */
async function collectBundle(bundles: string, key: string): Promise<ZippedFile[]> {
  const names = (await readdir(bundles).catch(() => [])).sort();
  if (names.length === 0) {
    const hint = 'In a checkout, run `npm run build`. Otherwise install cgs-export again.';
    throw configFault('package', `${bundles} has no functions`, hint);
  }
  if (!names.includes(key)) {
    const hint = `Name each function in serverless.yml like one of these: ${names.join(', ')}.`;
    throw configFault(`functions.${key}`, 'is not a function of cgs-export', hint);
  }
  const files = ['index.js', 'index.js.LEGAL.txt'];
  return Promise.all(
    files.map(async (path) => ({ path, bytes: await readFile(join(bundles, key, path)) })),
  );
}

/** Null if the file does not exist. */
function readIfThere(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** `path`: inside the zip. The bytes depend on the files and the zlib version only. Throws ConfigError above the size limit. */
export async function writeZip(
  files: readonly { path: string; bytes: Uint8Array }[],
): Promise<Buffer> {
  const zip = new ZipFile();
  // Sorted by code units, because the bytes must not depend on the order of `files`.
  for (const { path, bytes } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    zip.addBuffer(Buffer.from(bytes), path, {
      // A zip stores local time without a zone. A date made of local parts gives the same text in every zone.
      mtime: new Date(1980, 0, 1),
      forceDosTimestamp: true,
      mode: 0o100644,
      compress: true,
      compressionLevel: 9,
    });
  }
  zip.end();
  const written = await buffer(zip.outputStream);
  if (written.length <= zipMaxBytes) return written;
  const message = `the zip has ${written.length} bytes, but FunctionGraph accepts ${zipMaxBytes}`;
  throw configFault(
    'package',
    message,
    'Make cgs-export.yml or the public keys smaller. Of a build, dist/meta/*.json lists what is in the bundles.',
  );
}

/** Reads the zip that this command or, with --package, an earlier one wrote. */
export async function readZip({ root, zipPath }: CommandContext, key: string): Promise<Buffer> {
  const path = zipPath(key);
  return readFile(path).catch(({ code }: NodeJS.ErrnoException) => {
    const hint = 'Run `serverless package --package <folder>` first, or leave --package out.';
    throw configFault('--package', `${relative(root, path)} cannot be read (${code})`, hint);
  });
}

/** Null if the zip has no such file. Throws Error if `zip` is not a zip. */
export async function readZipped(zip: Buffer, path: string): Promise<Buffer | null> {
  const opened = await fromBufferPromise(zip);
  for await (const entry of opened.eachEntry()) {
    if (entry.fileName === path) return buffer(await opened.openReadStreamPromise(entry));
  }
  return null;
}
