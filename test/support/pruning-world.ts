// Responsible for a store in memory with a sealed history, and for pruning it in tests.

import type { TargetKey } from '../../lib/core/object-keys.ts';
import type { Log, Store } from '../../lib/core/ports.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import type { Retention } from '../../lib/retention/pruning.ts';
import { type PruneOptions, type PruneResult, prune } from '../../lib/runs/prune.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import { type HistoryOptions, listHistory } from './sealed-history.ts';
import { someTarget } from './stored-run.ts';
import { createClock } from './virtual-clock.ts';

export const dayMs = 24 * 3_600_000;
/** With `all` 0 alone. */
export const onlyNewest: Retention = { all: 0, daily: null, weekly: null, monthly: null, grace: 0 };

export interface PruneCall extends Partial<PruneOptions> {
  retention?: Retention;
  signingKey?: SigningKey | null;
  targets?: readonly TargetKey[];
  store?: Store;
  signal?: AbortSignal;
  log?: Log;
}

/** One snapshot a day, the newest an hour ago. `histories`: default one of six snapshots with all kinds of parts. */
export async function createPruningWorld(
  options: Partial<MemoryStoreOptions> & { histories?: readonly Partial<HistoryOptions>[] } = {},
) {
  const { histories = [{}], ...storeOptions } = options;
  const clock = createClock();
  const store = createMemoryStore({ nowMs: clock.nowMs, ...storeOptions });
  const base: HistoryOptions = {
    count: 6,
    newestMs: clock.nowMs() - 3_600_000,
    moreKinds: [
      { role: 'rejects', format: 'ndjson' },
      { role: 'changes', format: 'parquet' },
    ],
  };
  for (const history of histories) {
    for (const { key, bytes } of listHistory({ ...base, ...history })) await store.put(key, bytes);
  }
  let seconds = 0;
  return {
    clock,
    store,
    prune(call: PruneCall = {}): Promise<PruneResult> {
      const { retention = onlyNewest, signingKey = null, targets = [someTarget] } = call;
      const { isDryRun = false, pick = (covered) => covered, onProgress = () => {} } = call;
      const { waitsForOthers = true } = call;
      seconds += 1;
      const ports = {
        ...{ store: call.store ?? store, clock, log: call.log ?? (() => {}), random: Math.random },
        host: {
          ...{ identity: `process-${seconds}`, name: 'host', boot: null },
          isGone: () => false,
        },
        budget: unlimitedBudget(call.signal ?? new AbortController().signal),
        progress: () => {},
        targets: targets.map((target) => ({ ...target, account: 'prod', projectQuestion: '' })),
        ...{ retention, signingKey },
      };
      return clock.run(prune(ports, { isDryRun, pick, onProgress, waitsForOthers }));
    },
    /** Keys of stored parts of rows and rejects. */
    prunable: () =>
      [...store.dump().keys()].filter((key) => /^container_nodes(_ndjson|_rejects)?\//.test(key)),
    /** Keys that pruning must never delete. */
    lasting: () =>
      [...store.dump().keys()].filter((key) =>
        /^(_manifests|_head|_latest|_pruned|_keys|container_nodes_changes)\//.test(key),
      ),
  };
}
