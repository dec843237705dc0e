// Tests that a dataset with another envelope needs only its own definition: its list is fetched, read, stored and sealed.

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createSource } from '../../lib/api/pages.ts';
import type { Dataset } from '../../lib/core/ports.ts';
import { defineRecords, readListPage } from '../../lib/datasets/api-records.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createTestExporter } from '../support/test-exporter.ts';

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
