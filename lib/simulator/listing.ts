// Responsible for ListContainerNodes (query parameters, filters and the page) and for the statistics of the nodes.

import type { NodeList } from './node-list.ts';
import { enterpriseProjectIdOf, type Flavour, type NodeRecord } from './nodes.ts';

const hostNameMax = 128;
const allProjects = 'all_granted_eps';
/** The class of nodes that the statistics do not count. */
const elsewhere = 255;
/** The values that a query may filter by. */
const filterValues = {
  agent: ['installed', 'not_installed', 'online', 'offline', 'install_failed', 'installing'],
  protect: ['closed', 'opened'],
  tags: ['cce', 'self', 'other'],
  containerNode: ['true', 'false'],
  version: [
    ...['hss.version.null', 'hss.version.basic', 'hss.version.advanced', 'hss.version.enterprise'],
    ...['hss.version.premium', 'hss.version.wtp', 'hss.version.container.enterprise'],
  ],
};

export interface Listing {
  limit: number;
  offset: number;
  /** Null: every node is listed. `name`: the same for equal filters. */
  filter: { name: string; matches: (node: NodeRecord) => boolean } | null;
}

/** Null: a parameter is invalid (HSS.0001). Unknown parameters are ignored. */
export function parseListing(query: URLSearchParams, flavour: Flavour): Listing | null {
  const limit = parseWhole(query.get('limit') ?? '10', 10, 200);
  const offset = parseWhole(query.get('offset') ?? '0', 0, 2_000_000);
  const hostName = query.get('host_name') ?? '';
  const agentStatus = query.get('agent_status');
  const protectStatus = query.get('protect_status');
  // The API reference of 2021-12-23 has none of the parameters below.
  const tags = flavour === 'hss' ? query.get('container_tags') : null;
  const version = flavour === 'hss' ? query.get('version') : null;
  // Assumed: without this parameter all nodes are listed. huaweicloudsdkhss 3.1.219 documents the default false, but not
  // whether that hides container nodes.
  const containerNode = flavour === 'hss' ? query.get('container_node') : null;
  const project = flavour === 'hss' ? (query.get('enterprise_project_id') ?? '0') : allProjects;
  if (limit === null || offset === null) return null;
  if ([...hostName].length > hostNameMax) return null;
  if (agentStatus !== null && !filterValues.agent.includes(agentStatus)) return null;
  if (protectStatus !== null && !filterValues.protect.includes(protectStatus)) return null;
  if (tags !== null && !filterValues.tags.includes(tags)) return null;
  if (version !== null && !filterValues.version.includes(version)) return null;
  if (containerNode !== null && !filterValues.containerNode.includes(containerNode)) return null;
  const matches = (node: NodeRecord) =>
    (hostName === '' || String(node.host_name ?? '').includes(hostName)) &&
    (agentStatus === null || matchesAgent(node.agent_status, agentStatus)) &&
    (protectStatus === null || node.protect_status === protectStatus) &&
    (tags === null || node.container_tags === tags) &&
    (version === null || node.version === version) &&
    (containerNode === null || (node.is_container_node === true) === (containerNode === 'true')) &&
    (project === allProjects || enterpriseProjectIdOf(node.enterprise_project_name) === project);
  const values = [hostName, agentStatus, protectStatus, tags, version, containerNode, project];
  const isOpen =
    hostName === '' && project === allProjects && values.slice(1, -1).every((v) => v === null);
  const name = JSON.stringify(values);
  return { limit, offset, filter: isOpen ? null : { name, matches } };
}

/** Null: not a whole number from `min` to `max`. */
export function parseWhole(text: string, min: number, max: number): number | null {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  return value >= min && value <= max ? value : null;
}

/** The same state has two names: `not_installed` in requests, `not_register` in the responses of 2021. */
function matchesAgent(value: unknown, wanted: string): boolean {
  const isInstalled = value === 'online' || value === 'offline';
  if (wanted === 'installed') return isInstalled;
  return value === wanted || (wanted === 'not_installed' && value === 'not_register');
}

/**
 * The response body of the statistics.
 * Source: huaweicloudsdkhss 3.1.219, ShowContainerNodeStatistics, read 2026-11-25.
 */
export function countNodes(list: NodeList, query: URLSearchParams): string {
  const project = query.get('enterprise_project_id') ?? '0';
  const [open, bare, ofCluster] = [2, 4, 8];
  const classify = (node: NodeRecord) => {
    if (
      project !== allProjects &&
      enterpriseProjectIdOf(node.enterprise_project_name) !== project
    ) {
      return elsewhere;
    }
    return (
      1 +
      (node.protect_status === 'opened' ? open : 0) +
      (node.agent_status === 'not_installed' ? bare : 0) +
      (node.container_tags === 'cce' ? ofCluster : 0)
    );
  };
  const counts = { all: 0, open: 0, bare: 0, bareOfClusters: 0 };
  list.visitClasses(`statistics of ${project}`, classify, (traits) => {
    if (traits === elsewhere) return;
    counts.all += 1;
    if (traits & open) counts.open += 1;
    if (traits & bare) counts.bare += 1;
    if (traits & bare && traits & ofCluster) counts.bareOfClusters += 1;
  });
  return JSON.stringify({
    unprotected_num: counts.all - counts.open,
    protected_num: counts.open,
    protected_num_on_demand: counts.open,
    protected_num_packet_cycle: 0,
    cluster_node_not_installed_num: counts.bareOfClusters,
    not_cluster_node_not_installed_num: counts.bare - counts.bareOfClusters,
  });
}

/** The response body. */
export function renderPage(list: NodeList, listing: Listing): string {
  const { total, page } = renderList(list, listing);
  return JSON.stringify({ total_num: total, data_list: page });
}

/** `total`: how many records match the filter. */
export function renderList(
  list: NodeList,
  { limit, offset, filter }: Listing,
): { total: number; page: NodeRecord[] } {
  if (!filter) return { total: list.length, page: list.slice(offset, offset + limit) };
  const [matching, other] = [1, 2];
  const page: NodeRecord[] = [];
  let total = 0;
  const classify = (node: NodeRecord) => (filter.matches(node) ? matching : other);
  list.visitClasses(filter.name, classify, (found, ordinal) => {
    if (found !== matching) return;
    if (total >= offset && total < offset + limit) page.push(list.read(ordinal));
    total += 1;
  });
  return { total, page };
}
