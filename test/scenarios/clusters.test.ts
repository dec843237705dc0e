// Tests one configuration with both datasets, through the built file and against the local endpoint in another process: each
// dataset has a table, a chain and a quota of its own. DuckDB and the endpoint's own list are the oracle.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  findObject,
  readJson,
  runCli,
  startCli,
  until,
} from '../e2e/processes.ts';
import { openDuck } from '../formats/readers.ts';

const project = 'a'.repeat(32);

async function startWorld(flags: string[], quota = { requests: 100, windowSeconds: 1 }) {
  const cwd = createFolder();
  const { requests, windowSeconds } = quota;
  const identity = ['--ak', 'AK1234', '--sk', 'SK12345678', '--project', project];
  const limits = ['--quota-requests', `${requests}`, '--quota-window-seconds', `${windowSeconds}`];
  const simulator = startCli(['simulate', '--json', ...identity, ...limits, ...flags], { cwd });
  await until(() => simulator.texts.out.includes('\n'), 'the simulator');
  const { url } = JSON.parse(simulator.texts.out) as { url: string };
  writeFileSync(
    join(cwd, 'cgs-export.yml'),
    `store: file:./lake
quota: { requests: ${requests}, windowSeconds: ${windowSeconds} }
accounts:
  - name: prod
    credentials: { ak: AK1234, sk: SK12345678 }
    targets:
      - { region: cn-south-4, projectId: ${project}, endpoint: '${url}', datasets: [container_nodes, container_clusters] }
`,
  );
  const report = async (name: string) => (await fetch(`${url}/simulator/${name}`)).text();
  return {
    cwd,
    report,
    run: (...args: string[]) => runCli(args, { cwd }),
    countClusterRequests: async () =>
      (JSON.parse(await report('statistics')) as { ofClusters: { requests: number } }).ofClusters
        .requests,
  };
}

function parseLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('exports, verifies and compares both tables, each by what its dataset declares', async () => {
  const drift = 'insert=1,delete=1,offline=3,online=1,seed=5';
  const { cwd, run, report } = await startWorld([
    '--nodes',
    '150',
    '--clusters',
    '120',
    '--drift',
    drift,
  ]);
  const listed = parseLines(await report('clusters'));
  for (let index = 0; index < 2; index += 1) {
    const ended = await run('export', '--json');
    expectCode(ended, 0);
    const { snapshots } = readJson(ended);
    expect(snapshots.map(({ table, verdict }) => [table, verdict])).toEqual([
      ['container_nodes', 'complete'],
      ['container_clusters', 'complete'],
    ]);
    if (index > 0) continue;
    const file = join(
      cwd,
      'lake',
      findObject(join(cwd, 'lake'), /^container_clusters\/.*\.parquet$/),
    );
    const duck = await openDuck();
    try {
      const rows = await duck.query(
        `SELECT id, total_nodes_number, risk_assess_num, epoch_ms(creation_timestamp), extra FROM '${file}' ORDER BY id`,
      );
      const expected = listed
        .map((one) => [
          one.id,
          one.total_nodes_number,
          one.risk_assess_num,
          one.creation_timestamp,
          null,
        ])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
      expect(rows).toEqual(expected);
    } finally {
      duck.close();
    }
  }
  const verified = await run('verify', '--json');
  expectCode(verified, 0);
  expect(readJson<{ faults: unknown[] }>(verified).faults).toEqual([]);

  const diff = await run('diff', '--table', 'container_clusters', '--format', 'ndjson');
  expectCode(diff, 0);
  const kinds = parseLines(diff.out);
  expect(kinds.filter(({ change }) => change === 'added')).toHaveLength(1);
  expect(kinds.filter(({ change }) => change === 'removed')).toHaveLength(1);
  const changed = kinds.filter(({ change }) => change === 'changed');
  expect(changed.length).toBeGreaterThan(0);
  for (const one of changed) {
    expect(one.changed_columns).toBe('["status"]');
    expect([one.status_before, one.status]).toEqual(
      one.status === 'Unavailable' ? ['Available', 'Unavailable'] : ['Unavailable', 'Available'],
    );
  }

  const history = readJson<{ targets: { table: string; snapshots: { values: object }[] }[] }>(
    await run('history', '--json'),
  );
  const clusters = history.targets.find(({ table }) => table === 'container_clusters');
  expect(Object.keys(clusters?.snapshots[1]?.values ?? {})).toEqual([
    ...['status', 'agent_ds_install_status', 'cluster_type'],
  ]);
  const metrics = await run('status', '--format', 'prometheus');
  expectCode(metrics, 0);
  const lines = metrics.out.split('\n').filter((line) => line.includes('container_clusters'));
  expect(lines.some((line) => line.includes('last_snapshot_rows'))).toBe(true);
  expect(lines.filter((line) => /unprotected|offline/.test(line))).toEqual([]);
});

test('commands about nodes leave clusters out, and say so', async () => {
  const { run } = await startWorld(['--nodes', '20', '--clusters', '5']);
  expectCode(await run('export', '--json'), 0);
  for (const args of [['nodes'], ['node', 'x'], ['report', '--out', './report']]) {
    const all = await run(...args, '--log-format', 'json');
    expect(all.err).toContain('container_clusters cn-south-4');
    const only = await run(...args, '--table', 'container_clusters');
    expectCode(only, 2);
    expect(only.err).toContain('container nodes');
  }
});

test('the nodes do not use the quota of the clusters, and plan counts both', async () => {
  const quota = { requests: 2, windowSeconds: 600 };
  const { run } = await startWorld(['--nodes', '900', '--clusters', '150'], quota);
  const tick = await run('tick', '--json');
  expectCode(tick, 0);
  const { snapshots, requests } = readJson(tick);
  expect(snapshots.map(({ table, rows }) => [table, rows])).toEqual([['container_clusters', 150]]);
  expect(requests).toBe(3);
  const plan = readJson<{ targets: { table: string; rows: number; requests: number }[] }>(
    await run('plan', '--json'),
  );
  expect(plan.targets.map(({ table, rows, requests: needed }) => [table, rows, needed])).toEqual([
    ['container_nodes', 900, 5],
    ['container_clusters', 150, 1],
  ]);
});

test('an export of clusters that is killed continues after its last stored page', async () => {
  const flags = ['--nodes', '10', '--clusters', '3000', '--latency', '20'];
  const { cwd, run, report, countClusterRequests } = await startWorld(flags);
  const started = startCli(['export', '--json'], { cwd });
  await until(async () => (await countClusterRequests()) >= 6, 'some pages of clusters');
  started.child.kill('SIGKILL');
  await started.ended;
  const ended = await run('export', '--json', '--table', 'container_clusters');
  expectCode(ended, 0);
  expect(readJson(ended).snapshots).toMatchObject([{ rows: 3000, verdict: 'complete' }]);
  // 16 pages, of which at most one was requested twice.
  expect(await countClusterRequests()).toBeLessThanOrEqual(17);
  expectCode(await run('verify'), 0);
  const rows = await run('history', '--json', '--table', 'container_clusters');
  expect(rows.out).toContain('"rows":3000');
  expect(parseLines(await report('clusters'))).toHaveLength(3000);
});
