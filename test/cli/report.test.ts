// Tests the command `report`: its options, its files and its exit codes. That the figures are right: test/reports/.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256 } from '../../lib/core/state.ts';
import type { ReportFigures } from '../../lib/reports/figures.ts';
import { createReportWorld } from '../reports/report-world.ts';
import { call, createFolder } from './test-runtime.ts';

const names = ['changes.csv', 'report.html', 'report.json', 'snapshots.csv', 'unprotected.csv'];

async function createStore() {
  const cwd = createFolder();
  const world = await createReportWorld({ seed: 11, slots: 8 });
  world.dump(join(cwd, 'lake'));
  const period = ['--since', '2026-10-01', '--until', '2026-10-03'];
  const run = (...args: string[]) =>
    call(['report', '--store', 'file:./lake', '--out', 'out', ...period, ...args], { cwd });
  const figures = () =>
    JSON.parse(readFileSync(join(cwd, 'out', 'report.json'), 'utf8')) as ReportFigures;
  return { cwd, world, run, figures };
}

test('writes five files, replaces those of an earlier report and touches no other', async () => {
  const { cwd, run, figures } = await createStore();
  const { code, runtime } = await run();
  expect([code, readdirSync(join(cwd, 'out')).sort()]).toEqual([0, names]);
  expect(runtime.out()).toContain(`report: ${join(cwd, 'out', 'report.html')}\n`);
  expect(runtime.out()).toContain('2026-10-01T00:00:00Z to 2026-10-03T23:59:59Z, 2 targets');
  expect(runtime.out()).toContain('\nproven: ');
  const { files, period, integrity } = figures();
  expect(period).toEqual({ since: '2026-10-01T00:00:00Z', until: '2026-10-03T23:59:59Z' });
  expect(integrity).toMatchObject({ status: 'verified', pinned: null });
  for (const file of files) {
    const bytes = readFileSync(join(cwd, 'out', file.name));
    expect([file.bytes, file.sha256]).toEqual([bytes.length, sha256(bytes)]);
  }
  writeFileSync(join(cwd, 'out', 'notes.txt'), 'mine');
  for (const name of names) writeFileSync(join(cwd, 'out', name), 'old');
  expect((await run('--lang', 'zh')).code).toBe(0);
  expect(readdirSync(join(cwd, 'out')).sort()).toEqual([...names, 'notes.txt'].sort());
  for (const name of names) {
    expect(readFileSync(join(cwd, 'out', name), 'utf8')).not.toBe('old');
  }
  expect(readFileSync(join(cwd, 'out', 'report.html'), 'utf8')).toContain('lang="zh');
});

test('--json has the figures of all targets and the files', async () => {
  const { run, figures } = await createStore();
  const { runtime, code } = await run('--json', '--no-verify');
  expect(code).toBe(0);
  const json = runtime.json();
  const { targets, nodes } = figures();
  expect(json).toMatchObject({
    ...{ status: 'written', targets: 2, errors: [] },
    integrity: { status: 'notVerified', proven: null, faults: 0, unchecked: 0 },
    end: { unprotected: nodes.unprotected, offline: nodes.offline },
  });
  const drifted = targets.reduce((sum, { snapshots }) => sum + snapshots.drifted, 0);
  expect(json.snapshots).toMatchObject({ drifted });
  expect((json.files as { name: string }[]).map(({ name }) => name).sort()).toEqual(names);
});

test('with a fault it writes the report and exits with 5; with an object it may not read, with 3', async () => {
  const { cwd, world, run, figures } = await createStore();
  const key = world.sealed.at(-1)?.manifest.parts.find(({ format }) => format === 'ndjson')?.key;
  const path = join(cwd, 'lake', key ?? '');
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.concat([bytes, bytes]));
  const altered = await run();
  expect(altered.code).toBe(5);
  expect(altered.runtime.out()).toContain(`fault        ${key} has`);
  expect(figures().integrity).toMatchObject({ status: 'failed', faults: { total: 1 } });
  // The rows are read from Parquet, so that no fault is found without a verification.
  expect((await run('--no-verify')).code).toBe(0);
  writeFileSync(path, bytes);
  chmodSync(path, 0);
  if (process.getuid?.() !== 0) {
    expect((await run()).code).toBe(3);
    expect(figures().integrity).toMatchObject({ status: 'failed', unchecked: { total: 1 } });
  }
});

