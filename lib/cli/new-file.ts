// Responsible for files that a command creates where the user asks for them. Never overwrites a file.

import { createWriteStream } from 'node:fs';
import { link, lstat, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { configFault, ExportError, ScratchError } from '../core/errors.ts';

/**
 * False if the file exists. `mode`: permissions, from which the umask may take some. Throws ConfigError for --out, with `hint`,
 * if the file cannot be written.
 */
export async function createFile(
  file: string,
  text: string,
  { mode, hint }: { mode: number; hint: string },
): Promise<boolean> {
  try {
    // The umask can take permissions away, but never adds one that the mode does not have.
    const created = await open(file, 'wx', mode);
    await created.writeFile(text).finally(() => created.close());
    return true;
  } catch (error) {
    if (isExisting(error)) return false;
    throw describeFault(file, error, hint);
  }
}

/**
 * `write` ends the stream. The file gets its name when all its bytes are on the disk, so it never exists half. Throws ConfigError for
 * --out, with `hint`, if the file exists or cannot be written, and the ExportErrors of `write`.
 */
export async function createStreamedFile<T>(
  file: string,
  hint: string,
  write: (out: Writable) => Promise<T>,
): Promise<T> {
  const exists = () => configFault('--out', `${file} exists already`, hint);
  if (await lstat(file).catch(() => null)) throw exists();
  let folder = '';
  try {
    folder = await mkdtemp(join(dirname(file), `.${basename(file)}-`));
    const path = join(folder, 'part');
    const result = await write(createWriteStream(path, { flags: 'wx', flush: true }));
    if (!(await giveName(path, file))) throw exists();
    return result;
  } catch (error) {
    throw describeFault(file, error, hint);
  } finally {
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  }
}

/** False if `file` exists: a link fails then, also if it was created a moment ago. Not every file system has links. */
async function giveName(path: string, file: string): Promise<boolean> {
  try {
    await link(path, file);
  } catch (error) {
    if (isExisting(error) || (await lstat(file).catch(() => null))) return false;
    await rename(path, file);
  }
  return true;
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function describeFault(file: string, error: unknown, hint: string): unknown {
  if (error instanceof ExportError || !(error instanceof Error && 'code' in error)) return error;
  if (['ENOSPC', 'EDQUOT'].includes(String(error.code))) {
    const message = `${file} cannot be written: the disk is full (${error.code})`;
    return new ScratchError('DISK_FULL', message, fullHint, { cause: error });
  }
  return configFault('--out', `${file} cannot be written (${error.code})`, hint);
}

const fullHint =
  'Free space there, or name a file on another file system with --out. Then run it again.';
