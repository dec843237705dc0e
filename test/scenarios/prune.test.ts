// Tests `prune` of the built CLI with kills in the middle of a long history.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  readJson,
  readTree,
  runCli,
  startCli,
  until,
} from '../e2e/processes.ts';
import { listHistory } from '../support/sealed-history.ts';

interface Verified {
  manifests: number;
  pruned: number;
  faults: unknown[];
}

const isRows = (path: string) => /^container_nodes(_ndjson)?\//.test(path);

async function verify(cwd: string): Promise<Verified> {
  const ended = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expectCode(ended, 0);
  return readJson<Verified>(ended);
}

test('survives kill -9 in the middle of its work, and ends it when it is run again', async () => {
  const cwd = createFolder();
  const history = {
    dataset: 'any',
    count: 600,
    newestMs: Date.now() - 3_600_000,
    scheduleMs: 3_600_000,
  };
  for (const { key, bytes } of listHistory(history)) {
    const path = join(cwd, 'lake', key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  const config = `store: file:./lake
retention: { all: 0s }
accounts: [{ name: default, targets: [{ region: cn-south-4, projectId: p1 }] }]
`;
  writeFileSync(join(cwd, 'cgs-export.yml'), config);
  const rows = () => [...readTree(join(cwd, 'lake')).keys()].filter(isRows).length;
  const pruned = join(cwd, 'lake/_pruned/container_nodes/rgn=cn-south-4/prj=p1');
  const tombstones = () => (existsSync(pruned) ? readdirSync(pruned).length : 0);
  let left = rows();
  expect(left).toBe(1_200);
  for (let kills = 0; kills < 3; kills += 1) {
    const { child, ended } = startCli(['prune'], { cwd });
    const before = tombstones();
    // From the second tombstone on, parts have been deleted.
    await until(() => tombstones() > before + 5, 'a few tombstones');
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    expect(rows()).toBeLessThan(left);
    left = rows();
    expect(left).toBeGreaterThan(2);
    const verified = await verify(cwd);
    expect(verified.faults).toEqual([]);
    expect(verified.pruned).toBeGreaterThan(0);
  }
  const ended = await runCli(['prune', '--json'], { cwd });
  expectCode(ended, 0);
  expect(readJson(ended)).toMatchObject({ status: 'pruned', deleted: { parts: left - 2 } });
  expect(rows()).toBe(2);
  expect(await verify(cwd)).toMatchObject({ manifests: 600, pruned: 599, faults: [] });
  // The lease that the killed processes left does not hold the next one back for long, and nothing is left to do.
  const again = await runCli(['prune', '--json'], { cwd });
  expect(readJson(again)).toMatchObject({ deleted: { tombstones: 0, parts: 0 } });
});
