// Tests that `diff` of the built file finds what DuckDB's full outer join of the same two files finds, for a list that changed.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { openDuck } from '../formats/readers.ts';
import {
  cli,
  createFolder,
  expectCode,
  runCli,
  startCli,
  startProcess,
  until,
} from './processes.ts';

test('the changes of a list between two exports', async () => {
  const cwd = createFolder();
  const drift = 'insert=2,delete=1.5,offline=3,online=1,closed=2,seed=11';
  const flags = [
    '--nodes',
    '2500',
    '--no-quota',
    '--drift',
    drift,
    '--ak',
    'AK1234',
    '--sk',
    'SK12345678',
  ];
  const simulator = startCli(['simulate', ...flags, '--project', 'a'.repeat(32)], { cwd });
  await until(() => simulator.texts.out.includes('listening on'), 'the simulator');
  const [, url = ''] = /listening on (\S+)/.exec(simulator.texts.out) ?? [];
  const env = { HUAWEICLOUD_SDK_AK: 'AK1234', HUAWEICLOUD_SDK_SK: 'SK12345678' };
  const target = ['--region', 'cn-south-4', '--project', 'a'.repeat(32), '--endpoint', url];
  const quota = ['--quota-requests', '100', '--quota-window-seconds', '1'];
  for (let index = 0; index < 2; index += 1) {
    const args = ['export', ...target, ...quota, '--store', 'file:./lake'];
    expectCode(await runCli(args, { cwd, env }), 0);
  }
  simulator.child.kill('SIGTERM');
  await simulator.ended;

  const ended = await runCli(['diff', '--store', 'file:./lake', '--format', 'ndjson'], { cwd });
  expectCode(ended, 0);
  const found = ended.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const lake = join(cwd, 'lake', 'container_nodes');
  const paths = readdirSync(lake, { recursive: true })
    .map((name) => join(lake, String(name)))
    .filter((path) => path.endsWith('.parquet'))
    .sort();
  expect(paths).toHaveLength(2);
  const duck = await openDuck();
  try {
    const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
    const skipped = ['snapshot_at', 'fetched_at', 'verdict', 'account', ...dates];
    const names = (await duck.query(`DESCRIBE SELECT * FROM '${paths[0]}'`)).map(([name]) =>
      String(name),
    );
    const differs = names
      .filter((name) => !skipped.includes(name))
      .map((name) => `a."${name}" IS DISTINCT FROM b."${name}"`);
    const joined = await duck.query(`
      SELECT coalesce(a.host_id, b.host_id) AS id,
        CASE WHEN a.host_id IS NULL THEN 'added' WHEN b.host_id IS NULL THEN 'removed' ELSE 'changed' END,
        a.agent_status, b.agent_status, a.protect_status, b.protect_status
      FROM '${paths[0]}' a FULL OUTER JOIN '${paths[1]}' b ON a.host_id = b.host_id
      WHERE ${differs.join(' OR ')} ORDER BY id`);
    expect(
      found.map((row) => [
        ...[row.host_id, row.change, row.agent_status_before, row.agent_status],
        ...[row.protect_status_before, row.protect_status],
      ]),
    ).toEqual(joined);
    expect(new Set(joined.map(([, change]) => change)).size).toBe(3);

    // The same rows as CSV, read by another program.
    const csv = await runCli(['diff', '--store', 'file:./lake', '--format', 'csv'], { cwd });
    expectCode(csv, 0);
    expect(csv.out.startsWith('\ufeffsnapshot_at,')).toBe(true);
    expect(csv.out.trimEnd().split('\r\n')).toHaveLength(joined.length + 1);

    // A reader that closes the pipe early ends the command without an error.
    const command = '"$0" "$1" diff --store file:./lake --format ndjson | head -n 1';
    const args = ['-c', command, process.execPath, cli];
    const piped = await startProcess('sh', args, { cwd }).ended;
    expectCode(piped, 0);
    expect([piped.out, piped.err]).toEqual([`${ended.out.split('\n')[0]}\n`, '']);
    const nodes = 'set -o pipefail; "$0" "$1" nodes --store file:./lake --format csv | head -n 1';
    const first = await startProcess('bash', ['-c', nodes, process.execPath, cli], { cwd }).ended;
    expectCode(first, 0);
    expect(first.err).toBe('');
    expect(first.out.trimEnd().split(',')).toHaveLength(containerNodes.columns.length);
  } finally {
    duck.close();
  }
});
