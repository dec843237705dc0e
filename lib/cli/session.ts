// Responsible for what one call of a command works with: the process, its log, its progress display and its stop signal.

import { logLevelOf } from '../config/load.ts';
import { StoppedError } from '../core/errors.ts';
import type { Environment, Log, LogLevel, Scrubber } from '../core/ports.ts';
import { createLog } from '../platform/log.ts';
import { formatDuration } from './format.ts';
import type { CommonOptions, LogFormat } from './options.ts';
import { type ProgressState, renderProgress } from './progress.ts';
import { createStatusLine, type StatusLine } from './status-line.ts';

export interface Output {
  write(text: string): void;
  /** Resolves when the reader has taken most of what was written. False: it has closed the pipe. */
  drained(): Promise<boolean>;
  isTerminal: boolean;
  columns(): number;
}

export type SignalName = 'SIGINT' | 'SIGTERM';

/** Everything outside of the program that a command uses, except the file system and the network. From main.ts. */
export interface CommandRuntime {
  env: Environment;
  cwd: string;
  /** How the user calls this program, for commands to copy: `cgs-export` or `node dist/cli.js`. */
  program: string;
  /** The folder with the documentation of this installation; null: it has none. */
  docs: string | null;
  stdout: Output;
  stderr: Output;
  nowMs(): number;
  monotonicMs(): number;
  /** Calls `work` repeatedly without keeping the process alive. The returned function stops it. */
  every(intervalMs: number, work: () => void): () => void;
  /** The returned function stops listening. */
  onSignal(listen: (name: SignalName) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export interface Session {
  runtime: CommandRuntime;
  /** True: stdout gets one JSON object. */
  json: boolean;
  logFormat: LogFormat;
  log: Log;
  /** Whether a log line has shown this error already. */
  isLogged(error: { code: string; message: string }): boolean;
  scrubber: Scrubber;
  /** Aborts with a StoppedError at the first SIGINT or SIGTERM. The second one ends the process. */
  signal: AbortSignal;
  /** Prints whole lines on stderr, above the progress bar. The caller has removed secrets from `text`. */
  printError(text: string): void;
  /**
   * Shows the progress until `work` has ended: as a bar if the logs are pretty and stderr is a terminal, otherwise as
   * a log line every 10 s.
   */
  showProgress<T>(stateAt: StateAt, work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** How wide a table may be. Null: no limit, because the reader of a pipe may be a program. */
export function tableColumns({ runtime: { stdout, env } }: Session): number | null {
  if (stdout.isTerminal) return stdout.columns();
  const given = Number(env.COLUMNS);
  return given > 0 ? given : null;
}

/** Null: there is nothing to show. */
export type StateAt = (nowMs: number) => ProgressState | null;

const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
const redrawMs = 250;
const logEveryMs = 10_000;
const signalExitCodes: Readonly<Record<SignalName, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Throws ConfigError if the log level is not valid. */
export function openSession(
  runtime: CommandRuntime,
  scrubber: Scrubber,
  options: CommonOptions,
): Session {
  const { env, stderr } = runtime;
  const { json = false } = options;
  const logFormat = options.logFormat ?? (stderr.isTerminal ? 'pretty' : 'json');
  const isPretty = logFormat === 'pretty';
  const line =
    isPretty && stderr.isTerminal ? createStatusLine((text) => stderr.write(text)) : null;
  const printError = (text: string) => (line ? line.print(text) : stderr.write(text));
  const level = logLevelOf(env, options.logLevel);
  const writeLog = createLog({
    level,
    write: printError,
    pretty: isPretty,
    colour: line !== null && !env.NO_COLOR,
    scrubber,
    base: () => ({}),
    nowMs: () => runtime.nowMs(),
  });
  const shownErrors = new Set<string>();
  const log: Log = (lineLevel, message, fields = {}) => {
    writeLog(lineLevel, message, fields);
    const isShown = logLevels.indexOf(lineLevel) <= logLevels.indexOf(level);
    if (isShown && fields.code) shownErrors.add(`${fields.code} ${scrubber.scrub(message)}`);
  };
  const { signal, stopListening } = stopOnSignal(runtime, log, line);
  const bar = json || env.NO_PROGRESS ? null : line;
  return {
    runtime,
    json,
    logFormat,
    log,
    isLogged: ({ code, message }) => shownErrors.has(`${code} ${message}`),
    scrubber,
    signal,
    printError,
    async showProgress(stateAt, work) {
      const show = (state: ProgressState) =>
        bar
          ? bar.show(renderProgress(state, stderr.columns()))
          : log('info', 'progress', describeState(state));
      const stopShowing = runtime.every(bar ? redrawMs : logEveryMs, () => {
        const state = stateAt(runtime.monotonicMs());
        if (state) show(state);
      });
      try {
        return await work();
      } finally {
        stopShowing();
        bar?.hide();
      }
    },
    close: stopListening,
  };
}

function stopOnSignal(runtime: CommandRuntime, log: Log, line: StatusLine | null) {
  const stopper = new AbortController();
  const stopListening = runtime.onSignal((name) => {
    if (stopper.signal.aborted) {
      line?.hide();
      runtime.exit(signalExitCodes[name]);
      return;
    }
    log('warn', `${name} received: stopping cleanly. A second signal ends the process at once.`);
    stopper.abort(
      new StoppedError(
        'STOPPED',
        'The command was stopped before it had finished.',
        'Run the same command again: an export continues after the last stored page.',
      ),
    );
  });
  return { signal: stopper.signal, stopListening };
}

function describeState(state: ProgressState): Record<string, unknown> {
  const { label, unit, done, total, perSecond, leftMs, wait, note } = state;
  return {
    ...(label === '' ? {} : { of: label }),
    ...(total === null ? {} : { [unit]: done, total }),
    ...(perSecond === null ? {} : { perSecond: Math.round(perSecond * 10) / 10 }),
    ...(leftMs === null ? {} : { left: formatDuration(leftMs) }),
    ...(wait === null ? {} : { waiting: wait.text.replace(/^waiting /, '') }),
    ...(note === '' ? {} : { note }),
  };
}
