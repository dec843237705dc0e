// Responsible for reading the text of a configuration file, also from a pipe. Bounded in size and in time.

import { constants, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConfigError, configFault } from '../core/errors.ts';
import type { SourceFlag } from './model.ts';

/** A configuration of thousands of targets has less. */
const bytesMax = 2 ** 20;
/** How long a pipe may take until it has given its whole text, milliseconds. */
const pipeMsMax = 10_000;
const pipePollMs = 20;
const chunkBytes = 64 * 1_024;

/** `sourceFlags`: those of the command that replace the file; can be empty. Throws ConfigError. */
export async function readConfigFile(
  path: string,
  sourceFlags: readonly SourceFlag[] = [],
): Promise<string> {
  const fault = (message: string) => configFault('', message, describeFix(sourceFlags));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(path, fault));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'CONFIG') throw error;
    const messages: Partial<Record<string, string>> = {
      ENOENT: `there is no file ${path}`,
      ENOTDIR: `there is no file ${path}`,
      EISDIR: `${path} is a folder`,
      ERR_ENCODING_INVALID_ENCODED_DATA: `${path} is not UTF-8 text`,
    };
    throw fault(messages[code] ?? `${path} cannot be read (${code})`);
  }
}

function describeFix(sourceFlags: readonly SourceFlag[]): string {
  const start = 'Run `cgs-export init` to write one';
  const other = 'name another with --config or CGS_EXPORT_CONFIG';
  if (sourceFlags.length === 0) return `${start}, or ${other}.`;
  return `${start}, ${other}, or ${describeSourceFlags(sourceFlags)}.`;
}

/** As the end of a sentence: how to do without a file. `flags`: at least one. */
export function describeSourceFlags(flags: readonly SourceFlag[]): string {
  return flags.includes('--region')
    ? `give the target by flags: ${flags.join(', ')}`
    : 'give the store by a flag: `--store file:./export`';
}

async function readBytes(
  path: string,
  fault: (message: string) => ConfigError,
): Promise<Uint8Array> {
  const found = await stat(path);
  // A device such as /dev/zero may never end. A pipe is allowed: `--config <(…)`.
  if (!found.isFile() && !found.isFIFO() && !found.isDirectory()) {
    throw fault(`${path} is a device or a socket, not a file`);
  }
  // Not waiting for the other end of a pipe: a process that waits in open() cannot be stopped.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let waitedMs = 0; ; ) {
      const chunk = Buffer.alloc(chunkBytes);
      // Node.js 18 reads nothing if the length is left out.
      const bytesRead = await file.read(chunk, 0, chunkBytes, null).then(
        ({ bytesRead }) => {
          if (bytesRead > 0) chunks.push(chunk.subarray(0, bytesRead));
          return bytesRead;
        },
        (error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return null;
          throw error;
        },
      );
      length += bytesRead ?? 0;
      if (length > bytesMax) throw fault(`${path} is longer than 1 MB`);
      // A pipe that no process has opened for writing yet looks like one that has ended.
      const mayFollow = bytesRead === null || (found.isFIFO() && length === 0);
      if (bytesRead === 0 && !mayFollow) return Buffer.concat(chunks);
      if (!mayFollow) continue;
      if (waitedMs >= pipeMsMax) throw fault(`the pipe ${path} gave no complete text in 10 s`);
      await delay(pipePollMs);
      waitedMs += pipePollMs;
    }
  } finally {
    await file.close();
  }
}
