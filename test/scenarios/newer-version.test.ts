// Tests what the built file does with a store that a newer major version has written to: it says so, proves nothing, and leaves it as
// it is. Method: the version in the manifests is raised, and the chain and the pointers are made to fit.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';
import { makeNewer } from '../support/newer-store.ts';

const newer =
  'was written by a newer version of cgs-export (manifestVersion 2; this version reads 1)';
const update = expect.stringMatching(/^Update cgs-export[^.]*\. Only if no newer version/);

/** A store with two snapshots of a newer version. */
async function createNewerStore() {
  const endpoint = await startEndpoint({ nodes: 30 });
  const folder = createFolder();
  const flags = flagsFor(endpoint);
  const call = (...args: string[]) =>
    runCli([...args, '--json'], { cwd: folder, env: keyOf(endpoint) });
  for (let count = 0; count < 2; count += 1) expectCode(await call('export', ...flags), 0);
  const lake = join(folder, 'lake');
  for (const [key, bytes] of makeNewer(readTree(lake))) writeFileSync(join(lake, key), bytes);
  return { endpoint, lake, flags, call };
}

interface Checked {
  status: string;
  manifests: number;
  faults: { key: string; message: string; hint: string }[];
  newest: unknown[];
  errors: { code: string; hint: string }[];
}

test('verify reports each manifest and part as a fault, with the advice to update', async () => {
  const { lake, call } = await createNewerStore();
  const ended = await call('verify', '--store', 'file:./lake');
  expectCode(ended, 5);
  const { faults, errors, ...rest } = readJson<Checked>(ended);
  expect(rest).toMatchObject({ status: 'failed', manifests: 0, newest: [] });
  const isOfSnapshot = (key: string) => /^(_manifests|container_nodes)/.test(key);
  const keys = [...readTree(lake).keys()].filter(isOfSnapshot);
  expect(keys).toHaveLength(6);
  expect(faults.map(({ key }) => key).sort()).toEqual(keys.sort());
  for (const { key, message } of faults) {
    expect(message).toContain(key.startsWith('_manifests') ? newer : 'was not checked');
  }
  for (const error of errors) expect(error).toMatchObject({ code: 'CORRUPT', hint: update });
});

test('export refuses before the first request and changes nothing of the target; tick then holds it', async () => {
  const { endpoint, lake, flags, call } = await createNewerStore();
  const before = readTree(lake);
  const { servings } = await endpoint.report();
  expect(servings).toHaveLength(2);
  const ended = await call('export', ...flags);
  expectCode(ended, 5);
  expect(readJson(ended)).toMatchObject({
    ...{ status: 'failed', snapshots: [], requests: 0 },
    errors: [{ code: 'CORRUPT', message: expect.stringContaining(newer), hint: update }],
  });
  expectCode(await call('tick', ...flags), 0);
  expect((await endpoint.report()).servings).toEqual(servings);
  const isState = (key: string) =>
    /^(_runs\/schedule\.json|_quota\/|_lease\/|\.cgs-export)/.test(key);
  const ofTarget = (tree: Map<string, Buffer>) => [...tree].filter(([key]) => !isState(key));
  expect(ofTarget(readTree(lake))).toEqual(ofTarget(before));
});

test('status names it without an exit code of its own, and every other reader exits with 5', async () => {
  const { lake, call } = await createNewerStore();
  const store = ['--store', 'file:./lake'];
  const status = await call('status', ...store);
  expectCode(status, 0);
  expect(readJson<{ targets: unknown[] }>(status).targets).toMatchObject([
    {
      problems: [
        {
          kind: 'unreadable',
          code: 'CORRUPT',
          message: expect.stringContaining(newer),
          hint: update,
        },
      ],
    },
  ]);
  expectCode(await call('status', ...store, '--check'), 7);
  const [manifest = ''] = [...readTree(lake).keys()].filter((key) => key.startsWith('_manifests'));
  const snapshot = manifest.slice(-'20261124T060000Z.json'.length, -'.json'.length);
  for (const args of [
    ['history'],
    ['nodes'],
    ['diff'],
    ['report', '--out', 'report'],
    ['evidence', snapshot, '--out', 'evidence.zip'],
  ]) {
    const ended = await call(...args, ...store);
    expectCode(ended, 5);
    expect(ended.out + ended.err).toContain(newer);
    expect(ended.out + ended.err).not.toContain('Nothing was overwritten');
  }
});
