// Responsible for generated clusters and their list: every documented field, missing values, query parameters and the page.
// A cluster follows from the seed and its number.
// Source: huaweicloudsdkhss 3.1.219, ListKubernetesClusterDetails and KubernetesClusterInfo, read 2026-11-26.

import type { StatusChanges } from './drift.ts';
import { type Listing, parseWhole, renderList } from './listing.ts';
import type { NodeList } from './node-list.ts';
import { drawHex, formatUuid, type NodeMaker, type NodeRecord, setGappy } from './nodes.ts';
import { createSequence, drawInteger, drawOne } from './random.ts';

/** More than one cluster takes. */
const drawsPerCluster = 64;
const stems = ['cce-prod', '集群', 'self-built', 'batch-🚀', 'кластер'];
const types = ['cce', 'cce', 'cce', 'k8s', 'self_built_idc', 'aws'];
const statuses = ['Available', 'Available', 'Available', 'Unavailable', 'Upgrading', 'Empty'];
/** 2025-01-01T00:00:00Z: times do not depend on the clock. */
const firstMs = 1_735_689_600_000;
const yearMs = 365 * 86_400_000;

/** Every cluster has another id. */
export function createClusterMaker(seed: number): NodeMaker {
  const { next: random, seek } = createSequence(seed ^ 0x5c1057e4);
  return (ordinal) => {
    seek(ordinal * drawsPerCluster);
    const id = formatUuid(drawHex(random, 32));
    const nodes = drawInteger(random, 0, 400);
    const active = Math.max(0, nodes - drawInteger(random, 0, 3));
    const installed = drawInteger(random, 0, active);
    const record: NodeRecord = {
      id,
      cluster_name: `${drawOne(random, stems)}-${String(ordinal + 1).padStart(3, '0')}`,
      cluster_id: formatUuid(drawHex(random, 32)),
      cluster_type: drawOne(random, types),
      status: drawOne(random, statuses),
      version: `v1.${drawInteger(random, 23, 31)}`,
      total_nodes_number: nodes,
      active_nodes_number: active,
      creation_timestamp: firstMs + drawInteger(random, 0, yearMs),
      agent_installed_num: installed,
      agent_install_failed_num: 0,
      agent_not_install_num: active - installed,
      agent_ds_install_status: installed > 0 ? 'Installed' : 'NotInstall',
      agent_ds_failed_reason: '',
    };
    setGappy(record, random, 'last_operate_timestamp', firstMs + drawInteger(random, 0, yearMs));
    setGappy(record, random, 'last_scan_time', firstMs + drawInteger(random, 0, yearMs));
    for (const name of ['sys_vul_num', 'app_vul_num', 'emg_vul_num']) {
      record[name] = drawInteger(random, 0, 5_000);
    }
    // Sometimes more than 32 bits.
    record.risk_assess_num = random() < 0.05 ? 2 ** 33 + ordinal : drawInteger(random, 0, 90);
    record.sec_comp_num = drawInteger(random, 0, 90);
    return record;
  };
}

/** A cluster has no agent and no protection of its own, so that only these two kinds of drift change its status. */
export const clusterStatusChanges: StatusChanges = {
  offline: { field: 'status', from: ['Available'], fields: { status: 'Unavailable' } },
  online: { field: 'status', from: ['Unavailable'], fields: { status: 'Available' } },
};

const agentFields = [
  ...['agent_installed_num', 'agent_install_failed_num', 'agent_not_install_num'],
  ...['agent_ds_install_status', 'agent_ds_failed_reason', 'last_operate_timestamp'],
];

export interface ClusterListing extends Listing {
  loadsAgents: boolean;
}

/** Null: a parameter is invalid (HSS.0001). Unknown parameters are ignored. */
export function parseClusterListing(query: URLSearchParams): ClusterListing | null {
  const limit = parseWhole(query.get('limit') ?? '10', 10, 200);
  const offset = parseWhole(query.get('offset') ?? '0', 0, 2_000_000);
  const clusterName = query.get('cluster_name') ?? '';
  const loadsAgents = query.get('load_agent_info') ?? 'false';
  const project = query.get('enterprise_project_id') ?? '0';
  if (limit === null || offset === null || !['true', 'false'].includes(loadsAgents)) return null;
  // Assumed: a cluster belongs to the default enterprise project. It has no field about that.
  const isListed = ['0', 'all_granted_eps'].includes(project);
  const matches = (cluster: NodeRecord) =>
    isListed && String(cluster.cluster_name ?? '').includes(clusterName);
  const name = JSON.stringify([clusterName, isListed]);
  const filter = isListed && clusterName === '' ? null : { name, matches };
  return { limit, offset, filter, loadsAgents: loadsAgents === 'true' };
}

/** The response body. */
export function renderClusters(list: NodeList, listing: ClusterListing, nowMs: number): string {
  const { total, page } = renderList(list, listing);
  return JSON.stringify({
    total_num: total,
    last_update_time: nowMs,
    cluster_info_list: listing.loadsAgents ? page : page.map(withoutAgents),
  });
}

function withoutAgents(cluster: NodeRecord): NodeRecord {
  const entries = Object.entries(cluster).filter(([name]) => !agentFields.includes(name));
  return Object.fromEntries(entries);
}
