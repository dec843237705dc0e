// Tests `prune` of the built CLI and of the built function on exported snapshots. test/scenarios/prune.test.ts kills it.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleOf, invoke } from './invocations.ts';
import {
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';

interface Verified {
  manifests: number;
  pruned: number;
  faults: unknown[];
  foreign: string[];
}

function writeConfig(cwd: string, projectId: string, retention: string): void {
  const text = `store: file:./lake
retention: ${retention}
accounts:
  - name: default
    targets: [{ region: cn-south-4, projectId: ${projectId} }]
`;
  writeFileSync(join(cwd, 'cgs-export.yml'), text);
}

/** As in a function: a mounted folder, and the pins of another host, which this function does not use. */
const inFunction = 'mounted: true\nverify: { pins: obs://safe/pins, publicKeys: [auditor.pem] }\n';

const isRows = (path: string) => /^container_nodes(_ndjson)?\//.test(path);

async function verify(cwd: string): Promise<Verified> {
  const ended = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expectCode(ended, 0);
  return readJson<Verified>(ended);
}

test('prunes exported snapshots; verify accepts it, and the next export continues the chain', async () => {
  const endpoint = await startEndpoint({ region: 'cn-south-4' });
  const cwd = createFolder();
  const env = keyOf(endpoint);
  const exportOne = async () =>
    expectCode(await runCli(['export', ...flagsFor(endpoint)], { cwd, env }), 0);
  for (let count = 0; count < 3; count += 1) await exportOne();
  writeConfig(cwd, endpoint.script.projectId, '{ all: 0s }');
  const before = readTree(join(cwd, 'lake'));
  const dry = await runCli(['prune', '--dry-run', '--json'], { cwd });
  expectCode(dry, 0);
  expect(readTree(join(cwd, 'lake'))).toEqual(before);
  const ended = await runCli(['prune', '--json'], { cwd });
  expectCode(ended, 0);
  expect(readJson(ended)).toMatchObject({ status: 'pruned', deleted: { tombstones: 2, parts: 4 } });
  expect(await verify(cwd)).toMatchObject({ manifests: 3, pruned: 2, faults: [], foreign: [] });
  const after = readTree(join(cwd, 'lake'));
  // What is left is unchanged.
  for (const [path, bytes] of before) expect(after.get(path) ?? bytes, path).toEqual(bytes);
  expect([...after.keys()].filter(isRows)).toHaveLength(2);
  await exportOne();
  expect(await verify(cwd)).toMatchObject({ manifests: 4, pruned: 2, faults: [], foreign: [] });
});

test('the built function prunes without a key of the service, and is idle without `retention`', async () => {
  const endpoint = await startEndpoint({ region: 'cn-south-4' });
  const cwd = createFolder();
  const run = { cwd, env: keyOf(endpoint) };
  for (let count = 0; count < 2; count += 1) {
    expectCode(await runCli(['export', ...flagsFor(endpoint)], run), 0);
  }
  copyFileSync(bundleOf('prune'), join(cwd, 'index.js'));
  writeConfig(cwd, endpoint.script.projectId, '{ all: 0s }');
  const file = join(cwd, 'cgs-export.yml');
  const text = readFileSync(file, 'utf8') + inFunction;
  writeFileSync(file, text.replace(/^retention: .*$/m, ''));
  const idle = await invoke<{ status: string; reason: string }>(cwd, 'one', {});
  expect(idle.result).toMatchObject({
    status: 'idle',
    reason: expect.stringContaining('retention'),
  });
  writeFileSync(file, text);
  const pruned = await invoke(cwd, 'two', {});
  expect(pruned.error).toBeNull();
  expect(pruned.result).toMatchObject({ status: 'pruned', deleted: { tombstones: 1, parts: 2 } });
  expect(pruned.lines.at(-1)).toMatchObject({ message: 'done', status: 'pruned', targets: 1 });
  expect(await verify(cwd)).toMatchObject({ manifests: 2, pruned: 1, faults: [] });
});
