// Responsible for the state of a run while one process advances it: the stored checkpoint, and the pass as read so far.

import type { ExportError } from '../core/errors.ts';
import { checkpointKey, runPrefix, type TargetKey } from '../core/object-keys.ts';
import type { Clock, Dataset, Encoder, Log, Source, Store } from '../core/ports.ts';
import { type Budget, stoppedError } from '../quota/budget.ts';
import type { Ledger } from '../quota/ledger.ts';
import { type Checkpoint, encodeCheckpoint } from '../reading/checkpoint.ts';
import { type Item, toItems } from '../reading/page.ts';
import { openRunPages, type RunPages } from '../reading/page-store.ts';
import { type PassTracker, trackPass } from '../reading/paging.ts';
import type { Policy } from './policy.ts';
import type { Progress } from './progress-event.ts';

export interface RunPorts {
  policy: Policy;
  store: Store;
  clock: Clock;
  log: Log;
  dataset: Dataset;
  source: Source;
  encoders: readonly Encoder[];
  ledger: Ledger;
  /** Hash of the access key. */
  user: string;
  budget: Budget;
  /** Name and version of this program, for parts and manifest. */
  writer: string;
  /** Renews the lease if that is due; throws StoppedError if the lease is lost. */
  renew: () => Promise<void>;
  progress: Progress;
  /** True for the first work of the invocation: it is tried even if the time left may be too short. */
  first: boolean;
  /** Called for every request with its outcome, for the counts of the invocation. */
  requested: (error: ExportError | null) => void;
}

export interface RunState {
  readonly ports: RunPorts;
  readonly target: TargetKey;
  readonly pages: RunPages;
  /** As it is stored. */
  checkpoint(): Checkpoint;
  /** Called before every side effect; throws if the run is aborted or the lease is lost. Earlier work is stored. */
  keepAlive(): Promise<void>;
  save(next: Checkpoint): Promise<void>;
  /** The pass as far as this process knows it; null: it must be read back from the stored pages. */
  knownPass(): PassTracker | null;
  /** Reads the current pass back from its stored pages, unless this process followed it from its start. */
  loadPass(): Promise<PassTracker>;
  /** Keys of all records in passes before `pass`. */
  readKeysBefore(pass: number): Promise<Set<string>>;
  /** Forgets the pass. `isNew`: the next one starts now, so that this process can follow it. */
  endPass(isNew: boolean): void;
}

export function openRunState(ports: RunPorts, target: TargetKey, start: Checkpoint): RunState {
  const { store, dataset, budget } = ports;
  const prefix = runPrefix(target, start.snapshot, start.run);
  const pages = openRunPages({ store, dataset, prefix, keepAlive });
  let checkpoint = start;
  const hasPages = start.pages.some((page) => page.pass === start.cursor.pass);
  let pass: PassTracker | null = hasPages ? null : trackPass();

  async function keepAlive(): Promise<void> {
    if (budget.signal.aborted) throw stoppedError();
    await ports.renew();
  }

  async function readItems(index: number): Promise<Item[]> {
    const { body } = await pages.read(checkpoint, index);
    return toItems(dataset, body.records);
  }

  return {
    ports,
    target,
    pages,
    keepAlive,
    checkpoint: () => checkpoint,
    async save(next) {
      await keepAlive();
      await store.put(checkpointKey(prefix), encodeCheckpoint(next), {
        durability: 'acknowledged',
      });
      checkpoint = next;
    },
    knownPass: () => pass,
    async loadPass() {
      if (pass) return pass;
      const loaded = trackPass();
      for (const [index, page] of checkpoint.pages.entries()) {
        if (page.pass !== checkpoint.cursor.pass) continue;
        loaded.addPage(await readItems(index), page.from);
      }
      pass = loaded;
      return loaded;
    },
    async readKeysBefore(number) {
      const keys = new Set<string>();
      for (const [index, page] of checkpoint.pages.entries()) {
        if (page.pass >= number) continue;
        for (const { key } of await readItems(index)) if (key !== null) keys.add(key);
      }
      return keys;
    },
    endPass(isNew) {
      pass = isNew ? trackPass() : null;
    },
  };
}
