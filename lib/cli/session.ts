// Responsible for what one call of a command works with: its log, its progress display and its stop signal.

import { logLevelOf } from '../config/load.ts';
import { StoppedError } from '../core/errors.ts';
import type { Log, Scrubber } from '../core/ports.ts';
import { createLog } from '../platform/log.ts';
import type { CommandRuntime, SignalName } from './command-runtime.ts';
import { formatDuration } from './format.ts';
import type { LogFormat } from './options.ts';
import { type ProgressState, renderProgress } from './progress.ts';
import { createStatusLine, type StatusLine } from './status-line.ts';

export interface Session {
  runtime: CommandRuntime;
  /** True: stdout gets one JSON object. */
  json: boolean;
  logFormat: LogFormat;
  log: Log;
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

/** Null: there is nothing to show. */
export type StateAt = (nowMs: number) => ProgressState | null;

export interface SessionOptions {
  json: boolean;
  /** Undefined: from CGS_EXPORT_LOG_LEVEL. */
  logLevel?: string | undefined;
  /** Undefined: pretty on a terminal, JSON elsewhere. */
  logFormat?: LogFormat | undefined;
}

const redrawMs = 250;
const logEveryMs = 10_000;
const signalExitCodes: Readonly<Record<SignalName, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Throws ConfigError if the log level is not valid. */
export function openSession(
  runtime: CommandRuntime,
  scrubber: Scrubber,
  options: SessionOptions,
): Session {
  const { env, stderr } = runtime;
  const { json } = options;
  const logFormat = options.logFormat ?? (stderr.isTerminal ? 'pretty' : 'json');
  const isPretty = logFormat === 'pretty';
  const line =
    isPretty && stderr.isTerminal ? createStatusLine((text) => stderr.write(text)) : null;
  const printError = (text: string) => (line ? line.print(text) : stderr.write(text));
  const log = createLog({
    level: logLevelOf(env, options.logLevel),
    write: printError,
    pretty: isPretty,
    colour: line !== null && !env.NO_COLOR,
    scrubber,
    base: {},
    nowMs: () => runtime.nowMs(),
  });
  const { signal, stopListening } = stopOnSignal(runtime, log, line);
  const bar = json || env.NO_PROGRESS ? null : line;
  return {
    runtime,
    json,
    logFormat,
    log,
    scrubber,
    signal,
    printError,
    async showProgress(stateAt, work) {
      const stopShowing = bar
        ? drawProgress(runtime, bar, stateAt)
        : logProgress(runtime, log, stateAt);
      try {
        return await work();
      } finally {
        stopShowing();
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

function drawProgress(runtime: CommandRuntime, bar: StatusLine, stateAt: StateAt): () => void {
  const stop = runtime.every(redrawMs, () => {
    const state = stateAt(runtime.monotonicMs());
    if (state) bar.show(renderProgress(state, runtime.stderr.columns()));
  });
  return () => {
    stop();
    bar.hide();
  };
}

function logProgress(runtime: CommandRuntime, log: Log, stateAt: StateAt): () => void {
  return runtime.every(logEveryMs, () => {
    const state = stateAt(runtime.monotonicMs());
    if (state) log('info', 'progress', describeState(state));
  });
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
