// Tests the command `prune`.

import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { type HistoryOptions, listHistory } from '../support/sealed-history.ts';
import { call, createFolder, createTestRuntime } from './test-runtime.ts';

function writeHistory(cwd: string, options: Partial<HistoryOptions> = {}): void {
  const base = { count: 5, newestMs: Date.now() - 3_600_000 };
  for (const { key, bytes } of listHistory({ dataset: 'any', ...base, ...options })) {
    const path = join(cwd, 'lake', key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** A configuration without any key, and a store with five daily snapshots. */
function createStore(retention: string | null): string {
  const cwd = createFolder();
  const config = `store: file:./lake
${retention === null ? '' : `retention: ${retention}`}
accounts:
  - name: prod
    credentials: { ak: "\${NOT_SET}", sk: "\${NOT_SET}" }
    targets: [{ region: cn-south-4, projectId: p1 }, { region: cn-south-4, projectId: p3 }]
`;
  writeFileSync(join(cwd, 'cgs-export.yml'), config);
  writeHistory(cwd);
  return cwd;
}

const partsIn = (cwd: string) =>
  readdirSync(join(cwd, 'lake'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^container_nodes.*\.(parquet|gz)$/.test(path),
  );

test('needs no key, deletes what no rule keeps, and verify accepts it', async () => {
  const cwd = createStore('{ all: 0s }');
  const dry = await call(['prune', '--dry-run'], { cwd });
  expect(dry.code).toBe(0);
  expect(dry.runtime.out()).toMatch(
    /^target +snapshot +rule +parts +bytes\nprod container_nodes cn-south-4 p1 +\S+ +pruned +2 +\d+ bytes\n/,
  );
  expect(dry.runtime.out()).toContain('would be deleted: 8 parts');
  expect(dry.runtime.out()).toMatch(
    /^would be pruned: 4 snapshots; would be in the grace period: 0/m,
  );
  expect(partsIn(cwd)).toHaveLength(10);
  const { code, runtime } = await call(['prune', '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({
    ...{ status: 'pruned', store: `file:${cwd}/lake`, dryRun: false, errors: [], locked: [] },
    deleted: { tombstones: 4, parts: 8 },
    sum: { kept: { snapshots: 1, parts: 2 }, pruned: { snapshots: 4, parts: 8 }, gone: 0 },
    targets: [{ account: 'prod', table: 'container_nodes', region: 'cn-south-4' }],
  });
  expect(partsIn(cwd)).toHaveLength(2);
  const verified = await call(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expect([verified.code, verified.runtime.json()]).toMatchObject([
    0,
    { pruned: 4, prunedParts: 8, faults: [] },
  ]);
  const people = (await call(['verify', '--store', 'file:./lake'], { cwd })).runtime.out();
  expect(people).toContain('pruned: 4 snapshots, 8 parts deleted\n');
  expect(people).toContain('every part that was not pruned has the bytes');
});

test('shows which rule keeps a snapshot, and what waits for the end of the grace period', async () => {
  const cwd = createStore('{ all: 26h, grace: 7d }');
  const { code, runtime } = await call(['prune'], { cwd });
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/ pruned, in grace +2 .*\n.* all +2 .*\n.* newest +2 /);
  expect(runtime.out()).toContain('kept: 2 snapshots, 4 parts');
  expect(runtime.out()).toContain('deleted: 0 parts, 0 bytes; new tombstones: 3 in');
  expect(partsIn(cwd)).toHaveLength(10);
});

test('keeps a snapshot with a tombstone that a rule keeps now, and warns', async () => {
  const cwd = createStore('{ all: 26h, grace: 7d }');
  await call(['prune'], { cwd });
  const path = join(cwd, 'cgs-export.yml');
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace('{ all: 26h, grace: 7d }', '{ all: 80h }'),
  );
  for (const dryRun of [['--dry-run'], []]) {
    const { code, runtime } = await call(['prune', ...dryRun], { cwd });
    expect(code).toBe(0);
    expect(runtime.out()).toMatch(/ pruned, in grace +2 .*\n.* all, has a tombstone +2 /);
    expect(runtime.err()).toContain('snapshots with a tombstone are kept');
  }
  expect(partsIn(cwd)).toHaveLength(10);
});

test('exits with 2 and says how to set retention if it is not set', async () => {
  const cwd = createStore(null);
  const { code, runtime } = await call(['prune', '--json'], { cwd });
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: 'retention: is not set', hint: expect.stringContaining('retention: { all: 30d') },
  ]);
});

