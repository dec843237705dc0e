// Responsible for a small store of clusters with times and numbers at the limits of their columns, and with files among the manifests
// that are none; and for what every engine must answer about it.

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { containerClusters } from '../../lib/datasets/container-clusters.ts';
import { createMemoryStore } from './memory-store.ts';
import { copyToFolder } from './seeded-store.ts';
import { createSealPorts, sealStored, storeRun } from './stored-run.ts';
import { createClock } from './virtual-clock.ts';

const table = containerClusters.name;

/** JSON texts of `last_scan_time` and `risk_assess_num`, by id, in the order of the times. */
const clusters = [
  // The time zero of Go, in milliseconds: a service that knows no time can send it.
  ['zero-of-go', '-62135596800000', '-9223372036854775808'],
  ['before-1900', '-2208988800001', '9223372036854775807'],
  ['before-1970', '-1', '9007199254740993'],
  ['unset', '0', '0'],
  ['after-2262', '9300000000000', '5.0'],
  ['last', '253402300799999', '4294967296'],
] as const;

export async function writeClusterLake(folder: string): Promise<void> {
  const store = createMemoryStore({ nowMs: () => Date.now() });
  const clock = createClock();
  const records = clusters.map(
    ([id, time, number]) => `{"id":"${id}","last_scan_time":${time},"risk_assess_num":${number}}`,
  );
  const run = await storeRun(store, {
    target: { table, region: 'cn-south-4', projectId: 'p1' },
    snapshot: '20261124T060000Z',
    pages: [{ records }],
    dataset: containerClusters,
  });
  const ports = createSealPorts(store, clock, { dataset: containerClusters });
  const { manifest, manifestKey } = await clock.run(sealStored(ports, run));
  copyToFolder(store, folder);
  for (const snapshot of ['notes', '99999999T999999Z']) {
    const path = join(folder, dirname(manifestKey), `${snapshot}.json`);
    writeFileSync(path, `${JSON.stringify({ ...manifest, snapshot })}\n`);
  }
}

/** Each query with the rows that every engine returns. */
export const clusterQuestions: readonly { sql: string; rows: readonly unknown[][] }[] = [
  {
    sql: `SELECT id FROM ${table}_latest ORDER BY last_scan_time`,
    rows: clusters.map(([id]) => [id]),
  },
  {
    sql: `SELECT CAST(risk_assess_num AS VARCHAR(20)) FROM ${table}_latest ORDER BY last_scan_time`,
    rows: clusters.map(([, , number]) => [number === '5.0' ? '5' : number]),
  },
  {
    sql: `SELECT snapshot, "rows" FROM ${table}_coverage WHERE snapshot_at IS NOT NULL`,
    rows: [['20261124T060000Z', clusters.length]],
  },
];
