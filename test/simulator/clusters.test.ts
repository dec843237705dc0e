// Tests the list of clusters of the local endpoint: its records, its query, and that quota, faults and drift are its own.

import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import { afterEach, expect, test } from 'vitest';
import { createClusterMaker, parseClusterListing } from '../../lib/simulator/clusters.ts';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ quota: null, ...options });
  stops.push(simulator.stop);
  const { url, ak, sk, projectId } = simulator;
  const ask = async (path: string) => {
    const target = new URL(`${url}/v5/${projectId}${path}`);
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const headers = AKSKSigner.sign(
      {
        method: 'GET',
        endpoint: url + target.pathname,
        queryParams: Object.fromEntries(target.searchParams),
        headers: { 'X-Sdk-Date': date },
      } as never,
      { getAk: () => ak, getSk: () => sk } as never,
    ) as Record<string, string>;
    const response = await fetch(target, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { simulator, ask };
}

test('a cluster follows from the seed and its number', () => {
  const [one, other] = [createClusterMaker(1), createClusterMaker(1)];
  const ids = Array.from({ length: 300 }, (_, ordinal) => one(ordinal).id);
  expect(new Set(ids).size).toBe(300);
  expect(other(250)).toEqual(one(250));
  expect(createClusterMaker(2)(250).id).not.toBe(one(250).id);
});

test('lists the clusters in pages, with what agents say only on request', async () => {
  const { ask, simulator } = await start({ clusters: 25 });
  const first = await ask('/kubernetes/clusters?limit=20&offset=0&load_agent_info=true');
  expect(first).toMatchObject({ status: 200, body: { total_num: 25 } });
  expect(first.body.cluster_info_list).toEqual(simulator.clusters().slice(0, 20));
  const rest = await ask('/kubernetes/clusters?limit=20&offset=20');
  const [cluster] = rest.body.cluster_info_list as object[];
  expect(cluster).toHaveProperty('status');
  expect(cluster).not.toHaveProperty('agent_ds_install_status');
  expect(rest.body.cluster_info_list).toHaveLength(5);
  expect(simulator.stats().ofClusters).toMatchObject({ requests: 2, pages: 2 });
  expect(simulator.stats()).toMatchObject({ nodeRequests: 0, pages: 0 });
});

test.each([
  ['limit=9', null],
  ['offset=2000001', null],
  ['load_agent_info=yes', null],
  ['', { limit: 10, offset: 0, filter: null, loadsAgents: false }],
  ['enterprise_project_id=all_granted_eps&limit=200', { limit: 200, filter: null }],
])('the query "%s"', (query, expected) => {
  const listing = parseClusterListing(new URLSearchParams(query));
  if (expected === null) expect(listing).toBeNull();
  else expect(listing).toMatchObject(expected);
});

test('filters by name, and lists nothing of another enterprise project', async () => {
  const { ask, simulator } = await start({ clusters: 40 });
  const name = String(simulator.clusters()[3]?.cluster_name);
  const byName = await ask(`/kubernetes/clusters?cluster_name=${encodeURIComponent(name)}`);
  expect(byName.body.total_num).toBe(1);
  const other = await ask('/kubernetes/clusters?enterprise_project_id=1');
  expect(other.body).toMatchObject({ total_num: 0, cluster_info_list: [] });
});

test('has a quota and faults of its own', async () => {
  const { ask, simulator } = await start({
    quota: { requests: 2, windowSeconds: 60 },
    faults: [{ kind: '500', at: 2 }],
  });
  const statuses: number[] = [];
  for (const path of ['/kubernetes/clusters', '/container/nodes']) {
    for (let i = 0; i < 3; i += 1) statuses.push((await ask(path)).status);
  }
  expect(statuses).toEqual([200, 500, 429, 200, 500, 429]);
  expect(simulator.stats()).toMatchObject({
    throttled: 1,
    ofClusters: { throttled: 1, faults: 1 },
  });
  expect(simulator.clusterRequests().map(({ status }) => status)).toEqual([200, 500, 429]);
});

test('drifts after its own requests', async () => {
  const { ask, simulator } = await start({
    clusters: 30,
    drift: { insertsPerRequest: 1, offlinePerRequest: 1, closedPerRequest: 1 },
  });
  const before = simulator.clusters();
  const nodes = simulator.nodes();
  await ask('/kubernetes/clusters');
  const after = simulator.clusters();
  expect(after).toHaveLength(31);
  const gone = after.filter(({ id, status }) => {
    const earlier = before.find((one) => one.id === id);
    return earlier?.status === 'Available' && status === 'Unavailable';
  });
  expect(gone).toHaveLength(1);
  expect(simulator.nodes()).toEqual(nodes);
  expect(simulator.stats().ofClusters).toMatchObject({ inserted: 1, offline: 1, closed: 0 });
});

test('the API of 2021 has no such list', async () => {
  const { ask } = await start({ flavour: 'cgs' });
  expect((await ask('/kubernetes/clusters')).status).toBe(404);
});
