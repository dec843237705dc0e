// Responsible for what the comparison with the snapshot before costs a seal: the built CLI seals stored pages without a base, with
// a base of which all nodes differ, and with one of which a few differ. DuckDB joins the files of the last two, for comparison.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  manifestKey,
  scheduleKey,
  snapshotName,
  type TargetKey,
  targetId,
} from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { emptySchedule, encodeSchedule, targetStateOf } from '../../lib/runs/schedule.ts';
import { createNodeMaker } from '../../lib/simulator/nodes.ts';
import { decodeManifest, type Manifest } from '../../lib/snapshots/manifest.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { storeRun } from '../support/stored-run.ts';
import { type Finished, runWatched } from './watched-process.ts';

const nodesPerPage = 200;
const endpoint = 'http://127.0.0.1:9';
const hourMs = 3_600_000;
const target: TargetKey = {
  table: 'container_nodes',
  region: 'cn-south-4',
  projectId: 'de300000000000000000000000000de3',
};

export interface SealedCase extends Finished {
  name: string;
  changes: Manifest['changes'];
  /** The Parquet part with the rows. */
  path: string;
}

/** What the vulnerability count of a node is in each snapshot, in order. */
const cases: readonly { name: string; vulnerability: (index: number) => number }[] = [
  { name: 'without a base', vulnerability: (index) => index % 50 },
  { name: 'all nodes changed', vulnerability: (index) => (index % 50) + 1 },
  {
    name: '0.2 % of the nodes changed',
    vulnerability: (index) => (index % 50) + (index % 500 ? 1 : 2),
  },
];

/** Seals one snapshot for each case, one after the other, in a store of its own in `folder`. */
export async function sealCases(nodes: number, folder: string): Promise<SealedCase[]> {
  const root = join(folder, 'changes');
  const store = openFileStore({ root, clock: systemClock });
  const nowMs = Date.now();
  const sealed: SealedCase[] = [];
  for (const [index, { name, vulnerability }] of cases.entries()) {
    const snapshot = snapshotName(nowMs - (cases.length - index) * hourMs);
    await storeOpenRun(store, snapshot, makePages(nodes, vulnerability), nowMs);
    const finished = await runWatched(
      [
        ...['export', '--json', '--region', target.region, '--project', target.projectId],
        ...['--endpoint', endpoint, '--store', `file:${root}`, '--log-level', 'warn'],
      ],
      {
        temporary: join(folder, 'temporary'),
        env: { HUAWEICLOUD_SDK_AK: 'ak', HUAWEICLOUD_SDK_SK: 'secretsecret' },
      },
    );
    const key = manifestKey(target, snapshot);
    const { parts, changes } = decodeManifest(key, readFileSync(join(root, key)));
    const part = parts.find((one) => one.role === 'rows' && one.format === 'parquet');
    sealed.push({ ...finished, name, changes, path: join(root, part?.key ?? '') });
  }
  return sealed;
}

function* makePages(nodes: number, vulnerability: (index: number) => number) {
  const makeNode = createNodeMaker({ seed: 1, flavour: 'hss', nodes, odd: {} });
  for (let offset = 0; offset < nodes; offset += nodesPerPage) {
    const records = Array.from({ length: nodesPerPage }, (_, place) =>
      JSON.stringify({
        ...makeNode(offset + place),
        vulnerability: vulnerability(offset + place),
      }),
    );
    yield { records, from: 'start' as const, offset };
  }
}

/** A run of which all pages are read. The next export seals it. */
async function storeOpenRun(
  store: Store,
  snapshot: string,
  pages: ReturnType<typeof makePages>,
  startedAtMs: number,
): Promise<void> {
  const scope = { account: 'default', endpoint };
  const { checkpoint } = await storeRun(store, { target, snapshot, pages, scope, startedAtMs });
  const schedule = emptySchedule();
  const id = targetId(target);
  const open = { snapshot, run: checkpoint.run };
  schedule.targets[id] = { ...targetStateOf(schedule, id), open };
  await store.put(scheduleKey, encodeSchedule(schedule));
}

/** CPU milliseconds of DuckDB for finding the rows that differ between two Parquet files, in a process of its own. */
export function joinWithDuckDb(older: string, newer: string): number {
  const skipped = ['host_id', ...containerNodes.uncomparedColumns];
  const compared = containerNodes.columns.filter(({ name }) => !skipped.includes(name));
  const differs = compared
    .map(({ name }) => `a."${name}" IS DISTINCT FROM b."${name}"`)
    .join(' OR ');
  const sql = `SELECT count(*) FROM '${older}' a FULL OUTER JOIN '${newer}' b USING (host_id) WHERE ${differs} OR a.host_id IS NULL OR b.host_id IS NULL`;
  const script = `import { DuckDBInstance } from '@duckdb/node-api';
const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
await connection.run(${JSON.stringify(sql)});
const { user, system } = process.cpuUsage();
process.stdout.write(String((user + system) / 1000));
process.exit();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return Number(child.stdout);
}
