// Responsible for the state of a run while one process advances it: the stored checkpoint, and the pass as read so far.

import type { ExportError } from '../core/errors.ts';
import { checkpointKey, runPrefix, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Source } from '../core/ports.ts';
import { stoppedError } from '../quota/budget.ts';
import type { Ledger } from '../quota/ledger.ts';
import { type Checkpoint, encodeCheckpoint } from '../reading/checkpoint.ts';
import { createKeyTable, hashText, type KeyTable } from '../reading/key-table.ts';
import { toItems } from '../reading/page.ts';
import { openRunPages } from '../reading/page-store.ts';
import { type PassTracker, trackPass } from '../reading/pass-evidence.ts';
import type { Previous } from '../snapshots/manifest.ts';
import type { CollectPorts } from './invocation.ts';
import type { Policy } from './policy.ts';
import type { RunProgress, WaitProgress } from './progress-event.ts';

type SharedPorts =
  | 'store'
  | 'scratch'
  | 'clock'
  | 'log'
  | 'encoders'
  | 'changesEncoder'
  | 'decoder'
  | 'budget'
  | 'writer'
  | 'signing'
  | 'memoryMb'
  | 'listLimit'
  | 'scheduleMs';

export interface RunPorts extends Pick<CollectPorts, SharedPorts> {
  policy: Policy;
  progress: (event: RunProgress | WaitProgress) => void;
  dataset: Dataset;
  source: Source;
  ledger: Ledger;
  /** The newest snapshot that was sealed, as the schedule remembers it; null: it remembers none. */
  remembered: Previous | null;
  /** Hash of the access key. */
  user: string;
  /** Renews the lease if that is due; throws StoppedError if the lease is lost. */
  renew: () => Promise<void>;
  /** True for the first work of the invocation: it is tried even if the time left may be too short. */
  first: boolean;
  /** Called for every request with its outcome, for the counts of the invocation. */
  requested: (error: ExportError | null) => void;
}

export type RunState = ReturnType<typeof openRunState>;

export function openRunState(ports: RunPorts, target: TargetKey, start: Checkpoint) {
  const { store, dataset, budget } = ports;
  const prefix = runPrefix(target, start.snapshot, start.run);
  const hasPages = start.passStarts.at(-1)?.pass === start.cursor.pass;
  const state = {
    ports,
    target,
    /** As it is stored. */
    checkpoint: start,
    /** The current pass. Null: another process read its pages, and this one has not loaded them. */
    pass: hasPages ? null : (trackPass() as PassTracker | null),
    pages: openRunPages({ store, dataset, prefix, keepAlive }),
    keepAlive,
    async save(next: Checkpoint): Promise<void> {
      await keepAlive();
      const key = checkpointKey(prefix);
      const bytes = encodeCheckpoint(next, { key, by: ports.signing });
      await store.put(key, bytes, { durability: 'acknowledged' });
      state.checkpoint = next;
    },
    /**
     * Reads the current pass back from its stored pages, unless this process followed it from its start. Its memory does not
     * grow with the pages, but with their keys.
     */
    async loadPass(): Promise<PassTracker> {
      if (state.pass) return state.pass;
      const loaded = trackPass();
      const range = { fromPass: state.checkpoint.cursor.pass };
      for await (const { header, body, from } of state.pages.read(state.checkpoint, range)) {
        loaded.addPage(toItems(dataset, body.records), from, header.offset);
      }
      state.pass = loaded;
      return loaded;
    },
    /** Keys of all records in passes before `pass`. */
    async readKeysBefore(pass: number): Promise<KeyTable> {
      const keys = createKeyTable();
      for await (const { body } of state.pages.read(state.checkpoint, { beforePass: pass })) {
        for (const record of body.records) {
          const key = dataset.keyOf(record);
          if (key !== null) keys.add(hashText(key));
        }
      }
      return keys;
    },
  };

  /** Called before every side effect; throws if the run is aborted or the lease is lost. Earlier work is stored. */
  async function keepAlive(): Promise<void> {
    if (budget.signal.aborted) throw stoppedError();
    await ports.renew();
  }

  return state;
}
