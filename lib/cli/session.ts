// Owns what a command meets: the world outside, its log, its progress, its stop. Refuses to know any command.

import { logLevelOf } from '../config/load.ts';
import { StoppedError } from '../core/errors.ts';
import type { Environment, Log, Scrubber } from '../core/ports.ts';
import { createLog } from '../platform/log.ts';
import type { ProgressState } from './progress.ts';
import { formatDuration, renderProgress } from './progress.ts';
import { createStatusLine } from './status-line.ts';

export interface Output {
  write(text: string): void;
  isTerminal: boolean;
  columns(): number;
}

export type SignalName = 'SIGINT' | 'SIGTERM';

/** Everything outside that a command touches, file system and network apart. */
export interface World {
  env: Environment;
  cwd: string;
  /** How this program is called, for lines to be copied: `cgs-export` or `node dist/cli.js`. */
  program: string;
  stdout: Output;
  stderr: Output;
  nowMs(): number;
  monotonicMs(): number;
  /** Calls `work` again and again without keeping the process alive; the result ends it. */
  every(intervalMs: number, work: () => void): () => void;
  /** The result stops listening. */
  onSignal(listen: (name: SignalName) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export interface Session {
  world: World;
  json: boolean;
  log: Log;
  scrubber: Scrubber;
  /** Aborts with a StoppedError at the first SIGINT or SIGTERM; the second ends the process. */
  signal: AbortSignal;
  /** Lines to stderr, never through the progress line; not scrubbed again. */
  printError(text: string): void;
  /** Shows what `stateAt` says until the result is called: a line on a terminal, a log line every 10 s elsewhere. */
  follow(stateAt: (nowMs: number) => ProgressState | null): () => void;
  close(): void;
}

const redrawMs = 250;
const logEveryMs = 10_000;
const signalExitCodes: Readonly<Record<SignalName, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Throws ConfigError for a log level that is none. */
export function openSession(
  world: World,
  scrubber: Scrubber,
  options: { json: boolean; logLevel?: string | undefined },
): Session {
  const { env, stderr } = world;
  const { json } = options;
  const line = stderr.isTerminal ? createStatusLine((text) => stderr.write(text)) : null;
  const printError = (text: string) => (line ? line.print(text) : stderr.write(text));
  const log = createLog({
    level: logLevelOf(env, options.logLevel),
    write: printError,
    pretty: stderr.isTerminal,
    colour: stderr.isTerminal && !env.NO_COLOR,
    scrubber,
    base: {},
    nowMs: () => world.nowMs(),
  });

  const stopper = new AbortController();
  const stopListening = world.onSignal((name) => {
    if (stopper.signal.aborted) {
      line?.hide();
      world.exit(signalExitCodes[name]);
      return;
    }
    log('warn', `${name}: stopping cleanly; once more ends at once`);
    stopper.abort(
      new StoppedError(
        'STOPPED',
        'Stopped before it was done.',
        'Run the same command again: an export goes on after the last stored page.',
      ),
    );
  });

  function follow(stateAt: (nowMs: number) => ProgressState | null): () => void {
    if (line && !json && !env.NO_PROGRESS) {
      const stop = world.every(redrawMs, () => {
        const state = stateAt(world.monotonicMs());
        if (state) line.show(renderProgress(state, stderr.columns()));
      });
      return () => {
        stop();
        line.hide();
      };
    }
    return world.every(logEveryMs, () => {
      const state = stateAt(world.monotonicMs());
      if (state) log('info', 'progress', describeState(state));
    });
  }

  return {
    world,
    json,
    log,
    scrubber,
    signal: stopper.signal,
    printError,
    follow,
    close: stopListening,
  };
}

function describeState(state: ProgressState): Record<string, unknown> {
  const { label, unit, done, total, perSecond, leftMs, wait, note } = state;
  return {
    ...(label === '' ? {} : { of: label }),
    ...(total === null ? {} : { [unit]: done, total }),
    ...(perSecond === null ? {} : { perSecond: Math.round(perSecond * 10) / 10 }),
    ...(leftMs === null ? {} : { left: formatDuration(leftMs) }),
    ...(wait === null ? {} : { waiting: `${formatDuration(wait.leftMs)} ${wait.reason}` }),
    ...(note === '' ? {} : { note }),
  };
}
