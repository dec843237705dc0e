// Tests the built file on a host where no temporary file can be made: commands keep little data in memory, and a list that is too
// long is not read.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createFolder,
  type Ended,
  expectCode,
  findObject,
  flagsFor,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';

const TMPDIR = '/nonexistent';
const words =
  'cannot use /nonexistent for temporary files: ENOENT: no such file or directory. Up to 64 MB of temporary data are kept in memory instead. A list of more than 50,000 entries is not exported.';

function warningsOf({ err }: Ended): string[] {
  const lines = err.split('\n').filter((line) => line !== '');
  const logged = lines.map((line) => JSON.parse(line) as { code?: string; message: string });
  return logged.filter(({ code }) => code === 'TEMP_UNUSABLE').map(({ message }) => message);
}

describe.concurrent('without a folder for temporary files', () => {
  test('two exports in a row are compared, and every command that reads rows works', async () => {
    const cwd = createFolder();
    const endpoint = await startEndpoint({ nodes: 450, mutating: true });
    const env = { ...keyOf(endpoint), TMPDIR };
    const snapshots: string[] = [];
    for (const command of ['export', 'export', 'tick']) {
      const ended = await runCli([command, ...flagsFor(endpoint), '--json'], { cwd, env });
      expectCode(ended, 0);
      expect(warningsOf(ended)).toEqual([words]);
      snapshots.push(...readJson(ended).snapshots.map(({ snapshot }) => snapshot));
    }
    // The tick has nothing to do.
    expect(snapshots).toHaveLength(2);
    const lake = join(cwd, 'lake');
    const key = findObject(lake, new RegExp(`^_manifests/.*/${snapshots[1]}.json$`));
    const { changes } = JSON.parse(readFileSync(join(lake, key), 'utf8'));
    expect(changes).toMatchObject({ since: snapshots[0], added: 0, removed: 0 });
    expect(changes.changed).toBeGreaterThan(0);

    const reader = { cwd, env: { TMPDIR } };
    const listed = await runCli(['nodes', '--store', 'file:./lake', '--format', 'ndjson'], reader);
    expectCode(listed, 0);
    const [first = ''] = listed.out.split('\n');
    const { host_id: node } = JSON.parse(first) as { host_id: string };
    for (const args of [
      ['verify'],
      ['report', '--out', 'report'],
      ['node', node],
      ['diff'],
      ['history'],
      ['evidence', snapshots[1] ?? '', '--out', 'evidence.zip'],
    ]) {
      expectCode(await runCli([...args, '--store', 'file:./lake'], reader), 0);
    }
    expectCode(await runCli(['doctor', ...flagsFor(endpoint)], { cwd, env }), 0);
    const { region, projectId } = endpoint.script;
    const targets = [{ region, projectId, endpoint: endpoint.url }];
    const accounts = [{ name: 'default', targets }];
    const config = { store: 'file:./lake', retention: { all: '0s' }, accounts };
    writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
    expectCode(await runCli(['prune'], { cwd, env }), 0);
  });

  test('demo works', async () => {
    const cwd = createFolder();
    const ended = await runCli(['demo', '--json'], { cwd, env: { TMPDIR } });
    expectCode(ended, 0);
    expect(readJson(ended).snapshots).toHaveLength(3);
  });

  test('a list that is too long costs one request, and the next export none', async () => {
    const cwd = createFolder();
    const endpoint = await startEndpoint({ nodes: 50_001 });
    const env = { ...keyOf(endpoint), TMPDIR };
    for (const requests of [1, 0]) {
      const ended = await runCli(['export', ...flagsFor(endpoint), '--json'], { cwd, env });
      expectCode(ended, 3);
      expect(readJson(ended)).toMatchObject({ status: 'failed', requests });
      expect(readJson(ended).errors).toMatchObject([
        { code: 'TEMP_UNUSABLE', message: expect.stringContaining('The list has 50,001 entries') },
      ]);
    }
  });
});
