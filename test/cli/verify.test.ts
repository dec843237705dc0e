import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { call, createTestWorld, exportSome } from './world.ts';

const verify = ['verify', '--store', 'file:./lake'];

function findFile(folder: string, ending: string): string {
  const name = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(ending),
  );
  if (name === undefined) throw new Error(`no ${ending} in ${folder}`);
  return join(folder, name);
}

test('a whole store: exit 0, without key, region or configuration', async () => {
  const { cwd } = await exportSome(2);
  const { code, world } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(0);
  expect(world.json()).toMatchObject({
    status: 'verified',
    store: `file:${cwd}/lake`,
    manifests: 2,
    parts: 4,
    faults: [],
    unnamed: [],
    errors: [],
  });
  const people = await call(verify, { cwd });
  expect(people.world.out()).toContain('verified: 2 manifests, 4 parts');
});

describe('faults: exit 5', () => {
  test('one flipped bit in a part', async () => {
    const { cwd } = await exportSome();
    const path = findFile(join(cwd, 'lake', 'container_nodes'), '.parquet');
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, world } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(world.json()).toMatchObject({
      status: 'failed',
      faults: [{ key: expect.stringContaining('.parquet') }],
      errors: [{ code: 'CORRUPT', message: expect.stringContaining('was altered') }],
    });
  });

  test('a part that is gone', async () => {
    const { cwd } = await exportSome();
    rmSync(findFile(join(cwd, 'lake', 'container_nodes_ndjson'), '.gz'));
    const { code, world } = await call(verify, { cwd });
    expect(code).toBe(5);
    expect(world.out()).toMatch(/1 fault in .*\n {2}fault .*\.ndjson\.gz is missing/);
  });

  test('every manifest gone: the pointers tell', async () => {
    const { cwd } = await exportSome();
    rmSync(join(cwd, 'lake', '_manifests'), { recursive: true });
    expect((await call(verify, { cwd })).code).toBe(5);
  });
});

test('an object that no manifest names is reported, and no fault', async () => {
  const { cwd } = await exportSome();
  writeFileSync(join(cwd, 'lake', 'stray.txt'), 'x');
  const { code, world } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(0);
  expect(world.json()).toMatchObject({ status: 'verified', unnamed: ['stray.txt'] });
  expect(world.logs()).toMatchObject([{ level: 'warn', count: 1 }]);
});

test('nothing there is not "verified": exit 2', async () => {
  const { code, world } = await call([...verify, '--json']);
  expect(code).toBe(2);
  expect(world.json().errors).toMatchObject([
    { message: expect.stringContaining('--store: there is no snapshot') },
  ]);
});

test('a signal: exit 4', async () => {
  const { cwd } = await exportSome();
  const world = createTestWorld({ cwd });
  const running = runProgram(verify, world);
  world.raise('SIGINT');
  expect(await running).toBe(4);
});