test('exits with 2 if the folder of the store does not exist, and does not create it', async () => {
  const cwd = createFolder();
  const config = `store: file:./lake
retention: { all: 0s }
accounts: [{ name: prod, targets: [{ region: cn-south-4 }] }]
`;
  writeFileSync(join(cwd, 'cgs-export.yml'), config);
  expect((await call(['prune'], { cwd })).code).toBe(2);
  expect(readdirSync(cwd)).toEqual(['cgs-export.yml']);
});

describe('picks', () => {
  test('only the targets that are asked for, and names those that are stored but not configured', async () => {
    const cwd = createStore('{ all: 0s }');
    for (const projectId of ['p2', 'p3']) {
      writeHistory(cwd, { target: { table: 'container_nodes', region: 'cn-south-4', projectId } });
    }
    const { code, runtime } = await call(['prune', '--project', 'p3'], { cwd });
    expect(code).toBe(0);
    expect(runtime.out()).toContain(
      '  left out, not in the configuration: container_nodes cn-south-4 p2\n',
    );
    const left = (project: string) => partsIn(cwd).filter((path) => path.includes(project)).length;
    expect([left('prj=p1'), left('prj=p2'), left('prj=p3')]).toEqual([10, 10, 2]);
  });

  test.each([
    ['--project', 'p2'],
    ['--region', 'cn-south-5'],
    ['--table', 'nodes'],
    ['--account', 'dev'],
  ])('exits with 2 for an unknown %s, before it writes', async (option, value) => {
    const cwd = createStore('{ all: 0s }');
    const { code, runtime } = await call(['prune', '--json', option, value], { cwd });
    expect(code).toBe(2);
    expect(JSON.stringify(runtime.json().errors)).toContain(option);
    expect(partsIn(cwd)).toHaveLength(10);
    expect(readdirSync(join(cwd, 'lake'))).not.toContain('_pruned');
  });
});

test('exits with 5 for a damaged manifest, and prunes the rest', async () => {
  const cwd = createStore('{ all: 0s }');
  const folder = join(cwd, 'lake/_manifests/container_nodes/rgn=cn-south-4/prj=p1');
  const [oldest = ''] = readdirSync(folder).sort();
  writeFileSync(join(folder, oldest), '{');
  const { code, runtime } = await call(['prune', '--json'], { cwd });
  expect([code, runtime.json()]).toMatchObject([
    5,
    { status: 'failed', errors: [{ code: 'CORRUPT' }], deleted: { tombstones: 3 } },
  ]);
  expect(partsIn(cwd)).toHaveLength(4);
});

test('exits with 4 after a signal, and continues when it is run again', async () => {
  const cwd = createStore('{ all: 0s }');
  const runtime = createTestRuntime({ cwd });
  const running = runProgram(['prune'], runtime);
  runtime.raise('SIGTERM');
  expect(await running).toBe(4);
  expect((await call(['prune'], { cwd })).code).toBe(0);
  expect(partsIn(cwd)).toHaveLength(2);
});

test('signs tombstones with the configured key, and writes nothing without its variable', async () => {
  const cwd = createStore('{ all: 0s }\nsigning: { privateKey: "${CGS_SIGNING_KEY}" }');
  const missing = await call(['prune', '--json'], { cwd });
  expect(missing.code).toBe(2);
  expect(JSON.stringify(missing.runtime.json().errors)).toContain('signing.privateKey');
  // A dry run signs nothing.
  expect((await call(['prune', '--dry-run'], { cwd })).code).toBe(0);
  expect(partsIn(cwd)).toHaveLength(10);
  const { privateKey } = generateKeyPairSync('ed25519');
  const CGS_SIGNING_KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect((await call(['prune'], { cwd, env: { CGS_SIGNING_KEY } })).code).toBe(0);
  const folder = join(cwd, 'lake/_pruned/container_nodes/rgn=cn-south-4/prj=p1');
  const names = readdirSync(folder).sort();
  expect(names).toHaveLength(8);
  const [tombstone = new Uint8Array(), signature = new Uint8Array()] = names
    .slice(0, 2)
    .map((name) => readFileSync(join(folder, name)));
  expect(verify(null, tombstone, createPublicKey(privateKey), signature)).toBe(true);
  const verified = await call(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expect([verified.code, verified.runtime.json().foreign]).toEqual([0, []]);
});
