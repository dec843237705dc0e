// Responsible for ListContainerNodes: query parameters, filters and the page.

import { stringifyExact } from '../core/exact-json.ts';
import { enterpriseProjectIdOf, type Flavour, type NodeRecord } from './nodes.ts';

const limitMin = 10;
const limitMax = 200;
const offsetMax = 2_000_000;
const hostNameMax = 128;
const agentStatuses = [
  'installed',
  'not_installed',
  'online',
  'offline',
  'install_failed',
  'installing',
];

export interface Listing {
  limit: number;
  offset: number;
  matches: (node: NodeRecord) => boolean;
}

/** Null: a parameter is invalid (HSS.0001). Unknown parameters are ignored. */
export function parseListing(query: URLSearchParams, flavour: Flavour): Listing | null {
  const limit = parseWhole(query.get('limit') ?? '10', limitMin, limitMax);
  const offset = parseWhole(query.get('offset') ?? '0', 0, offsetMax);
  const hostName = query.get('host_name') ?? '';
  const agentStatus = query.get('agent_status');
  const protectStatus = query.get('protect_status');
  // The API reference of 2021-12-23 has neither of these two parameters.
  const tags = flavour === 'hss' ? query.get('container_tags') : null;
  const project = flavour === 'hss' ? (query.get('enterprise_project_id') ?? '0') : allProjects;
  if (limit === null || offset === null) return null;
  if ([...hostName].length > hostNameMax) return null;
  if (agentStatus !== null && !agentStatuses.includes(agentStatus)) return null;
  if (protectStatus !== null && !['closed', 'opened'].includes(protectStatus)) return null;
  if (tags !== null && !['cce', 'self', 'other'].includes(tags)) return null;
  const matches = (node: NodeRecord) =>
    (hostName === '' || String(node.host_name ?? '').includes(hostName)) &&
    (agentStatus === null || matchesAgent(node.agent_status, agentStatus)) &&
    (protectStatus === null || node.protect_status === protectStatus) &&
    (tags === null || node.container_tags === tags) &&
    (project === allProjects || enterpriseProjectIdOf(node.enterprise_project_name) === project);
  return { limit, offset, matches };
}

const allProjects = 'all_granted_eps';

function parseWhole(text: string, min: number, max: number): number | null {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  return value >= min && value <= max ? value : null;
}

/** The same state has two names: `not_installed` in requests, `not_register` in the responses of 2021. */
function matchesAgent(value: unknown, wanted: string): boolean {
  const isInstalled = value === 'online' || value === 'offline';
  if (wanted === 'installed') return isInstalled;
  return value === wanted || (wanted === 'not_installed' && value === 'not_register');
}

/** The response body. RawNumber values keep their digits. */
export function renderPage(list: readonly NodeRecord[], listing: Listing): string {
  // A record that is not an object has no fields to filter by, so it matches every filter.
  const found = list.filter((node) =>
    typeof node === 'object' && node !== null ? listing.matches(node) : true,
  );
  const page = found.slice(listing.offset, listing.offset + listing.limit);
  return stringifyExact({ total_num: found.length, data_list: page });
}
