// Tests the command `status`, and which targets it finds in a store.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { findStoredTargets, statusCommand } from '../../lib/cli/status.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { decodeSchedule, encodeSchedule } from '../../lib/runs/schedule.ts';
import type { TargetStatus } from '../../lib/runs/target-status.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import {
  call,
  createFolder,
  createTestRuntime,
  exportSome,
  flagsFor,
  keyOf,
  simulate,
} from './test-runtime.ts';

const hasJq = spawnSync('jq', ['--version']).status === 0;

test('shows the last snapshot of a target, its age and whether it is due', async () => {
  const { cwd } = await exportSome();
  const args = ['status', '--json', '--store', 'file:./lake'];
  const { code, runtime } = await call(args, { cwd });
  expect(code).toBe(0);
  const { status, store, targets, errors } = runtime.json();
  expect({ status, errors }).toEqual({ status: 'ok', errors: [] });
  expect(store).toBe(`file:${cwd}/lake`);
  expect(targets).toMatchObject([
    {
      table: 'container_nodes',
      open: null,
      last: { verdict: 'complete', rows: 30, ageSeconds: expect.any(Number) },
      due: false,
      heldUntil: null,
    },
  ]);
});

test('--store shows every target in the store, without key and region', async () => {
  const { cwd } = await exportSome();
  const { code, runtime } = await call(['status', '--store', 'file:./lake'], { cwd });
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/container_nodes +cn-south-4 .* complete +30 .* up to date/);
});

test('with --store, --account and --table pick stored targets, and name the known ones if none fits', async () => {
  const { cwd } = await exportSome();
  const args = ['status', '--json', '--store', 'file:./lake'];
  for (const pick of [
    ['--table', 'container_nodes'],
    ['--account', 'default'],
  ]) {
    const found = await call([...args, ...pick], { cwd });
    expect(found.runtime.json().targets).toMatchObject([{ account: 'default' }]);
  }
  for (const pick of [
    ['--table', 'web_nodes'],
    ['--account', 'prod'],
  ]) {
    const { code, runtime } = await call([...args, ...pick], { cwd });
    expect(code).toBe(2);
    const known = pick[0] === '--table' ? 'container_nodes' : 'default';
    expect(runtime.json().errors).toEqual([
      {
        code: 'CONFIG',
        message: `${pick[0]}: the store has no ${pick[0]?.slice(2)} "${pick[1]}"`,
        hint: `Choose one of: ${known}.`,
      },
    ]);
  }
});

test('--region and --project pick too, and unknown ones are refused', async () => {
  const { cwd, simulator } = await exportSome();
  const target = `{ region: ${simulator.region}, projectId: ${simulator.projectId} }`;
  writeFileSync(
    join(cwd, 'cgs-export.yml'),
    `store: file:./lake\naccounts: [{ name: default, targets: [${target}] }]\n`,
  );
  const bySource = { store: ['--store', 'file:./lake'], configuration: [] };
  for (const [source, args] of Object.entries(bySource)) {
    const picked = ['--region', simulator.region, '--project', simulator.projectId];
    const { runtime } = await call(['status', '--json', ...args, ...picked], { cwd });
    expect(runtime.json().targets).toHaveLength(1);
    const unknown = await call(['status', '--json', ...args, '--project', 'p9'], { cwd });
    expect(unknown.code).toBe(2);
    expect(unknown.runtime.json().errors).toMatchObject([
      {
        message: `--project: the ${source} has no project "p9"`,
        hint: `Choose one of: ${simulator.projectId}.`,
      },
    ]);
  }
});

test('says which stored targets the configuration does not have', async () => {
  const { cwd, simulator } = await exportSome();
  const configure = (projectId: string) =>
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      `store: file:./lake\naccounts: [{ name: default, targets: [{ region: ${simulator.region}, projectId: ${projectId} }] }]\n`,
    );
  configure(simulator.projectId);
  expect((await call(['status'], { cwd })).runtime.err()).toBe('');
  configure('f'.repeat(32));
  const { runtime } = await call(['status'], { cwd });
  expect(runtime.logs()).toMatchObject([
    {
      message: 'stored targets that the configuration does not have are left out',
      targets: [`default container_nodes ${simulator.region} ${simulator.projectId}`],
    },
  ]);
});

