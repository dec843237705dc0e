// Responsible for what one invocation works with: ports, policy, schedule, result. Not responsible for the work (collect.ts).

import type { ExportError, ScratchError } from '../core/errors.ts';
import type { TargetKey } from '../core/object-keys.ts';
import type {
  Clock,
  Dataset,
  Decoder,
  Encoder,
  Host,
  Log,
  Scratch,
  Source,
  Store,
} from '../core/ports.ts';
import type { Budget } from '../quota/budget.ts';
import type { Lease } from '../quota/lease.ts';
import type { Ledger, WaitReason } from '../quota/ledger.ts';
import type { Quota } from '../quota/window.ts';
import type { Checkpoint, Scope } from '../reading/checkpoint.ts';
import type { Sealed } from '../snapshots/catalog.ts';
import type { SigningKey } from '../snapshots/signature.ts';
import type { Policy } from './policy.ts';
import type { Progress } from './progress-event.ts';
import type { Schedule } from './schedule.ts';

/** One list to export, as the configuration names it. */
export interface Target {
  account: string;
  table: string;
  region: string;
  /** Null: not configured; `findProjectId` asks IAM. */
  projectId: string | null;
  findProjectId: (budget: Budget) => Promise<string>;
  /** The key under which the schedule remembers the answer of `findProjectId`. */
  projectQuestion: string;
  /** Hash of the access key. */
  user: string;
  dataset: Dataset;
  scopeOf: (projectId: string) => Scope;
  openSource: (projectId: string) => Source;
}

/** What a host without temporary files can seal: reading a longer list would use the quota in vain. */
export interface ListLimit {
  entriesMax: number;
  /** Why no temporary file can be made. */
  fault: ScratchError;
}

export interface CollectPorts {
  store: Store;
  scratch: Scratch;
  clock: Clock;
  host: Host;
  log: Log;
  /** In [0, 1). */
  random: () => number;
  encoders: readonly Encoder[];
  changesEncoder: Encoder;
  decoder: Decoder;
  quota: Quota;
  requestTimeoutMs: number;
  scheduleMs: number;
  keepPagesMs: number;
  /** Name and version of this program, for parts and manifests. */
  writer: string;
  /** Null: manifests are not signed. */
  signing: SigningKey | null;
  targets: readonly Target[];
  /** Of the function. Absent: not known. */
  memoryMb?: number | undefined;
  /** Absent: a list of any length can be sealed. */
  listLimit?: ListLimit | undefined;
  budget: Budget;
  progress: Progress;
  viewSchedule: () => Promise<ScheduleView>;
  /** Throws ConfigError if two targets turn out to be the same list. */
  checkDistinct: (targets: readonly { target: Target; projectId: string }[]) => void;
}

/** What is needed to decide which targets have work. */
export interface Agenda extends CollectPorts {
  policy: Policy;
  /** Changed in place; `saveSchedule` stores it. */
  schedule: Schedule;
}

/** One invocation that holds the lease. */
export interface Invocation extends Agenda {
  lease: Lease;
  /** The quota ledger of the target's list. */
  ledgerOf: (target: Target) => InvocationLedger;
  result: CollectResult;
  /** Renews the lease first. Throws StoppedError if the lease is lost. */
  saveSchedule: () => Promise<void>;
}

export interface InvocationLedger extends Ledger {
  /** The wait for which the last request was not admitted. Null: it was admitted, or there was none. */
  refusedWait(): RefusedWait | null;
}

export interface RefusedWait {
  reason: WaitReason;
  /** Until when it would have taken, by the store's clock, ISO 8601 UTC. */
  until: string;
}

/** A target whose run is open at the end of the invocation. The next one continues it. */
export interface PausedTarget extends TargetKey {
  account: string;
  snapshot: string;
  /** What its next request waits for. Null: the time of the invocation was too short, or another run must seal first. */
  waitsFor: RefusedWait | null;
}

export interface CollectResult {
  status: 'sealed' | 'paused' | 'failed' | 'idle';
  snapshots: Sealed[];
  requests: number;
  /** Requests that the service refused with 429. */
  throttled: number;
  /** Each fault once. */
  errors: ExportError[];
  /** Targets that a timer leaves alone at the end of the invocation. A command has none. */
  held: HeldTarget[];
  /** Targets that a timer will try again, but whose newest attempt failed. A command has none. */
  failing: HeldTarget[];
  /** Targets that this invocation has worked on, and whose run it could not finish. Not those whose attempt failed. */
  paused: PausedTarget[];
  /** Why there was nothing to do: no target is due that is not held, or another exporter works. Null: there was. */
  idle: 'not due' | 'leased' | null;
}

/** Times are ISO 8601 UTC, by the store's clock. */
export interface Hold {
  /** Until when a timer does not use the target or its key; null: not held. */
  heldUntil: string | null;
  /** Why it is held; if it is not held, why its newest attempt failed. Null: it did not fail. */
  failure: FailureStatus | null;
}

export interface FailureStatus {
  /** True: the key is held, and so all its targets. */
  ofKey: boolean;
  code: string;
  message: string;
  hint: string;
  /** The first and the newest failed attempt in a row. */
  since: string;
  last: string;
  /** Failed attempts in a row. */
  failures: number;
}

/** A target that is held, or whose newest attempt failed. `projectId` null: not known yet. */
export interface HeldTarget extends Hold {
  account: string;
  table: string;
  region: string;
  projectId: string | null;
}

/** A target of this invocation whose project is known. */
export interface ResolvedTask {
  target: Target;
  projectId: string;
  key: TargetKey;
  /** `key` as one text, for maps and messages. */
  id: string;
}

/** A target of this invocation. `projectId` null: IAM must be asked first. */
export type Task = ResolvedTask | { target: Target; projectId: null; key: null; id: string };

/** The schedule as it is stored now, and the targets with what it knows of their projects. Neither may be changed. */
export interface ScheduleView {
  schedule: Schedule;
  tasks: readonly Task[];
}

/** One attempt to export a target, as far as it has come. */
export interface Attempt<T extends Task = Task> {
  task: T;
  /** Null: no run is open yet. */
  checkpoint: Checkpoint | null;
  /** Whether this invocation has stored a page of it. */
  gotPage: boolean;
  /** Of its newest request in this invocation. Null or absent: it succeeded, or there was none. */
  newestError?: ExportError | null;
}
