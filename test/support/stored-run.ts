// Responsible for storing runs that are ready to be sealed, without reading a list.

import { checkpointKey, runPrefix, type TargetKey } from '../../lib/core/object-keys.ts';
import type { Clock, Dataset, Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import {
  type Checkpoint,
  encodeCheckpoint,
  type Scope,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { encodePage } from '../../lib/reading/page.ts';
import { openRunPages, type PageIndex } from '../../lib/reading/page-store.ts';
import { startPass } from '../../lib/reading/paging.ts';
import type { Join } from '../../lib/reading/sequence.ts';
import { type SealOutcome, type SealPorts, sealRun } from '../../lib/sealing/seal.ts';
import type { Sealed } from '../../lib/snapshots/catalog.ts';
import { createTestScratch } from './test-scratch.ts';

export const someTarget: TargetKey = {
  table: 'container_nodes',
  region: 'cn-south-4',
  projectId: 'p1',
};

export interface StoredRun {
  target: TargetKey;
  prefix: string;
  checkpoint: Checkpoint;
}

export interface RunToStore {
  target?: TargetKey;
  snapshot: string;
  /**
   * Each page's records as JSON texts, in the order in which they were read. `from`: by default, all but the first of a pass join at
   * the anchor. `offset`: by default that of the anchor; 0 for the first page of a pass.
   */
  pages: Iterable<{
    records: readonly string[];
    pass?: number;
    from?: Join;
    offset?: number;
    fetchedAtMs?: number;
  }>;
  verdict?: 'complete' | 'drifted';
  /** As in the checkpoint; default false. */
  atRest?: boolean;
  /** Default: that of scopeOf(). */
  scope?: Partial<Scope>;
  startedAtMs?: number;
  /** Of which the list is. Default: container_nodes. */
  dataset?: Dataset;
}

/** The record of one node as JSON text. */
export function nodeText(hostId: string, more: Record<string, unknown> = {}): string {
  return JSON.stringify({ host_id: hostId, agent_status: 'online', ...more });
}

export function scopeOf({ region, projectId }: TargetKey): Scope {
  return {
    account: 'prod',
    region,
    projectId,
    api: 'hss',
    endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
    enterpriseProjectId: 'all_granted_eps',
    filters: {},
  };
}

export const pageTimeMs = Date.UTC(2026, 10, 24, 6, 0, 1);

/** Where a page of a dataset has its records. */
const listNames: Readonly<Record<string, string>> = {
  container_nodes: 'data_list',
  container_clusters: 'cluster_info_list',
};

export async function storeRun(store: Store, run: RunToStore): Promise<StoredRun> {
  const { target = someTarget, snapshot, verdict = 'complete', atRest = false } = run;
  const { dataset = containerNodes } = run;
  const start = startCheckpoint({
    target,
    dataset: dataset.name,
    schemaVersion: dataset.schemaVersion,
    snapshot,
    scope: { ...scopeOf(target), ...run.scope },
    startedAtMs: run.startedAtMs ?? Date.UTC(2026, 10, 24, 6),
  });
  const prefix = runPrefix(target, snapshot, start.run);
  const runPages = openRunPages({ store, dataset, prefix, keepAlive: async () => {} });
  let pageIndex: PageIndex = start;
  let lastPass = 0;
  let end = 0;
  let pages = 0;
  for (const page of run.pages) {
    const index = pages;
    pages += 1;
    const { records, pass = 1, fetchedAtMs = pageTimeMs + index * 1_000 } = page;
    const body = `{"total_num":${records.length},"${listNames[dataset.name]}":[${records.join(',')}]}`;
    const isFirst = pass !== lastPass;
    const { from = isFirst ? 'start' : 'anchor', offset = isFirst ? 0 : Math.max(0, end - 1) } =
      page;
    const bytes = encodePage({ index, pass, offset, fetchedAtMs }, from, body);
    end = offset + records.length;
    lastPass = pass;
    pageIndex = await runPages.add(pageIndex, bytes, pass);
  }
  const evidence = { ...start.evidence, pages, requests: pages + 1 };
  const cursor = startPass(Math.max(1, lastPass));
  const ended = { phase: 'sealing', cursor, verdict, atRest, evidence } as const;
  const checkpoint: Checkpoint = { ...start, ...pageIndex, ...ended };
  await store.put(checkpointKey(prefix), encodeCheckpoint(checkpoint));
  return { target, prefix, checkpoint };
}

type StoredSealPorts = Omit<SealPorts, 'readPages'>;

export function createSealPorts(
  store: Store,
  clock: Clock,
  overrides: Partial<StoredSealPorts> = {},
): StoredSealPorts {
  return {
    store,
    scratch: createTestScratch(),
    clock,
    dataset: containerNodes,
    encoders: [parquetEncoder, ndjsonEncoder],
    changesEncoder: parquetEncoder,
    decoder: parquetDecoder,
    writer: 'cgs-export/test',
    signing: null,
    log: () => {},
    keepAlive: async () => {},
    mayWait: true,
    scheduleMs: 24 * 3_600_000,
    onWait: () => {},
    remembered: null,
    ...overrides,
  };
}

export async function sealStored(ports: StoredSealPorts, run: StoredRun): Promise<Sealed> {
  return (await sealWithFaults(ports, run)).sealed;
}

export async function sealWithFaults(ports: StoredSealPorts, run: StoredRun): Promise<SealOutcome> {
  const { target, prefix, checkpoint } = run;
  const readPages = openRunPages({ ...ports, prefix }).read;
  const outcome = await sealRun({ ...ports, readPages }, target, checkpoint);
  if (!outcome) throw new Error('not its turn');
  return outcome;
}
