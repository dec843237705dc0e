// Responsible for stored runs of any size in a folder, without an endpoint: what a seal reads.

import { checkpointKey, runPrefix, type TargetKey } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { encodePage } from '../../lib/reading/page.ts';
import { openRunPages, type PageIndex } from '../../lib/reading/page-store.ts';
import { startPass } from '../../lib/reading/paging.ts';
import { createRecords } from '../formats/inventory.ts';

export const storedTarget: TargetKey = {
  table: 'container_nodes',
  region: 'cn-south-4',
  projectId: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
};
const limit = 200;
const startedAtMs = Date.UTC(2026, 10, 24, 6);

/** Stores a run of `count` nodes that is ready to be sealed: one pass, pages of 200 that overlap by one row. */
export async function storeInventory(store: Store, count: number): Promise<void> {
  const start = startCheckpoint({
    target: storedTarget,
    schemaVersion: containerNodes.schemaVersion,
    snapshot: '20261124T060000Z',
    scope: {
      account: 'prod',
      region: storedTarget.region,
      projectId: storedTarget.projectId,
      api: 'hss',
      endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
      enterpriseProjectId: 'all_granted_eps',
      filters: {},
    },
    startedAtMs,
  });
  const prefix = runPrefix(storedTarget, start.snapshot, start.run);
  const keepAlive = async () => {};
  const pages = openRunPages({ store, dataset: containerNodes, prefix, keepAlive });
  let stored: PageIndex = start;
  let anchor: string[] = [];
  let index = 0;
  let offset = 0;
  const records = createRecords(count);
  for (let rest = count; rest > 0; index += 1) {
    const length = Math.min(limit - anchor.length, rest);
    rest -= length;
    const texts = Array.from({ length }, () => JSON.stringify(records.next().value));
    const body = `{"total_num":${count},"data_list":[${[...anchor, ...texts].join(',')}]}`;
    const header = { index, pass: 1, offset, fetchedAtMs: startedAtMs + index * 12_345 + 7 };
    const from = index === 0 ? 'start' : 'anchor';
    stored = await pages.add(stored, encodePage(header, from, body), 1);
    offset += anchor.length + length - 1;
    anchor = texts.slice(-1);
  }
  const ended = {
    phase: 'sealing',
    cursor: startPass(1),
    verdict: 'complete',
    atRest: true,
  } as const;
  const evidence = { ...start.evidence, pages: index, requests: index };
  const checkpoint: Checkpoint = { ...start, ...stored, ...ended, evidence };
  await store.put(checkpointKey(prefix), encodeCheckpoint(checkpoint));
}

/** The run that storeInventory has stored. */
export async function readInventory(
  store: Store,
): Promise<{ checkpoint: Checkpoint; prefix: string }> {
  const objects = await store.list('_runs/');
  const key = objects.find((object) => object.key.endsWith('/checkpoint.json'))?.key ?? '';
  const checkpoint = decodeCheckpoint(key, (await store.get(key)) ?? new Uint8Array());
  return { checkpoint, prefix: runPrefix(storedTarget, checkpoint.snapshot, checkpoint.run) };
}
