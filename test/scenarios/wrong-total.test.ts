// Tests exports of lists that state a wrong total or have a node twice: what is sealed, and which verdict it gets. Method: the
// built file against the independent endpoint.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
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
import { expectServed, readSnapshot } from '../e2e/served-rows.ts';
import { someCases } from '../support/cases.ts';
import type { Script } from '../support/plain-endpoint.ts';

/** One export of the scripted list, and what a reader finds in the store. */
async function exportList(script: Partial<Script>, code: number) {
  const endpoint = await startEndpoint({ seed: 11, ...script });
  const cwd = createFolder();
  const ended = await runCli(['export', '--json', ...flagsFor(endpoint)], {
    cwd,
    env: keyOf(endpoint),
  });
  expectCode(ended, code);
  const lake = join(cwd, 'lake');
  const snapshot = await readSnapshot(lake, readJson(ended).snapshots[0]?.manifest ?? '');
  const report = await endpoint.report();
  expectServed(snapshot, report);
  const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expectCode(verified, 0);
  const { manifest } = snapshot;
  const isLatest = [...readTree(lake).keys()].some((path) => path.startsWith('_latest/'));
  const rejectsKey = manifest.parts.find(({ role }) => role === 'rejects')?.key;
  const rejects =
    rejectsKey === undefined
      ? []
      : gunzipSync(readFileSync(join(lake, rejectsKey)))
          .toString('utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as { reason: string; record: Record<string, unknown> });
  return { manifest, snapshot, report, requests: report.servings.length, isLatest, rejects };
}

describe.concurrent('a list', () => {
  test.each([200, 399])(
    'of 1,000 nodes that states %i on every page is read to its end',
    async (totalNum) => {
      const sealed = await exportList({ nodes: 1_000, totalNum }, 0);
      expect(sealed.manifest).toMatchObject({ rows: 1_000, verdict: 'complete' });
      expect(sealed.manifest.evidence).toMatchObject({ passes: 1, missing: 0 });
      expect(sealed.requests).toBe(7);
    },
  );

  test('that is empty from the second request on is not complete, and _latest does not move', async () => {
    const sealed = await exportList({ nodes: 450, emptyFrom: 2 }, 6);
    expect(sealed.manifest).toMatchObject({ rows: 200, verdict: 'drifted' });
    expect(sealed.manifest.evidence).toMatchObject({
      totalNumFirst: 450,
      totalNumLast: 0,
      missing: 250,
    });
    expect(sealed.isLatest).toBe(false);
    expect(sealed.requests).toBeLessThan(10);
  });

  test('of 450 nodes that states 453 on every page is sealed as drifted, with 3 missing', async () => {
    const sealed = await exportList({ nodes: 450, totalNum: 453 }, 6);
    expect(sealed.manifest).toMatchObject({ rows: 450, verdict: 'drifted' });
    expect(sealed.manifest.evidence).toMatchObject({ missing: 3, passes: 2 });
    expect(sealed.isLatest).toBe(false);
    expect(sealed.requests).toBe(8);
  });

  test.each(
    someCases([
      ['on one page', 300],
      ['on two pages', 600],
    ]),
  )('with a node listed twice %s keeps both records', async (_where, to) => {
    const of = 250;
    const sealed = await exportList({ nodes: 700, copies: [{ of, to }] }, 0);
    expect(sealed.manifest).toMatchObject({ rows: 700, rejects: 1, verdict: 'complete' });
    expect(sealed.manifest.evidence).toMatchObject({ missing: 0, repeats: 0, totalNumLast: 701 });
    const [reject] = sealed.rejects;
    expect(reject?.reason).toBe('duplicate host_id');
    expect(reject?.record.host_status).not.toBe('COPY');
    const row = sealed.snapshot.parquet.find(({ host_id }) => host_id === reject?.record.host_id);
    expect(row?.host_status).toBe('COPY');
    expect(sealed.isLatest).toBe(true);
  });
});
