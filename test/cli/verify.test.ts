// Tests the command `verify`.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    errors: [],
  });
  const people = await call(verify, { cwd });
  expect(people.runtime.out()).toContain('verified: 2 manifests, 4 parts');
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
    expect(runtime.out()).toMatch(/1 fault in .*\n {2}fault .*\.ndjson\.gz is missing/);
  });

  test('for a store without manifests, because its pointers remain', async () => {
    const { cwd } = await exportSome();
    rmSync(join(cwd, 'lake', '_manifests'), { recursive: true });
    expect((await call(verify, { cwd })).code).toBe(5);
  });
});

test('reports an object that no manifest names, and exits with 0', async () => {
  const { cwd } = await exportSome();
  writeFileSync(join(cwd, 'lake', 'stray.txt'), 'x');
  const { code, runtime } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({ status: 'verified', unnamed: ['stray.txt'] });
  expect(runtime.logs()).toMatchObject([{ level: 'warn', count: 1 }]);
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
