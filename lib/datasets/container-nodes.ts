// Responsible for the dataset `container_nodes`: where its list is, and the columns of a node.

import type { Dataset, ListScope, OwnCount } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import { type ApiField, defineRecords, readListPage } from './api-records.ts';

/**
 * Fields of one node, in column order. All are optional in the API.
 * Sources: "容器安全服务 API 参考" (2021-12-23), table 3-5 ContainerNodeInfo, for host_id to protect_status; the HSS API's
 * ListContainerNodes response for agent_id to policy_group_name, both read 2026-11-24; the SDK huaweicloudsdkhss 3.1.219,
 * ContainerNodeInfo, for is_container_node and version (the protection edition), read 2026-11-25.
 */
const fields: readonly ApiField[] = [
  { name: 'host_id', type: 'string', isUnique: true },
  { name: 'host_name', type: 'string', isUnique: true },
  { name: 'host_status', type: 'string' },
  { name: 'agent_status', type: 'string' },
  { name: 'protect_status', type: 'string' },
  { name: 'agent_id', type: 'string', isUnique: true },
  { name: 'protect_interrupt', type: 'boolean' },
  { name: 'protect_degradation', type: 'boolean' },
  { name: 'degradation_reason', type: 'string' },
  { name: 'container_tags', type: 'string' },
  { name: 'private_ip', type: 'string', isUnique: true },
  { name: 'public_ip', type: 'string', isUnique: true },
  { name: 'resource_id', type: 'string', isUnique: true },
  { name: 'group_name', type: 'string' },
  { name: 'enterprise_project_name', type: 'string' },
  { name: 'detect_result', type: 'string' },
  { name: 'asset', type: 'int32' },
  { name: 'vulnerability', type: 'int32' },
  { name: 'intrusion', type: 'int32' },
  { name: 'policy_group_id', type: 'string' },
  { name: 'policy_group_name', type: 'string' },
  { name: 'is_container_node', type: 'boolean' },
  { name: 'version', type: 'string' },
];

const records = defineRecords(fields, 'host_id', {
  addedAfter: { agent_status: { name: 'agent_status_raw', type: 'string' } },
  datedStatuses: ['agent_status', 'protect_status'],
});
const statusIndex = records.columns.findIndex(({ name }) => name === 'agent_status');
const rawStatusIndex = statusIndex + 1;

/** Protection editions, in responses and in the filter. Source: huaweicloudsdkhss 3.1.219, read 2026-11-25. */
export const protectionEditions = [
  'hss.version.null',
  'hss.version.basic',
  'hss.version.advanced',
  'hss.version.enterprise',
  'hss.version.premium',
  'hss.version.wtp',
  'hss.version.container.enterprise',
] as const;

/** The query parameter of each filter that the configuration knows. None is sent unless it is configured. */
const filterParameters = {
  hostName: 'host_name',
  agentStatus: 'agent_status',
  protectStatus: 'protect_status',
  containerTags: 'container_tags',
  version: 'version',
  containerNode: 'container_node',
};

export type NodeFilters = {
  [name in keyof typeof filterParameters]?:
    | (name extends 'containerNode' ? boolean : string)
    | undefined;
};

/**
 * Protected and unprotected nodes together.
 * Source: huaweicloudsdkhss 3.1.219, ShowContainerNodeStatistics, read 2026-11-25.
 */
const nodeStatistics: OwnCount = {
  path: (projectId) => `/v5/${encodeURIComponent(projectId)}/container/node-statistics`,
  query: ({ enterpriseProjectId }) =>
    enterpriseProjectId === null ? {} : { enterprise_project_id: enterpriseProjectId },
  read(body) {
    const { protected_num: open, unprotected_num: closed } = asRecord(body);
    return typeof open === 'number' && typeof closed === 'number' ? open + closed : null;
  },
};

/**
 * The nodes of container clusters, and the hosts, that the service knows.
 * Source of `limit`, `offsetMax` and `knownValues`: the HSS API's ListContainerNodes and the 2021 reference's tables
 * 3-2 and 3-5, read 2026-11-24. Source of `permission`: HSS API Reference, "Actions Supported by Policy-based
 * Authorization", read 2026-11-24.
 */
export const containerNodes: Dataset = {
  ...records,
  name: 'container_nodes',
  noun: 'container nodes',
  listed: 'nodes',
  permission: 'hss:containers:list (HSS ReadOnlyAccess)',
  apis: ['cgs', 'hss'],
  schemaVersion: 1,
  limit: 200,
  offsetMax: 2_000_000,
  nameColumn: 'host_name',
  statusColumns: ['agent_status', 'protect_status', 'host_status'],
  countedColumns: ['agent_status', 'protect_status', 'host_status', 'is_container_node'],
  knownValues: {
    host_status: ['ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR'],
    agent_status: [
      'not_installed',
      'online',
      'offline',
      'installed',
      'install_failed',
      'installing',
    ],
    protect_status: ['closed', 'opened'],
    container_tags: ['cce', 'self', 'other'],
    detect_result: ['undetected', 'clean', 'risk', 'scanning'],
    version: protectionEditions,
  },
  path: (projectId) => `/v5/${encodeURIComponent(projectId)}/container/nodes`,
  query({ api, enterpriseProjectId, filters }: ListScope) {
    const query: Record<string, string> = {};
    for (const [filter, parameter] of Object.entries(filterParameters)) {
      const value = filters[filter];
      if (value !== undefined) query[parameter] = String(value);
    }
    if (api === 'hss' && enterpriseProjectId !== null) {
      query.enterprise_project_id = enterpriseProjectId;
    }
    return query;
  },
  parsePage: (body) => readListPage(body, 'data_list'),
  ownCount: nodeStatistics,
  normalize(record, context) {
    const row = records.normalize(record, context);
    const status = row[statusIndex] ?? null;
    row[rawStatusIndex] = status;
    // One state with two names: the 2021 reference returns not_register (table 3-5), but filters by not_installed (table 3-2).
    if (status === 'not_register') row[statusIndex] = 'not_installed';
    return row;
  },
};
