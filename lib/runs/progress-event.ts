// Responsible for the events that report the progress of runs.

import type { TargetKey } from '../core/object-keys.ts';

export type Progress = (event: ProgressEvent) => void;

interface RunEvent {
  target: TargetKey;
  run: string;
  snapshot: string;
}
/** `run`: work on the run starts or continues. `rows` of a page: rows read so far. */
export type RunProgress =
  | ({ kind: 'run' } & RunEvent)
  | ({ kind: 'seal' } & RunEvent)
  | ({ kind: 'page'; rows: number; total: number; pass: number } & RunEvent)
  | ({ kind: 'sealed'; rows: number; verdict: string } & RunEvent);
/** `retry`: a request failed and is tried again after `delayMs`. `cause`: in a few words. */
export type WaitProgress =
  | { kind: 'wait'; delayMs: number; reason: string }
  | { kind: 'retry'; nextTry: number; triesMax: number; delayMs: number; cause: string };

export type ProgressEvent = (RunProgress & { account: string }) | WaitProgress;
