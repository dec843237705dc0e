// Tests the command `verify`.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { call, createTestRuntime, exportSome } from './test-runtime.ts';

const verify = ['verify', '--store', 'file:./lake'];

function findFile(folder: string, ending: string): string {
  const name = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(ending),
  );
  if (name === undefined) throw new Error(`no ${ending} in ${folder}`);
  return join(folder, name);
}

test('verifies a store without key, region or configuration: exit code 0', async () => {
  const { cwd } = await exportSome(2);
  const { code, runtime } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({
    status: 'verified',
    store: `file:${cwd}/lake`,
    manifests: 2,
    parts: 4,
    faults: [],
    unnamed: [],
    verdicts: { complete: 2, drifted: 0 },
    gaps: [],
    unchecked: [],
    foreign: [],
    notProven: expect.stringContaining(
      'consistent in itself; a rewrite of the whole chain cannot be excluded',
    ),
    errors: [],
  });
  const people = (await call(verify, { cwd })).runtime.out();
  expect(people).toContain('verified: 2 manifests, 4 parts');
  expect(people).toContain('verdicts: 2 complete, 0 drifted; missed slots: 0');
  expect(people).toContain('consistent in itself; a rewrite of the whole chain cannot be excluded');
  // The hash that a person keeps outside the store.
  expect(people).toMatch(/ {2}newest .*\.json {2}sha256 [0-9a-f]{64} {2}\(.+\)\n/);
});

describe('reports a fault with exit code 5', () => {
  test('for a part with one changed bit', async () => {
    const { cwd } = await exportSome();
    const path = findFile(join(cwd, 'lake', 'container_nodes'), '.parquet');
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      faults: [{ key: expect.stringContaining('.parquet') }],
      errors: [{ code: 'CORRUPT', message: expect.stringContaining('was altered') }],
    });
  });

  test('for a part that is missing', async () => {
    const { cwd } = await exportSome();
    rmSync(findFile(join(cwd, 'lake', 'container_nodes_ndjson'), '.gz'));
    const { code, runtime } = await call(verify, { cwd });
    expect(code).toBe(5);
    expect(runtime.out()).toMatch(/1 fault in .*\n {2}fault +\S*\.ndjson\.gz is missing/);
  });

  test('for a store without manifests, because its pointers remain', async () => {
    const { cwd } = await exportSome();
    rmSync(join(cwd, 'lake', '_manifests'), { recursive: true });
    expect((await call(verify, { cwd })).code).toBe(5);
  });
});

describe('an object that no manifest names', () => {
  test('is listed, and no fault outside the data directories', async () => {
    const { cwd } = await exportSome();
    writeFileSync(join(cwd, 'lake', 'stray.txt'), 'x');
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(0);
    expect(runtime.json()).toMatchObject({ status: 'verified', unnamed: ['stray.txt'] });
    expect(runtime.logs()).toMatchObject([{ level: 'warn', count: 1 }]);
  });

  test('is a fault in a data directory, and a warning with --allow-unnamed', async () => {
    const { cwd } = await exportSome();
    const key = 'container_nodes/extra.parquet';
    writeFileSync(join(cwd, 'lake', key), 'x');
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      faults: [{ key }],
      errors: [{ code: 'CORRUPT', message: expect.stringContaining(key) }],
    });
    const allowed = await call([...verify, '--allow-unnamed', '--json'], { cwd });
    expect(allowed.code).toBe(0);
    expect(allowed.runtime.json()).toMatchObject({
      status: 'verified',
      faults: [],
      unnamed: [key],
    });
    expect((await call([...verify, '--allow-unnamed'], { cwd })).runtime.out()).toContain(
      `  unnamed      ${key}\n`,
    );
  });

  test('is a fault in the data directory of a configured table that has no snapshot yet', async () => {
    const { cwd, env, simulator } = await exportSome();
    mkdirSync(join(cwd, 'lake', 'other'));
    writeFileSync(join(cwd, 'lake', 'other', 'x.parquet'), 'x');
    const config = `store: file:./lake
accounts:
  - name: prod
    targets: [{ region: cn-south-4, projectId: ${simulator.projectId}, table: other }]
`;
    writeFileSync(join(cwd, 'cgs-export.yml'), config);
    const { code, runtime } = await call(['verify', '--json'], { cwd, env });
    expect([code, runtime.json().faults]).toMatchObject([5, [{ key: 'other/x.parquet' }]]);
    expect((await call(verify, { cwd })).code).toBe(0);
  });
});

test('one manifest that names a path outside the store is one fault among all', async () => {
  const { cwd } = await exportSome(2);
  const manifest = findFile(join(cwd, 'lake', '_manifests'), '.json');
  const text = readFileSync(manifest, 'utf8');
  const { parts } = JSON.parse(text) as { parts: { key: string }[] };
  writeFileSync(manifest, text.replace(parts[0]?.key ?? '-', '../../etc/passwd'));
  const { code, runtime } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(5);
  const { errors } = runtime.json() as { errors: { code: string; message: string }[] };
  expect(errors.map((error) => error.code)).not.toContain('INTERNAL');
  expect(errors.map(({ message }) => message).join('\n')).toMatch(
    /names "\.\.\/\.\.\/etc\/passwd"[\s\S]*was altered/,
  );
});

test('shows a key with control characters escaped', async () => {
  const { cwd } = await exportSome();
  writeFileSync(join(cwd, 'lake', 'a\u001b[2Jb'), 'x');
  expect((await call(verify, { cwd })).runtime.out()).toContain('"a\\u001b[2Jb"');
});

test('does not report an empty store as verified: exit code 2', async () => {
  const { code, runtime } = await call([...verify, '--json']);
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: expect.stringContaining('--store: there is no snapshot') },
  ]);
});

test('exits with 4 after a signal', async () => {
  const { cwd } = await exportSome();
  const runtime = createTestRuntime({ cwd });
  const running = runProgram(verify, runtime);
  runtime.raise('SIGINT');
  expect(await running).toBe(4);
});
