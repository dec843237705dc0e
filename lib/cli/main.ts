// Responsible for the process of the command line: its arguments, streams, signals and end. The entry of dist/cli.js.

import { once } from 'node:events';
import { basename, relative } from 'node:path';
import { allowSlowConnections } from '../platform/connections.ts';
import { saveMemory } from '../platform/memory.ts';
import { reportCrash, runProgram } from './program.ts';
import type { CommandRuntime, Output } from './session.ts';

function openOutput(stream: NodeJS.WriteStream): Output {
  // The reader of a pipe may close it early (`| head`). An export continues nevertheless.
  let isClosed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Node keeps stdout and stderr open after an error, so `destroyed` does not say it.
    isClosed = true;
    if (error.code !== 'EPIPE') process.exitCode = 1;
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

function nameProgram(): string {
  const [, script = ''] = process.argv;
  return basename(script).endsWith('.js')
    ? `node ${relative(process.cwd(), script)}`
    : 'cgs-export';
}

const runtime: CommandRuntime = {
  env: process.env,
  cwd: process.cwd(),
  program: nameProgram(),
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

/** Ends the process after both streams are flushed: process.exit() alone would lose output to a slow pipe. */
async function end(code: number): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => {
      if (stream.destroyed || stream.writableLength === 0) resolve();
      else stream.write('', () => resolve());
    });
  }
  process.exit(process.exitCode === 1 ? 1 : code);
}

saveMemory();
allowSlowConnections();
const args = process.argv.slice(2);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => void end(reportCrash(args, runtime, error)));
}
void runProgram(args, runtime).then(end);
