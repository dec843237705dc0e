// Tests how stored pages become sorted rows. Each test seals a run and reads the rows back.

import { expect, test } from 'vitest';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { first, linesOf, seal } from '../support/sealed-run.ts';
import { nodeText, pageTimeMs } from '../support/stored-run.ts';

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
