// Tests the columns of a cluster, and that a dataset with another envelope needs only its own definition: its list is
// fetched, read, stored and sealed.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createSource } from '../../lib/api/pages.ts';
import { openChangeOutput } from '../../lib/cli/change-output.ts';
import { parseExact } from '../../lib/core/exact-json.ts';
import type { Cell, Column, Dataset, Row, RowContext } from '../../lib/core/ports.ts';
import { containerClusters as wholeDataset } from '../../lib/datasets/container-clusters.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { changeColumns, listChanges } from '../../lib/snapshots/changes.ts';
import { openPartRows } from '../../lib/snapshots/part-rows.ts';
import { createTestExporter } from '../support/test-exporter.ts';
import { createTestScratch } from '../support/test-scratch.ts';

/** Three records a page, so that a list has several pages. */
const containerClusters: Dataset = { ...wholeDataset, limit: 3 };

function createClusterWorld(answer: (offset: number, limit: number) => object) {
  const world = createTestExporter();
  const requested: string[] = [];
  const target = world.createTarget({
    table: 'container_clusters',
    dataset: containerClusters,
    openSource: (projectId) =>
      createSource({
        dataset: containerClusters,
        scope: { api: 'hss', enterpriseProjectId: 'all_granted_eps', filters: {} },
        endpoint: 'https://hss.example',
        region: 'cn-south-4',
        projectId,
        credentials: async () => ({ kind: 'aksk', ak: 'AK', sk: 'SK' }),
        fetch: async (url) => {
          const { pathname, searchParams } = new URL(String(url));
          requested.push(`${pathname}?${searchParams}`);
          const page = answer(
            Number(searchParams.get('offset')),
            Number(searchParams.get('limit')),
          );
          return new Response(JSON.stringify(page));
        },
        clock: world.clock,
        scrubber: createScrubber(),
        log: () => {},
        backoffMs: 0,
        windowMs: world.quota.windowMs,
      }),
  });
  return { ...world, target, requested };
}

test('seals every cluster, with the columns of the dataset', async () => {
  const clusters = Array.from({ length: 7 }, (_, index) => ({
    id: `c${index}`,
    cluster_name: `name ${index}`,
    status: index === 6 ? 'Sleeping' : 'Available',
    total_nodes_number: index,
    new_field: true,
  }));
  const { exportNow, store, target, requested } = createClusterWorld((offset, limit) => ({
    total_num: clusters.length,
    last_update_time: 1_795_500_000_000,
    cluster_info_list: clusters.slice(offset, offset + limit),
  }));
  const { status, errors, snapshots } = await exportNow({ targets: [target] });
  expect({ status, errors }).toEqual({ status: 'sealed', errors: [] });
  expect(requested[1]).toBe(
    '/v5/p1/kubernetes/clusters?load_agent_info=true&enterprise_project_id=all_granted_eps&limit=3&offset=2',
  );
  const manifest = snapshots[0]?.manifest;
  expect(manifest).toMatchObject({
    table: 'container_clusters',
    verdict: 'complete',
    rows: 7,
    values: {
      status: { Available: 6, Sleeping: 1 },
      agent_ds_install_status: {},
      cluster_type: {},
    },
    unknownValues: { status: { Sleeping: 1 } },
    unknownFields: ['new_field'],
  });
  const [state] = await readStatus(store, null, [target]);
  expect(state?.last).toMatchObject({ rows: 7, unprotected: null, offline: null });
  const part = manifest?.parts.find(({ format }) => format === 'ndjson');
  const lines = gunzipSync(store.dump().get(part?.key ?? '')?.bytes ?? new Uint8Array());
  const rows = lines
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ id }) => id)).toEqual(clusters.map(({ id }) => id));
  expect(rows[2]).toMatchObject({
    region: 'cn-south-4',
    cluster_name: 'name 2',
    cluster_type: null,
    status: 'Available',
    total_nodes_number: 2,
    extra: '{"new_field":true}',
  });
});

