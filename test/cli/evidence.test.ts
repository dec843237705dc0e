// Tests the command `evidence`: which targets and snapshots it packs, what it prints, and what it refuses. That the zip can be checked
// by others: test/e2e/evidence.test.ts.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { manifestKey, tombstoneKey } from '../../lib/core/object-keys.ts';
import { decodeManifest, encodeManifest } from '../../lib/snapshots/manifest.ts';
import { listHistory } from '../support/sealed-history.ts';
import { call, createFolder } from './test-runtime.ts';

const newest = '20261124T060000Z';
const newestMs = Date.UTC(2026, 10, 24, 6);

/** Three targets with three daily snapshots each. The newest manifest of `web_nodes` was changed: its list is filtered. */
function createStore(): string {
  const cwd = createFolder();
  for (const [table, projectId] of [
    ['container_nodes', 'p1'],
    ['container_nodes', 'p2'],
    ['web_nodes', 'p1'],
  ] as const) {
    const target = { table, region: 'cn-south-4', projectId };
    const isWeb = table === 'web_nodes';
    const bytesOf = (age: number) => ({
      parquet: Buffer.from(`parquet ${table} ${projectId} ${age}`),
      ndjson: Buffer.from(`ndjson ${table} ${projectId} ${age}`),
    });
    for (const { key, bytes } of listHistory({ target, count: 3, newestMs, bytesOf })) {
      const path = join(cwd, 'lake', key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
    if (!isWeb) continue;
    const path = join(cwd, 'lake', manifestKey(target, newest));
    const manifest = decodeManifest(manifestKey(target, newest), readFileSync(path));
    const scope = { ...manifest.scope, filters: { hostName: 'web' } };
    writeFileSync(path, encodeManifest({ ...manifest, scope }));
  }
  return cwd;
}

function evidence(cwd: string, ...args: string[]) {
  return call(['evidence', ...args, '--store', 'file:./lake', '--out', 'x.zip'], { cwd });
}

async function errorOf(cwd: string, ...args: string[]) {
  const { code, runtime } = await evidence(cwd, ...args, '--json');
  const [error] = runtime.json().errors as { code: string; message: string; hint: string }[];
  expect(existsSync(join(cwd, 'x.zip'))).toBe(false);
  return { exitCode: code, ...error };
}

async function listZip(path: string): Promise<string[]> {
  const opened = await fromBufferPromise(readFileSync(path));
  const names: string[] = [];
  for await (const { fileName } of opened.eachEntry()) names.push(fileName);
  return names;
}

/** A manifest that was changed has another hash than `_head` says: the chain of the filtered target ends before it. */
const unfiltered = ['--table', 'container_nodes'];

test('a zip inside the store is refused, also through a link: exit code 2', async () => {
  const cwd = createStore();
  symlinkSync(join(cwd, 'lake'), join(cwd, 'link'));
  for (const out of ['lake/e.zip', 'lake/container_nodes/e.zip', 'link/e.zip']) {
    const args = ['evidence', newest, '--store', 'file:./lake', '--out', out, '--json'];
    const { code, runtime } = await call(args, { cwd });
    expect([code, runtime.json().errors]).toMatchObject([
      2,
      [{ message: expect.stringMatching(/^--out: .* is inside the store/) }],
    ]);
  }
});

test('a manifest that is gone, but that _head names, is an integrity fault', async () => {
  const cwd = createStore();
  const key = manifestKey(
    { table: 'container_nodes', region: 'cn-south-4', projectId: 'p2' },
    newest,
  );
  rmSync(join(cwd, 'lake', key));
  expect(await errorOf(cwd, newest, ...unfiltered)).toMatchObject({
    exitCode: 5,
    message: expect.stringContaining(`${key}: is missing: _head/`),
  });
});

test('a manifest of a newer version is never packed, nor is an older snapshot below it', async () => {
  const cwd = createStore();
  const p1 = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
  const path = join(cwd, 'lake', manifestKey(p1, newest));
  const text = readFileSync(path, 'utf8').replace('"manifestVersion":1', '"manifestVersion":2');
  writeFileSync(path, text);
  for (const snapshot of [newest, '20261123T060000Z']) {
    expect(await errorOf(cwd, snapshot, '--table', 'container_nodes')).toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('was written by a newer version of cgs-export'),
      hint: expect.stringMatching(/^No zip was written\. Update cgs-export/),
    });
  }
});

test('packs the snapshot of every target that has it, and says what was packed', async () => {
  const cwd = createStore();
  const { code, runtime } = await evidence(cwd, newest, ...unfiltered, '--json');
  expect(code, runtime.err()).toBe(0);
  expect(runtime.json()).toMatchObject({
    ...{ status: 'written', store: `file:${cwd}/lake`, file: join(cwd, 'x.zip'), keyIds: [] },
    targets: ['p1', 'p2'].map((projectId) => ({
      ...{ account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId },
      ...{ snapshot: newest, verdict: 'complete', rows: 4_321, manifests: 1, signed: 0 },
    })),
    errors: [],
  });
  const names = await listZip(join(cwd, 'x.zip'));
  expect(runtime.json().files).toBe(names.length);
  expect(names.slice(0, 3)).toEqual(['README', 'check.sh', 'SHA256SUMS']);
  expect(names.slice(3)).toEqual(names.slice(3).sort());
  expect(names.filter((name) => name.startsWith('_manifests/'))).toHaveLength(2);
  expect(names.filter((name) => name.startsWith('container_nodes'))).toHaveLength(4);
});

