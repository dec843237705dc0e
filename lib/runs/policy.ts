// Responsible for how a timer's invocation and a command differ. Nothing else in this folder asks which of them it is.

import type { LogLevel } from '../core/ports.ts';

export type CollectMode = 'timer' | 'command';

/** All differences between a timer's invocation and a command. */
export interface Policy {
  /** `due`: targets whose slot has begun and that are not held off. `all`: every target once, and holds are cleared. */
  selects: 'due' | 'all';
  /** Whether to wait for another exporter: for the lease, and for an older run that must seal first. */
  waitsForOthers: boolean;
  /** See ledger.ts: a command waits for answers anyway, a timer must not. */
  quotaHeldFrom: 'answer' | 'departure';
  /** A new snapshot is named after the begun slot, or after the current second. */
  snapshotNamedBy: 'slot' | 'now';
  /** Whether stalls and abandoned runs are errors of the invocation, each reported once. A command shows progress. */
  reportsStalls: boolean;
  /** Whether an error says that timers now leave its target alone. A timer's result lists what is held. */
  errorsNameHold: boolean;
  /** After this many interrupted attempts to seal, the invocation fails instead of trying again. */
  sealAttemptsMax: number;
  /** The level of the log line for each page. */
  pageLogLevel: LogLevel;
}

export const policies: Readonly<Record<CollectMode, Policy>> = {
  timer: {
    selects: 'due',
    waitsForOthers: false,
    quotaHeldFrom: 'departure',
    snapshotNamedBy: 'slot',
    reportsStalls: true,
    errorsNameHold: false,
    sealAttemptsMax: 3,
    pageLogLevel: 'info',
  },
  command: {
    selects: 'all',
    waitsForOthers: true,
    quotaHeldFrom: 'answer',
    snapshotNamedBy: 'now',
    reportsStalls: false,
    errorsNameHold: true,
    sealAttemptsMax: Number.POSITIVE_INFINITY,
    pageLogLevel: 'debug',
  },
};