test('a period without a snapshot is not an error; an empty store is', async () => {
  const { cwd, run, figures } = await createStore();
  const early = ['--since', '2026-01-01', '--until', '2026-01-02'];
  expect(
    (await call(['report', '--store', 'file:./lake', '--out', 'out', ...early], { cwd })).code,
  ).toBe(0);
  expect(figures().targets.map(({ newest, knownFrom }) => [newest, knownFrom])).toEqual([
    [null, null],
    [null, null],
  ]);
  expect(figures().days.map(({ unknown }) => unknown)).toEqual([2, 2]);
  mkdirSync(join(cwd, 'empty'));
  const empty = await call(['report', '--store', 'file:./empty', '--out', 'o2', '--json'], { cwd });
  expect([empty.code, existsSync(join(cwd, 'o2'))]).toEqual([2, false]);
  expect((await run('--table', 'x')).code).toBe(2);
});

test('picks targets', async () => {
  const { run, figures } = await createStore();
  expect((await run('--project', 'p2')).code).toBe(0);
  expect(figures().targets.map(({ projectId }) => projectId)).toEqual(['p2']);
});

test('refuses a period or a folder that is wrong, before it reads anything', async () => {
  const { cwd, run } = await createStore();
  const messageOf = async (...args: string[]) => {
    const { code, runtime } = await run('--json', ...args);
    expect(code).toBe(2);
    return (runtime.json().errors as { message: string }[])[0]?.message;
  };
  expect(await messageOf('--since', '2026-10-04')).toBe('--since: is after the end of the period');
  expect(await messageOf('--until', 'soon')).toBe('--until: "soon" is not a point in time');
  expect(await messageOf('--out', 'lake/report')).toContain('is inside the store');
  writeFileSync(join(cwd, 'file'), '');
  expect(await messageOf('--out', 'file')).toBe(`--out: ${join(cwd, 'file')} is not a folder`);
  expect(existsSync(join(cwd, 'out'))).toBe(false);
});

test('checks the pins and never writes them', async () => {
  const { cwd, run, figures } = await createStore();
  expect((await run('--pins', 'pins.jsonl')).code).toBe(0);
  expect(existsSync(join(cwd, 'pins.jsonl'))).toBe(false);
  expect(figures().integrity.pinned).toEqual({ targets: 0, without: 2 });
  const verify = ['verify', '--store', 'file:./lake', '--pins', 'pins.jsonl'];
  expect((await call(verify, { cwd })).code).toBe(0);
  const pins = readFileSync(join(cwd, 'pins.jsonl'), 'utf8');
  expect((await run('--pins', 'pins.jsonl')).code).toBe(0);
  expect(figures().integrity.pinned).toEqual({ targets: 2, without: 0 });
  // An older pin stays as it is.
  const other = pins.replaceAll(/"manifestSha256":"./g, '"manifestSha256":"0');
  writeFileSync(join(cwd, 'pins.jsonl'), other);
  await run('--pins', 'pins.jsonl');
  expect(readFileSync(join(cwd, 'pins.jsonl'), 'utf8')).toBe(other);
});

test('says which configured targets have no snapshot, and which stored targets it leaves out', async () => {
  const { cwd, figures } = await createStore();
  const target = 'region: cn-south-4, projectId: p1';
  writeFileSync(
    join(cwd, 'cgs-export.yml'),
    `store: file:./lake\naccounts:\n  - { name: prod, targets: [{ ${target} }, { region: cn-east-3, projectId: p3 }] }\n`,
  );
  const args = ['report', '--out', 'out', '--since', '2026-10-01', '--until', '2026-10-03'];
  const { code, runtime } = await call(args, { cwd });
  expect(code).toBe(0);
  const { coverage } = figures();
  const table = 'container_nodes';
  expect(coverage?.neverSealed).toEqual({
    total: 1,
    shown: [{ account: 'prod', table, region: 'cn-east-3', projectId: 'p3' }],
  });
  expect(coverage?.notCovered).toEqual({
    total: 1,
    shown: [{ account: 'test', table, region: 'cn-north-1', projectId: 'p2' }],
  });
  expect(runtime.out()).toContain('prod container_nodes cn-east-3 p3 has no snapshot');
  expect(runtime.out()).toContain('1 other stored target;');
  const page = readFileSync(join(cwd, 'out', 'report.html'), 'utf8');
  expect(page).toContain('prod container_nodes cn-east-3 p3');
});
