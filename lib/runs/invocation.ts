// Owns what an invocation is given and gives back. Refuses to do anything: collect.ts does.

import type { ExportError } from '../core/errors.ts';
import type { TargetKey } from '../core/object-keys.ts';
import type { Clock, Dataset, Encoder, Host, Log, Source, Store } from '../core/ports.ts';
import type { Budget } from '../quota/budget.ts';
import type { Quota } from '../quota/window.ts';
import type { Scope } from '../reading/evidence.ts';
import type { Sealed } from '../snapshots/catalog.ts';
import type { Progress } from './run.ts';

/** One list of nodes to be exported, as the configuration names it. */
export interface Target {
  account: string;
  table: string;
  region: string;
  /** Null: `findProjectId` asks. */
  projectId: string | null;
  findProjectId: (budget: Budget) => Promise<string>;
  /** Under which an answer of `findProjectId` is remembered. */
  projectQuestion: string;
  /** Hash of the access key. */
  user: string;
  dataset: Dataset;
  scopeOf: (projectId: string) => Scope;
  openSource: (projectId: string) => Source;
}

export interface CollectPorts {
  store: Store;
  clock: Clock;
  host: Host;
  log: Log;
  random: () => number;
  encoders: readonly Encoder[];
  quota: Quota;
  requestTimeoutMs: number;
  scheduleMs: number;
  keepPagesMs: number;
  writer: string;
  targets: readonly Target[];
  budget: Budget;
  progress: Progress;
  /** Throws ConfigError when two targets turn out to be one. */
  checkDistinct: (targets: readonly { target: Target; projectId: string }[]) => void;
}

/**
 * `timer`: what is due, as far as the quota and the time left allow; leaves at once when somebody else works.
 * `command`: every target now; waits.
 */
export type CollectMode = 'timer' | 'command';

export interface CollectResult {
  status: 'sealed' | 'paused' | 'failed' | 'idle';
  snapshots: Sealed[];
  requests: number;
  /** Of them, refused because somebody else shares the quota. */
  throttled: number;
  /** What went wrong, each once; `failed` if any of them needs more than another invocation. */
  errors: ExportError[];
}

/** A target whose project is known. */
export interface KnownWork {
  target: Target;
  projectId: string;
  key: TargetKey;
  /** Of the key, for maps and messages. */
  id: string;
}

/** Null: its project must be asked for first. */
export type Work = KnownWork | { target: Target; projectId: null; key: null; id: string };
