// Tests that a dataset with another envelope needs only its own definition: its list is fetched, read, stored and sealed.

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createSource } from '../../lib/api/pages.ts';
import type { Column, Dataset } from '../../lib/core/ports.ts';
import { defineRecords, readListPage } from '../../lib/datasets/api-records.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';
import { openPartRows } from '../../lib/snapshots/part-rows.ts';
import { createTestExporter } from '../support/test-exporter.ts';
import { createTestScratch } from '../support/test-scratch.ts';

/** A file in lib/datasets would look like this. Fields: huaweicloudsdkhss 3.1.219, ListClusterProtect (read 2026-11-25). */
const containerClusters: Dataset = {
  ...defineRecords(
    [
      { name: 'id', type: 'string', isUnique: true },
      { name: 'cluster_name', type: 'string', isUnique: true },
      { name: 'cluster_type', type: 'string' },
      { name: 'status', type: 'string' },
      { name: 'total_nodes_number', type: 'int32' },
    ],
    'id',
    { datedStatuses: ['status'] },
  ),
  name: 'container_clusters',
  noun: 'container clusters',
  permission: 'hss:containers:list',
  schemaVersion: 1,
  limit: 3,
  offsetMax: 2_000_000,
  nameColumn: 'cluster_name',
  statusColumns: ['status'],
  countedColumns: ['status'],
  knownValues: { status: ['Available', 'Unavailable'] },
  path: (projectId) => `/v5/${projectId}/kubernetes/clusters`,
  query: ({ enterpriseProjectId }) =>
    enterpriseProjectId === null ? {} : { enterprise_project_id: enterpriseProjectId },
  parsePage: (body) => readListPage(body, 'cluster_info_list'),
};

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
    status: index === 6 ? 'Creating' : 'Available',
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
    '/v5/p1/kubernetes/clusters?enterprise_project_id=all_granted_eps&limit=3&offset=2',
  );
  const manifest = snapshots[0]?.manifest;
  expect(manifest).toMatchObject({
    table: 'container_clusters',
    verdict: 'complete',
    rows: 7,
    values: { status: { Available: 6, Creating: 1 } },
    unknownValues: { status: { Creating: 1 } },
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