test('compares its snapshots by its own key and statuses, and dates them', async () => {
  const statuses = new Map([
    ['c1', 'Available'],
    ['c2', 'Available'],
    ['c3', 'Unavailable'],
  ]);
  const { exportNow, store, target, clock } = createClusterWorld((offset, limit) => ({
    total_num: statuses.size,
    cluster_info_list: [...statuses]
      .map(([id, status]) => ({ id, status }))
      .slice(offset, offset + limit),
  }));
  await exportNow({ targets: [target] });
  clock.advance(24 * 3_600_000);
  statuses.delete('c1');
  statuses.set('c2', 'Unavailable');
  statuses.set('c4', 'Available');
  const { snapshots, errors } = await exportNow({ targets: [target] });
  expect(errors).toEqual([]);
  const manifest = snapshots[0]?.manifest;
  expect(manifest?.changes).toMatchObject({ added: 1, removed: 1, changed: 1 });
  const read = async (role: 'rows' | 'changes', columns: readonly Column[]) => {
    const part = manifest?.parts.find((one) => one.role === role && one.format === 'parquet');
    if (!part) throw new Error(`no part with ${role}`);
    const options = { store, scratch: createTestScratch(), decoder: parquetDecoder, columns };
    const opened = await openPartRows(part, { ...options, keyColumn: 'id' });
    const rows: object[] = [];
    for await (const batch of opened.readBatches()) {
      rows.push(
        ...batch.map((row) => Object.fromEntries(columns.map(({ name }, c) => [name, row[c]]))),
      );
    }
    await opened.close();
    return rows;
  };
  const second = Date.UTC(2026, 10, 25, 6);
  const first = second - 24 * 3_600_000;
  const rows = await read('rows', containerClusters.columns);
  const dates = ['id', 'first_seen_at', 'status_since'];
  expect(rows.map((row) => dates.map((name) => (row as Record<string, unknown>)[name]))).toEqual([
    ['c2', first, second],
    ['c3', first, first],
    ['c4', second, second],
  ]);
  expect(await read('changes', changeColumns(containerClusters))).toMatchObject([
    { id: 'c1', change: 'removed', status_before: 'Available', status: null },
    {
      ...{ id: 'c2', change: 'changed', status_before: 'Available', status: 'Unavailable' },
      ...{ changed_columns: '["status"]', before: '{"status":"Available"}' },
    },
    { id: 'c4', change: 'added', status_before: null, status: 'Available' },
  ]);
});

test('names its own records in the error about a body that is not a page', async () => {
  const { exportNow, target } = createClusterWorld(() => ({ total_num: 1, data_list: [] }));
  const { errors } = await exportNow({ targets: [target] });
  expect(errors).toMatchObject([
    {
      code: 'NOT_A_PAGE',
      message:
        'Expected an answer from the container clusters API, but received a JSON object with the fields ' +
        'total_num, data_list: total_num is 1 without cluster_info_list',
    },
  ]);
});

const context: RowContext = {
  snapshotAtMs: Date.UTC(2026, 10, 24, 6),
  fetchedAtMs: Date.UTC(2026, 10, 24, 6, 0, 13, 5),
  verdict: 'complete',
  account: 'prod',
  region: 'cn-south-4',
  projectId: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
};

/** The cells that are not null, by column. */
function normalize(record: unknown): Record<string, Cell> {
  const row = wholeDataset.normalize(record as Record<string, unknown>, context);
  expect(row).toHaveLength(wholeDataset.columns.length);
  const cells = wholeDataset.columns.map(({ name }, c) => [name, row[c] as Cell] as const);
  return Object.fromEntries(cells.filter(([, cell]) => cell !== null));
}

test('reads the fixture, with all digits of its numbers', () => {
  const text = readFileSync(
    join(import.meta.dirname, '../fixtures/container-clusters.json'),
    'utf8',
  );
  const { body } = parseExact(text) as { body: unknown };
  const page = wholeDataset.parsePage(body);
  if (typeof page === 'string') throw new Error(page);
  const [first, second] = page.records.map(normalize);
  expect(page.totalNum).toBe(2);
  expect(first).toMatchObject({
    id: '5c2f0b1e-3d7a-4a54-8f7e-0c6f3a9d1b22',
    cluster_name: 'cce-生产',
    total_nodes_number: '12',
    creation_timestamp: 1_735_689_600_123,
    last_scan_time: 1_764_050_400_000,
    app_vul_num: '9007199254740993',
    agent_ds_failed_reason: '',
  });
  expect(first).not.toHaveProperty('extra');
  expect(Object.keys(second ?? {}).slice(6)).toEqual(['id', 'cluster_name']);
});