test('needs no variables that only the API uses; nor does verify, but plan does', async () => {
  const { cwd, simulator } = await exportSome();
  const target = `{ region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "\${URL}" }`;
  const account = `{ name: default, credentials: { ak: "\${AK}", sk: "\${SK}" }, targets: [${target}] }`;
  writeFileSync(join(cwd, 'cgs-export.yml'), `store: file:./lake\naccounts: [${account}]\n`);
  const { code, runtime } = await call(['status', '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json().targets).toMatchObject([{ last: { rows: 30 }, due: false }]);
  expect((await call(['verify'], { cwd })).code).toBe(0);
  expect((await call(['plan'], { cwd })).code).toBe(2);
});

test('shows an open run with the rows that it has read', async () => {
  const simulator = await simulate({ nodes: 700 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  await call(['tick', ...flagsFor(simulator).slice(0, 8), '--quota-requests', '2'], options);
  const { code, runtime } = await call(['status', '--store', 'file:./lake', '--json'], options);
  expect(code).toBe(0);
  expect(runtime.json().targets).toMatchObject([
    { open: { phase: 'collecting', pages: 2, total: 700 }, last: null, latest: null },
  ]);
  const people = await call(['status', '--store', 'file:./lake'], options);
  expect(people.runtime.out()).toMatch(/open: \d{8}T\d{6}Z collecting 397\/700/);
});

test('while an export works, it is named, and the timer is not the first thing to check', async () => {
  const simulator = await simulate({ nodes: 700 });
  const cwd = createFolder();
  const runtime = createTestRuntime({ cwd, env: keyOf(simulator) });
  const flags = [...flagsFor(simulator).slice(0, 8), '--quota-requests', '1'];
  const exported = runProgram(['export', ...flags], runtime);
  const check = ['status', '--store', 'file:./lake', '--check', '--problems'];
  await vi.waitFor(
    async () => {
      const { runtime: now } = await call(check, { cwd });
      expect(now.out()).toMatch(/^an exporter is working on it now: process \d+ on /m);
      expect(now.out()).toMatch(/never sealed: .*\n +An exporter is working on this store now/);
    },
    { timeout: 20_000, interval: 200 },
  );
  runtime.raise('SIGINT');
  expect(await exported).toBe(4);
  const { runtime: after } = await call(check, { cwd });
  expect(after.out()).toMatch(/never sealed: /);
  expect(after.out()).not.toContain('is working');
});

test('a folder that does not exist is an error, an empty one is not', async () => {
  const cwd = createFolder();
  const args = ['status', '--store', 'file:./lake'];
  const missing = await call([...args, '--json'], { cwd });
  expect(missing.code).toBe(2);
  expect(missing.runtime.json().errors).toMatchObject([
    { code: 'CONFIG', message: `--store: the folder ${cwd}/lake does not exist` },
  ]);
  mkdirSync(join(cwd, 'lake'));
  const empty = await call(args, { cwd });
  expect(empty.code).toBe(0);
  expect(empty.runtime.out()).toMatch(/^file:.*lake holds no snapshot and no open run yet\n$/);
  // The address may be mistyped, so a check does not call it good.
  expect((await call([...args, '--check'], { cwd })).code).toBe(7);
});

test('a folder of the configuration that does not exist is an error too, until the first export has logged that it creates it', async () => {
  const simulator = await simulate({ nodes: 30 });
  const { region, projectId, url } = simulator;
  const cwd = createFolder();
  const env = keyOf(simulator);
  const config = {
    store: 'file:./lake',
    quota: { requests: 50, windowSeconds: 1 },
    accounts: [{ name: 'a', targets: [{ region, projectId, endpoint: url }] }],
  };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
  const missing = await call(['status', '--json'], { cwd, env });
  expect(missing.code).toBe(2);
  expect(missing.runtime.json().errors).toMatchObject([
    { code: 'CONFIG', message: `store: the folder ${cwd}/lake does not exist` },
  ]);
  const message = `the folder ${cwd}/lake does not exist: it is created now`;
  const first = await call(['export'], { cwd, env });
  expect(first.code).toBe(0);
  expect(first.runtime.logs()).toContainEqual(expect.objectContaining({ level: 'warn', message }));
  const second = await call(['export'], { cwd, env });
  expect(second.runtime.err()).not.toContain('does not exist');
  expect((await call(['status'], { cwd, env })).code).toBe(0);
});

test('--store takes the schedule from the newest snapshot of each target', async () => {
  const simulator = await simulate({ nodes: 30 });
  const { region, projectId, url } = simulator;
  const cwd = createFolder();
  const env = keyOf(simulator);
  const config = {
    store: 'file:./lake',
    schedule: '1h',
    quota: { requests: 50, windowSeconds: 1 },
    accounts: [{ name: 'a', targets: [{ region, projectId, endpoint: url }] }],
  };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
  expect((await call(['export'], { cwd, env })).code).toBe(0);
  const { runtime } = await call(['status', '--store', 'file:./lake', '--json'], { cwd });
  expect(runtime.json()).toMatchObject({
    scheduleSeconds: null,
    targets: [{ scheduleSeconds: 3_600 }],
  });
});

describe('--check and --problems', () => {
  /** Accounts `one` (exported) and `two` (a table that was never exported). */
  async function twoAccounts() {
    const { cwd, simulator, env } = await exportSome();
    const { region, projectId, url } = simulator;
    const target = (table: string) =>
      `{ table: ${table}, region: ${region}, projectId: ${projectId}, endpoint: "${url}" }`;
    const key = `{ ak: "\${HUAWEICLOUD_SDK_AK}", sk: "\${HUAWEICLOUD_SDK_SK}" }`;
    const account = (name: string, table: string) =>
      `  - { name: ${name}, credentials: ${key}, targets: [${target(table)}] }\n`;
    const accounts = `${account('one', 'container_nodes')}${account('two', 'other_nodes')}`;
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      `store: file:./lake\nquota: { requests: 50, windowSeconds: 1 }\naccounts:\n${accounts}`,
    );
    return { cwd, env, simulator };
  }

  test('exit with 7 if a target was never sealed, and with 0 once all are sealed', async () => {
    const options = await twoAccounts();
    expect((await call(['status'], options)).code).toBe(0);
    const checked = await call(['status', '--check', '--problems', '--json'], options);
    expect(checked.code).toBe(7);
    expect(checked.runtime.json()).toMatchObject({
      status: 'ok',
      scheduleSeconds: 86_400,
      targets: [{ account: 'two', table: 'other_nodes', problems: [{ kind: 'never sealed' }] }],
      errors: [],
    });
    expect((await call(['export'], options)).code).toBe(0);
    const good = await call(['status', '--check', '--problems'], options);
    expect(good.code).toBe(0);
    expect(good.runtime.out()).toMatch(/^no problem: 2 targets in file:/);
  });

  test('a held target shows why, since when, until when and what to do', async () => {
    const { cwd, env } = await twoAccounts();
    const wrong = { ...env, HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' };
    expect((await call(['tick', '--account', 'two'], { cwd, env: wrong })).code).toBe(3);
    const { code, runtime } = await call(['status', '--check', '--problems'], { cwd, env });
    expect(code).toBe(7);
    const text = runtime.out();
    expect(text).toMatch(/^two +other_nodes .* never sealed, .*held until 20\S+Z/m);
    expect(text).toMatch(
      /held: REFUSED: its access key is held until 20\S+Z, because attempts fail since 20\S+Z \(1 in a row\): /,
    );
    expect(text).toMatch(/\n {6}.*secret key/);
    // The account of a target without a snapshot, and the hold of its key, are in the store.
    const stored = await call(['status', '--json', '--store', 'file:./lake'], { cwd });
    expect(stored.runtime.json().targets).toMatchObject([
      { account: 'default', table: 'container_nodes' },
      { account: 'two', table: 'other_nodes', failure: { ofKey: true, code: 'REFUSED' } },
    ]);
  });

  test('a damaged pointer is a problem of its target; the others are shown', async () => {
    const options = await twoAccounts();
    await call(['export'], options);
    const { region, projectId } = options.simulator;
    const key = `_head/other_nodes/rgn=${region}/prj=${projectId}.json`;
    writeFileSync(join(options.cwd, 'lake', key), '{');
    const { code, runtime } = await call(['status', '--json'], options);
    expect(code).toBe(0);
    expect(runtime.json().targets).toMatchObject([
      { account: 'one', last: { rows: 30 }, problems: [] },
      { account: 'two', last: { rows: 30 }, problems: [{ kind: 'unreadable', code: 'CORRUPT' }] },
    ]);
    expect((await call(['status', '--check'], options)).code).toBe(7);
  });

  test('a target that has lost its manifests is shown with the fault, each object once', async () => {
    const { cwd } = await exportSome();
    rmSync(join(cwd, 'lake', '_manifests'), { recursive: true });
    rmSync(join(cwd, 'lake', '_runs'), { recursive: true });
    const { runtime } = await call(['status', '--json', '--store', 'file:./lake'], { cwd });
    expect(runtime.json().targets).toMatchObject([{ problems: [{ code: 'CORRUPT' }] }]);
  });

  test('an altered newest manifest is marked, and a lost _latest hides no complete snapshot', async () => {
    const { cwd } = await exportSome();
    const files = readdirSync(join(cwd, 'lake'), { recursive: true, encoding: 'utf8' });
    const find = (start: string) =>
      join(
        cwd,
        'lake',
        files.find((path) => path.startsWith(start) && path.endsWith('.json')) ?? '',
      );
    rmSync(find('_latest'));
    const args = ['status', '--json', '--store', 'file:./lake'];
    const [lost] = (await call(args, { cwd })).runtime.json().targets as TargetStatus[];
    expect(lost?.latest).toBe(lost?.last?.snapshot);
    expect(lost?.problems).toMatchObject([{ message: expect.stringContaining('_latest') }]);
    const manifest = find('_manifests');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"rows":30', '"rows":31'));
    const [altered] = (await call(args, { cwd })).runtime.json().targets as TargetStatus[];
    expect(altered?.last).toMatchObject({ rows: 31, altered: true });
    const people = (await call(['status', '--store', 'file:./lake'], { cwd })).runtime.out();
    expect(people).toContain('31 (altered)');
  });

  test.skipIf(!hasJq)(
    'the examples that use jq, in the help and in the documents, find targets that were never sealed',
    async () => {
      const options = await twoAccounts();
      const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
      const lines = page.replaceAll('node dist/cli.js', 'cgs-export').split('\n');
      const examples = [...statusCommand.examples, ...lines].filter((line) =>
        /^cgs-export status .*\| jq '/.test(line),
      );
      expect(examples).toHaveLength(2);
      for (const example of examples) {
        const [, args = '', filter = ''] = /^cgs-export (.*) \| jq '(.*)'$/.exec(example) ?? [];
        const { runtime } = await call(args.split(' '), options);
        const found = execFileSync('jq', ['-c', filter], {
          input: runtime.out(),
          encoding: 'utf8',
        });
        const tables = found
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { table: string }).table);
        expect(tables).toEqual(['other_nodes']);
      }
    },
  );

  test('--format prometheus prints metrics, and does not go with --json', async () => {
    const options = await twoAccounts();
    const { code, runtime } = await call(['status', '--check', '--format', 'prometheus'], options);
    expect(code).toBe(7);
    expect(runtime.out()).toMatch(
      /^cgs_export_never_sealed\{account="two",table="other_nodes",.*\} 1$/m,
    );
    const both = await call(['status', '--format', 'prometheus', '--json'], options);
    expect(both.code).toBe(2);
  });
});

describe('missed slots', () => {
  const dayMs = 86_400_000;

  /** A store with one snapshot, and targets without one that are behind since some days ago (null: not behind). */
  async function exportBehind(days: Record<string, number | null>) {
    const { cwd } = await exportSome();
    const path = join(cwd, 'lake', scheduleKey);
    const schedule = decodeSchedule(readFileSync(path));
    const untilMs = Math.floor(Date.now() / dayMs) * dayMs;
    const counted = { untilMs, scheduleMs: dayMs };
    for (const state of Object.values(schedule.targets)) state.missed = { ...counted, count: 1 };
    for (const [table, count] of Object.entries(days)) {
      const miss = count === null ? {} : { after: null, sinceMs: untilMs - count * dayMs };
      const missed = { ...counted, count: count ?? 0, ...miss };
      const state = {
        account: 'prod',
        open: null,
        sealed: null,
        failures: 0,
        retryAtMs: 0,
        missed,
      };
      schedule.targets[`${table}/rgn=cn-north-4/prj=p1`] = state;
    }
    writeFileSync(path, encodeSchedule(schedule));
    return { cwd, since: (count: number) => new Date(untilMs - count * dayMs).toISOString() };
  }

  const args = ['status', '--store', 'file:./lake'];

  test('each target says since when it is behind, and --problems lists the longest first', async () => {
    const { cwd, since } = await exportBehind({ a_nodes: 2, b_nodes: null, c_nodes: 7 });
    const json = (await call([...args, '--json'], { cwd })).runtime.json();
    const behind = (json.targets as TargetStatus[]).map((one) => [one.table, one.behindSince]);
    expect(behind).toEqual([
      ['a_nodes', since(2)],
      ['b_nodes', null],
      ['c_nodes', since(7)],
      ['container_nodes', null],
    ]);
    const problems = (await call([...args, '--problems', '--json'], { cwd })).runtime.json();
    const order = (problems.targets as TargetStatus[]).map(({ table }) => table);
    expect(order).toEqual(['c_nodes', 'a_nodes', 'b_nodes']);
    const text = (await call(args, { cwd })).runtime.out();
    const day = since(7).slice(0, 10);
    expect(text).toMatch(new RegExp(`c_nodes .* behind since ${day} 00:00, missed slots: 7$`, 'm'));
  });

  test('of the past do not hide that the target is up to date', async () => {
    const { cwd } = await exportBehind({});
    const { runtime } = await call(args, { cwd });
    expect(runtime.out()).toMatch(/ up to date; 1 slot missed before\n/);
  });
});

test('finds targets with snapshots and targets in the schedule, each once', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  const bytes = Buffer.from('{}');
  const manifest = (table: string, name: string) =>
    `_manifests/${table}/rgn=cn-south-4/prj=p1/${name}.json`;
  await store.put(manifest('b_nodes', '20261124T060000Z'), bytes);
  await store.put(manifest('b_nodes', '20261125T060000Z'), bytes);
  await store.put(manifest('b_nodes', 'no-snapshot'), bytes);
  const state = { open: null, sealed: null, failures: 0, retryAtMs: 0 };
  const targets = {
    'a_nodes/rgn=eu-west-101/prj=p2': state,
    'b_nodes/rgn=cn-south-4/prj=p1': state,
    'c_nodes/rgn=cn-south-4/account=prod': state,
  };
  await store.put(scheduleKey, encodeSchedule({ targets, holds: {}, projects: {} }));
  const unknown = { account: null, projectQuestion: '', user: null };
  expect(await findStoredTargets(store)).toEqual([
    { table: 'a_nodes', region: 'eu-west-101', projectId: 'p2', ...unknown },
    { table: 'b_nodes', region: 'cn-south-4', projectId: 'p1', ...unknown },
    { table: 'c_nodes', region: 'cn-south-4', projectId: null, ...unknown, account: 'prod' },
  ]);
  await store.put(scheduleKey, Buffer.from('{'));
  expect(await findStoredTargets(store)).toMatchObject([{ table: 'b_nodes' }]);
});
