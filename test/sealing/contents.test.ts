// Tests how stored pages become sorted rows. Each test seals a run and reads the rows back.

import { describe, expect, test } from 'vitest';
import { headKey, latestKey, manifestKey } from '../../lib/core/object-keys.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import type { Manifest } from '../../lib/snapshots/manifest.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { first, linesOf, many, seal } from '../support/sealed-run.ts';
import { nodeText, pageTimeMs, sealStored } from '../support/stored-run.ts';

test('keeps the newest of several records of one node, within a pass and across passes', async () => {
  const { store, manifest } = await seal({
    snapshot: first,
    pages: [
      { records: [nodeText('a', { host_name: 'oldest' }), nodeText('b', { host_name: 'only' })] },
      { records: [nodeText('a', { host_name: 'older' })] },
      { records: [nodeText('a', { host_name: 'newest' })], pass: 2 },
    ],
  });
  expect(linesOf(store, manifest, 'rows')).toMatchObject([
    { host_id: 'a', host_name: 'newest', fetched_at: new Date(pageTimeMs + 2_000).toISOString() },
    { host_id: 'b', host_name: 'only', fetched_at: new Date(pageTimeMs).toISOString() },
  ]);
  expect(linesOf(store, manifest, 'rows')[0]).toMatchObject({
    snapshot_at: '2026-11-24T06:00:00.000Z',
    account: 'prod',
    region: 'cn-south-4',
    project_id: 'p1',
  });
});

test.each(['complete', 'drifted'] as const)(
  'every row of a snapshot that is %s says so',
  async (verdict) => {
    const twoNodes = [{ records: [nodeText('a'), nodeText('b')] }];
    const { store, manifest } = await seal({ snapshot: first, verdict, pages: twoNodes });
    expect(manifest.verdict).toBe(verdict);
    const rows = linesOf(store, manifest, 'rows') as { verdict: string }[];
    expect(rows.map((row) => row.verdict)).toEqual([verdict, verdict]);
  },
);

test('sorts rows by the UTF-8 bytes of host_id', async () => {
  const ids = ['😀', 'Ａ', 'a', 'é', 'Z', '10', '9', 'aa', '\u{10ffff}', '\uffff'];
  const { store, manifest } = await seal({
    snapshot: first,
    pages: [{ records: ids.map((id) => nodeText(id)) }],
  });
  const read = linesOf(store, manifest, 'rows').map((row) => (row as { host_id: string }).host_id);
  const byBytes = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(read).toEqual(byBytes);
  expect(read).toEqual([...ids].sort(compareUtf8));
  expect(read).not.toEqual([...ids].sort());
});

describe('a node listed twice', () => {
  const rejectsOf = (store: MemoryStore, manifest: Manifest) =>
    linesOf(store, manifest, 'rejects') as { reason: string; record: { host_name: string } }[];
  const a = (name: string) => nodeText('a', { host_name: name });

  test('in one page: the later record is the row, the other a reject, although the list moved', async () => {
    const { store, manifest } = await seal({
      snapshot: first,
      pages: [{ records: [a('one'), nodeText('b'), a('two')] }],
    });
    expect(linesOf(store, manifest, 'rows')).toMatchObject([
      { host_id: 'a', host_name: 'two' },
      { host_id: 'b' },
    ]);
    expect(rejectsOf(store, manifest)).toEqual([
      {
        reason: 'duplicate host_id',
        fetched_at: new Date(pageTimeMs).toISOString(),
        record: JSON.parse(a('one')),
      },
    ]);
    expect(manifest).toMatchObject({ rows: 2, rejects: 1, evidence: { repeats: 0 } });
  });

  test('in two pages: a reject if the list did not move, else the same row read again', async () => {
    const run = {
      snapshot: first,
      pages: [
        { records: [a('one'), nodeText('b')] },
        { records: [nodeText('b'), nodeText('c'), a('two')] },
      ],
    };
    const rested = await seal({ ...run, atRest: true });
    expect(rested.manifest).toMatchObject({ rows: 3, rejects: 1 });
    expect(rejectsOf(rested.store, rested.manifest)[0]?.record.host_name).toBe('one');
    const moved = await seal(run);
    expect(moved.manifest).toMatchObject({ rows: 3, rejects: 0, evidence: { repeats: 0 } });
    expect(linesOf(moved.store, moved.manifest, 'rows')[0]).toMatchObject({ host_name: 'two' });
  });

  test('with equal records: one row, counted in repeats', async () => {
    const nameless = '{"host_name":"nameless"}';
    const { manifest } = await seal({
      snapshot: first,
      atRest: true,
      pages: [
        { records: [nodeText('a'), nodeText('a'), ...many.records, nameless] },
        { records: [nameless, nodeText('a'), nameless] },
      ],
    });
    // The second page's first record is the anchor: the same position.
    expect(manifest).toMatchObject({ rows: 301, rejects: 1, evidence: { repeats: 3 } });
  });

  test('three times, twice equal: each value is kept once', async () => {
    const { store, manifest } = await seal({
      snapshot: first,
      atRest: true,
      pages: [{ records: [a('one'), a('two'), a('one'), a('two')] }],
    });
    expect(manifest).toMatchObject({ rows: 1, rejects: 1, evidence: { repeats: 2 } });
    expect(rejectsOf(store, manifest)[0]?.record.host_name).toBe('one');
  });

  test('in an earlier pass only is not a duplicate, and counts once in the last pass', async () => {
    const page = { records: [a('one'), a('two'), nodeText('b')] };
    const { store, manifest } = await seal({
      snapshot: first,
      atRest: true,
      pages: [
        { records: [nodeText('gone'), nodeText('gone', { host_name: 'x' }), ...page.records] },
        { ...page, pass: 2, from: 'start' },
      ],
    });
    expect(manifest).toMatchObject({ rows: 3, rejects: 1, evidence: { repeats: 0 } });
    expect(rejectsOf(store, manifest)[0]?.record.host_name).toBe('one');
  });

  test('does not count towards the limit of rejects, and seals the same bytes again', async () => {
    const twice = many.records.map((text) => text.replace('online', 'offline'));
    const { manifest, ports, stored, clock, store } = await seal({
      snapshot: first,
      atRest: true,
      pages: [{ records: [...many.records, ...twice] }],
    });
    expect(manifest).toMatchObject({ rows: 300, rejects: 300, verdict: 'complete' });
    // createRecordedStore fails if a part is written with other bytes.
    for (const keyOf of [headKey, latestKey]) await store.delete(keyOf(stored.target));
    await store.delete(manifestKey(stored.target, first));
    const again = await clock.run(sealStored(ports, stored));
    expect(again.manifest).toEqual(manifest);
  });
});
