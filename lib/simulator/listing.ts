// Owns ListContainerNodes: its parameters, filters and page. Refuses to change the list it reads.

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

/** Null: invalid, to be answered with HSS.0001. Unknown parameters are ignored. */
export function parseListing(query: URLSearchParams, flavour: Flavour): Listing | null {
  const limit = parseWhole(query.get('limit') ?? '10', limitMin, limitMax);
  const offset = parseWhole(query.get('offset') ?? '0', 0, offsetMax);
  const hostName = query.get('host_name') ?? '';
  const agentStatus = query.get('agent_status');
  const protectStatus = query.get('protect_status');
  // The reference of 2021 knows neither of these two.
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

/** One state has two names: requests say not_installed, answers of 2021 say not_register. */
function matchesAgent(value: unknown, wanted: string): boolean {
  const isInstalled = value === 'online' || value === 'offline';
  if (wanted === 'installed') return isInstalled;
  return value === wanted || (wanted === 'not_installed' && value === 'not_register');
}

/** Numbers given as RawNumber keep their digits. */
export function renderPage(list: readonly NodeRecord[], listing: Listing): string {
  // A record that is no object has no fields to filter by.
  const found = list.filter((node) =>
    typeof node === 'object' && node !== null ? listing.matches(node) : true,
  );
  const page = found.slice(listing.offset, listing.offset + listing.limit);
  return stringifyExact({ total_num: found.length, data_list: page });
}
