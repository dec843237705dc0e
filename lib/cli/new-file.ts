// Responsible for files that a command creates where the user asks for them. Never overwrites a file.

import { open } from 'node:fs/promises';
import { configFault } from '../core/errors.ts';

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
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EEXIST') return false;
    throw code === '' ? error : configFault('--out', `${file} cannot be written (${code})`, hint);
  }
}
