// Responsible for the process of the command line: its arguments, streams, signals and end. The entry of dist/cli.js.

import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { exitCodes } from '../core/error-policy.ts';
import { configFault, ExportError } from '../core/errors.ts';
import { allowSlowConnections } from '../platform/connections.ts';
import { saveMemory } from '../platform/memory.ts';
import { reportCrash, runProgram } from './program.ts';
import type { CommandRuntime, Output } from './session.ts';

/** The first error of each stream whose output is lost. The command ends all the same. */
const lost = new Map<NodeJS.WriteStream, Error>();

function openOutput(stream: NodeJS.WriteStream): Output {
  let isClosed = false;
  // Without a listener, an error would end the process. Not an error: the reader of a pipe closed it early (`| head`).
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Node keeps stdout and stderr open after an error, so `destroyed` does not say it.
    isClosed = true;
    if (error.code !== 'EPIPE') lost.set(stream, error);
  });
  return {
    write: (text) => void stream.write(text),
    async drained() {
      if (stream.writableNeedDrain && !stream.destroyed) {
        const ended = new AbortController();
        // Rejects if the stream fails. Without `close`, a pipe that is closed first would never resolve it.
        const events = ['drain', 'close'].map((name) => once(stream, name, ended));
        await Promise.race(events).catch(() => {});
        ended.abort();
        await Promise.allSettled(events);
      }
      return !isClosed && !stream.destroyed;
    },
    isTerminal: Boolean(stream.isTTY),
    columns: () => stream.columns || 80,
  };
}

/** Null: it was deleted while the shell was in it. */
function findFolder(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

/** Beside dist/, in the package and in a checkout. npm links to the script from another folder. */
function findDocs(): string | null {
  const [, script = ''] = process.argv;
  if (!existsSync(script)) return null;
  const path = join(dirname(realpathSync(script)), '../docs');
  return existsSync(path) ? path : null;
}

function nameProgram(): string {
  const [, script = ''] = process.argv;
  if (!basename(script).endsWith('.js')) return 'cgs-export';
  return `node ${folder === null ? script : relative(folder, script)}`;
}

const folder = findFolder();

const runtime: CommandRuntime = {
  env: process.env,
  cwd: folder ?? '',
  program: nameProgram(),
  docs: findDocs(),
  stdout: openOutput(process.stdout),
  stderr: openOutput(process.stderr),
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  every(intervalMs, work) {
    const timer = setInterval(work, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
  onSignal(listen) {
    const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => {
      const listener = () => listen(name);
      process.on(name, listener);
      return () => void process.off(name, listener);
    });
    return () => {
      for (const stop of listeners) stop();
    };
  },
  exit: (code) => process.exit(code),
};

/**
 * Ends the process after both streams are flushed: process.exit() alone would lose output to a slow pipe. The exit code is 1 if
 * output was lost, because a result that nothing can read is not a success.
 */
async function end(code: number): Promise<void> {
  await flush(process.stdout);
  const error = lost.get(process.stdout);
  const endCode = error ? reportCrash(args, runtime, outputFailed(error)) : code;
  await flush(process.stderr);
  process.exit(lost.has(process.stderr) ? exitCodes.fault : endCode);
}

async function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (!stream.destroyed && stream.writableLength > 0) {
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve());
    });
  }
  // A stream reports an error only after the write that failed has returned.
  await setImmediate();
}

function outputFailed(cause: Error): ExportError {
  const message = `stdout cannot be written: ${cause.message}`;
  const hint =
    'The command ended, but its output is lost or cut. Make room where stdout is written to, or write it to another place, then run the command again.';
  return new ExportError('OUTPUT_FAILED', message, hint, { cause });
}

function folderMissing(): ExportError {
  const message = 'the current folder does not exist any more';
  return configFault(
    '',
    message,
    'Change to another folder with `cd`, then run the command again.',
  );
}

saveMemory();
allowSlowConnections();
const args = process.argv.slice(2);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => void end(reportCrash(args, runtime, error)));
}
if (folder === null) void end(reportCrash(args, runtime, folderMissing()));
else void runProgram(args, runtime).then(end);