describe('a whole number of 64 bits', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['-1', '-1'],
    ['5.0', '5'],
    ['1e2', '100'],
    ['12.50e1', '125'],
    ['120e-1', '12'],
    ['0.05e2', '5'],
    ['-0.00000000000000000000000000000000000012e39', '-120'],
    ['0.0e-999', '0'],
    ['9007199254740992', '9007199254740992'],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9.223372036854775807e18', '9223372036854775807'],
    ['9223372036854775808', undefined],
    ['-9223372036854775809', undefined],
    ['12345678901234567890123456789012345678901234567890', undefined],
    ['1e19', undefined],
    ['1e400', undefined],
    ['1e999999999', undefined],
    ['5.5', undefined],
    ['9007199254740993.5', undefined],
    ['5.00000000000000000000001', undefined],
    ['1e-400', undefined],
    ['"5"', undefined],
    ['true', undefined],
    ['[5]', undefined],
  ])('%s', (json, digits) => {
    const cells = normalize(parseExact(`{"sec_comp_num":${json}}`));
    expect(cells.sec_comp_num).toBe(digits);
    expect(cells.extra).toBe(digits === undefined ? `{"sec_comp_num":${json}}` : undefined);
  });
});

test.each([
  ['0', 0],
  ['-1', -1],
  ['1764050400000', 1_764_050_400_000],
  ['1764050400000.0', 1_764_050_400_000],
  ['253402300799999', 253_402_300_799_999],
  ['-62167219200000', -62_167_219_200_000],
  ['253402300800000', undefined],
  ['-62167219200001', undefined],
  ['1764050400000.5', undefined],
  ['9223372036854775807', undefined],
  ['"1764050400000"', undefined],
  ['"2025-11-25T06:00:00Z"', undefined],
  ['true', undefined],
])('reads %s as a time', (json, timeMs) => {
  const cells = normalize(parseExact(`{"last_scan_time":${json}}`));
  expect(cells.last_scan_time).toBe(timeMs);
  expect(cells.extra).toBe(timeMs === undefined ? `{"last_scan_time":${json}}` : undefined);
});

test('the request loads what agents say, and covers the enterprise project', () => {
  expect(wholeDataset.path('a/b')).toBe('/v5/a%2Fb/kubernetes/clusters');
  const scope = { api: 'hss', filters: {} } as const;
  expect(wholeDataset.query({ ...scope, enterpriseProjectId: null })).toEqual({
    load_agent_info: 'true',
  });
  expect(wholeDataset.query({ ...scope, enterpriseProjectId: '0' })).toEqual({
    load_agent_info: 'true',
    enterprise_project_id: '0',
  });
});

test('a change of a number that a double cannot hold has all its digits, in JSON and in the table', async () => {
  const rowOf = (digits: string) =>
    wholeDataset.normalize(
      parseExact(`{"id":"c1","cluster_name":"n","app_vul_num":${digits}}`) as Record<
        string,
        unknown
      >,
      context,
    );
  const { columns } = wholeDataset;
  const toRows = (digits: string) => ({
    columns,
    batches: (async function* () {
      yield [rowOf(digits)];
    })(),
  });
  const { snapshotAtMs, account, region, projectId } = context;
  const place = { snapshotAtMs, previousSnapshotAtMs: 0, account, region, projectId };
  const found: Row[] = [];
  const compared = listChanges(
    wholeDataset,
    toRows('9007199254740993'),
    toRows('9007199254740992'),
    place,
  );
  for await (const { changes } of compared) found.push(...changes);
  const all = changeColumns(wholeDataset);
  const indexOf = (name: string) => all.findIndex((column) => column.name === name);
  expect(['before', 'after'].map((name) => found[0]?.[indexOf(name)])).toEqual([
    '{"app_vul_num":9007199254740993}',
    '{"app_vul_num":9007199254740992}',
  ]);
  const output = openChangeOutput('table', wholeDataset, all, null);
  output.openTarget('');
  expect(output.formatRows(found)).toContain('app_vul_num: 9007199254740993 → 9007199254740992');
});
