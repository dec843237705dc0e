// Responsible for the dataset `container_clusters`: where its list is, and the columns of a cluster.

import type { Dataset } from '../core/ports.ts';
import { type ApiField, defineRecords, readListPage } from './api-records.ts';

/**
 * Fields of one cluster, in column order. All are optional in the API. Its whole numbers have 64 bits.
 * Source: the SDK huaweicloudsdkhss 3.1.219, KubernetesClusterInfo, read 2026-11-26. Assumed: times are milliseconds since
 * 1970-01-01T00:00:00Z, as in the other lists of this service. The SDK says only that they are time stamps.
 */
const fields: readonly ApiField[] = [
  { name: 'id', type: 'string', isUnique: true },
  { name: 'cluster_name', type: 'string', isUnique: true },
  { name: 'cluster_id', type: 'string', isUnique: true },
  { name: 'cluster_type', type: 'string' },
  { name: 'status', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'total_nodes_number', type: 'int64' },
  { name: 'active_nodes_number', type: 'int64' },
  { name: 'creation_timestamp', type: 'timestampMs' },
  { name: 'agent_installed_num', type: 'int64' },
  { name: 'agent_install_failed_num', type: 'int64' },
  { name: 'agent_not_install_num', type: 'int64' },
  { name: 'agent_ds_install_status', type: 'string' },
  { name: 'agent_ds_failed_reason', type: 'string' },
  { name: 'last_operate_timestamp', type: 'timestampMs' },
  { name: 'last_scan_time', type: 'timestampMs' },
  { name: 'sys_vul_num', type: 'int64' },
  { name: 'app_vul_num', type: 'int64' },
  { name: 'emg_vul_num', type: 'int64' },
  { name: 'risk_assess_num', type: 'int64' },
  { name: 'sec_comp_num', type: 'int64' },
];

const statuses = ['status', 'agent_ds_install_status'];

/**
 * The Kubernetes clusters that the service knows. The API of 2021 has no such list.
 * Source of `limit`, `offsetMax`, `knownValues` and the query: huaweicloudsdkhss 3.1.219, ListKubernetesClusterDetails, read
 * 2026-11-26. Assumed: the role that lists nodes lists clusters too.
 */
export const containerClusters: Dataset = {
  ...defineRecords(fields, 'id', { datedStatuses: statuses }),
  name: 'container_clusters',
  noun: 'container clusters',
  listed: 'clusters',
  permission: 'HSS ReadOnlyAccess',
  apis: ['hss'],
  schemaVersion: 1,
  limit: 200,
  offsetMax: 2_000_000,
  nameColumn: 'cluster_name',
  statusColumns: statuses,
  countedColumns: [...statuses, 'cluster_type'],
  knownValues: {
    cluster_type: [
      ...['k8s', 'cce', 'ali', 'tencent', 'azure', 'aws'],
      ...['self_built_hw', 'self_built_idc'],
    ],
    status: [
      ...['Available', 'Unavailable', 'ScalingUp', 'ScalingDown', 'Creating', 'Deleting'],
      ...['Upgrading', 'Resizing', 'RollingBack', 'RollbackFailed', 'Empty'],
    ],
    agent_ds_install_status: ['NotInstall', 'Installed'],
  },
  path: (projectId) => `/v5/${encodeURIComponent(projectId)}/kubernetes/clusters`,
  query: ({ enterpriseProjectId }) => ({
    // Assumed: without it the fields about agents are missing. The SDK says only that it loads them.
    load_agent_info: 'true',
    ...(enterpriseProjectId === null ? {} : { enterprise_project_id: enterpriseProjectId }),
  }),
  parsePage: (body) => readListPage(body, 'cluster_info_list'),
};