test('packs the picked targets only, and says in words what to do with the zip', async () => {
  const cwd = createStore();
  const { code, runtime } = await evidence(cwd, '20261122T060000Z', '--project', 'p2');
  expect(code, runtime.err()).toBe(0);
  const text = runtime.out();
  expect(text).toContain(`wrote ${join(cwd, 'x.zip')}: 8 files`);
  expect(text).toContain(
    'prod container_nodes cn-south-4 p2 20261122T060000Z: complete, 4,321 rows',
  );
  expect(text).toContain('3 manifests, 0 signed');
  expect(text).toMatch(
    / {2}newest {2}_manifests\/\S+\/20261124T060000Z.json {2}sha256 [0-9a-f]{64}\n/,
  );
});

test('a filtered table is packed too: its manifest, changed after the seal, is a fault', async () => {
  const cwd = createStore();
  expect(await errorOf(cwd, newest)).toMatchObject({
    ...{ exitCode: 5, code: 'CORRUPT' },
    message: expect.stringContaining('_head/web_nodes'),
    hint: expect.stringContaining('No zip was written. Run `cgs-export verify`'),
  });
});

test('refuses a snapshot that no target has, and names the nearest ones: exit code 2', async () => {
  const cwd = createStore();
  expect(await errorOf(cwd, '20261123T050000Z')).toMatchObject({
    ...{ exitCode: 2, code: 'CONFIG' },
    message: 'snapshot: no picked target has the snapshot 20261123T050000Z',
    hint: 'The nearest snapshots are 20261122T060000Z, 20261123T060000Z, 20261124T060000Z.',
  });
});

test.each([
  [['yesterday'], 'snapshot: "yesterday" is not the name of a snapshot'],
  [[], 'snapshot: is missing'],
  [[newest, '--project', 'p3'], '--project: no target with a snapshot has the project "p3"'],
])('refuses %j: exit code 2', async (args, message) => {
  const cwd = createStore();
  expect(await errorOf(cwd, ...args)).toMatchObject({ exitCode: 2, code: 'CONFIG', message });
});

test.each([
  ['2026-11-23T07:00:00Z', 'The nearest snapshot at or before this time is 20261123T060000Z. '],
  ['2026-11-23T06:00:00Z', 'The nearest snapshot at or before this time is 20261123T060000Z. '],
  ['2020-01-01', 'There is no snapshot at or before this time. '],
  ['yesterday', 'Write it like 20261124T060000Z. '],
])('for %s, which is no name, the hint helps to find one', async (given, hint) => {
  expect(await errorOf(createStore(), given)).toMatchObject({
    message: `snapshot: "${given}" is not the name of a snapshot`,
    hint: `${hint}\`cgs-export history\` lists all snapshots.`,
  });
});

test('needs the name of the zip', async () => {
  const cwd = createStore();
  const { code, runtime } = await call(['evidence', newest, '--store', 'file:./lake', '--json'], {
    cwd,
  });
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([{ message: '--out: is missing' }]);
});

test('a snapshot whose rows were deleted by retention: exit code 2, with the nearest kept one', async () => {
  const cwd = createStore();
  const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
  const lake = join(cwd, 'lake');
  const tombstone = join(lake, tombstoneKey(target, '20261122T060000Z'));
  mkdirSync(dirname(tombstone), { recursive: true });
  writeFileSync(tombstone, '{}\n');
  const parts = join(lake, 'container_nodes/dt=2026-11-22/rgn=cn-south-4/prj=p1');
  rmSync(parts, { recursive: true });
  expect(await errorOf(cwd, '20261122T060000Z', ...unfiltered)).toMatchObject({
    ...{ exitCode: 2, code: 'PRUNED' },
    message: expect.stringContaining('the rows of 20261122T060000Z were deleted by retention'),
    hint: expect.stringMatching(
      /rows is 20261123T060000Z\. Run `cgs-export evidence 20261123T060000Z --table container_nodes --region cn-south-4 --project p1 --store \S+ --out \S+\.zip`\.$/,
    ),
  });
  const other = await evidence(cwd, '20261122T060000Z', '--project', 'p2', ...unfiltered);
  expect(other.code).toBe(0);
});

test.each([
  ['missing', (path: string) => rmSync(path), 'is missing: a manifest names it'],
  ['shorter', (path: string) => writeFileSync(path, 'x'), 'has 1 bytes, but its manifest says'],
  [
    'longer',
    (path: string) => writeFileSync(path, `${readFileSync(path)}x`),
    'bytes, but its manifest says',
  ],
  [
    'altered',
    (path: string) => writeFileSync(path, `X${readFileSync(path).subarray(1)}`),
    'was altered',
  ],
])(
  'a part that is %s: exit code 5, and no temporary file is left',
  async (_what, damage, message) => {
    const cwd = createStore();
    const folder = join(cwd, 'lake/container_nodes/dt=2026-11-24/rgn=cn-south-4/prj=p1');
    damage(join(folder, readdirSync(folder)[0] ?? ''));
    const error = await errorOf(cwd, newest, ...unfiltered);
    expect(error).toMatchObject({ exitCode: 5, code: 'CORRUPT' });
    expect(error.message).toContain(message);
    expect(readdirSync(cwd)).toEqual(['lake']);
    const left = readdirSync(tmpdir()).filter((name) => name.includes(`.${process.pid}.`));
    expect(left.filter((name) => name.startsWith('cgs-export-tmp-'))).toEqual([]);
  },
);
