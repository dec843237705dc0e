// Responsible for what is wrong with one target whose settings are each valid: faults and warnings. Not responsible for its
// defaults, and for comparing targets.

import type { ConfigIssue } from '../core/errors.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { isServiceHost, regionOf } from './regional-host.ts';

interface GivenTarget {
  region: string;
  projectId?: string | undefined;
  endpoint?: string | undefined;
  iamEndpoint?: string | undefined;
  enterpriseProjectId?: string | undefined;
  filters?: Readonly<Record<string, unknown>> | undefined;
}

/** A host of another region would give the rows a wrong region. OBS is not checked: a bucket may be in another region. */
export function findForeignHosts(
  target: Pick<GivenTarget, 'region' | 'endpoint' | 'iamEndpoint'>,
  path: string,
): ConfigIssue[] {
  return (['endpoint', 'iamEndpoint'] as const).flatMap((name) => {
    const address = target[name];
    const named = address === undefined ? null : regionOf(new URL(address).hostname);
    if (named === null || named === target.region) return [];
    return {
      path: `${path}.${name}`,
      message: 'is a host of another region',
      hint: 'Correct the region or the address. Without an address, the one of the region is used.',
    };
  });
}

/**
 * The id of an enterprise project, `0` for the default one, or `all_granted_eps` for all.
 * Source: HSS API, ListContainerNodes, read 2026-11-24.
 */
const enterpriseProject = /^(0|all_granted_eps|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** Warnings: no document says that all ids have these forms. `hostname`: of the endpoint that is used. */
export function findOddIds(
  { projectId, enterpriseProjectId }: GivenTarget,
  hostname: string,
  path: string,
): ConfigIssue[] {
  if (!isServiceHost(hostname)) return [];
  const issues: ConfigIssue[] = [];
  if (projectId !== undefined && !/^[0-9a-f]{32}$/i.test(projectId)) {
    issues.push({
      path: `${path}.projectId`,
      message: 'is not 32 hex digits, as project ids are',
      hint: 'Copy the id from "My Credentials" in the console, or leave it out: IAM is then asked for it.',
    });
  }
  if (enterpriseProjectId !== undefined && !enterpriseProject.test(enterpriseProjectId)) {
    issues.push({
      path: `${path}.enterpriseProjectId`,
      message: 'is not a UUID, as ids of enterprise projects are',
      hint: 'Copy the id (not the name) from "Enterprise Project Management" in the console, or write all_granted_eps for all, or "0" for the default one.',
    });
  }
  return issues;
}

/** Filters of the API of 2021. Source: the 2021 reference, table 3-2. */
const cgsFilters = ['hostName', 'agentStatus'];
const cgsAgentStatuses = ['not_installed', 'online', 'offline'];

/** What the API of 2021 does not accept. */
export function findUnknownToCgs(
  { enterpriseProjectId, filters = {} }: GivenTarget,
  path: string,
): ConfigIssue[] {
  const names = Object.keys(filters).filter((name) => !cgsFilters.includes(name));
  const unknown = [
    ...(enterpriseProjectId === undefined ? [] : ['enterpriseProjectId']),
    ...names.map((name) => `filters.${name}`),
  ].map((name) => ({
    path: `${path}.${name}`,
    message: 'is not accepted by the cgs API',
    hint: 'Remove it, or set `api: hss` with an hss endpoint.',
  }));
  const { agentStatus } = filters;
  if (agentStatus === undefined || cgsAgentStatuses.includes(String(agentStatus))) return unknown;
  const message = 'is not a value of the cgs API';
  const hint = `One of: ${cgsAgentStatuses.join(', ')}.`;
  return [...unknown, { path: `${path}.filters.agentStatus`, message, hint }];
}

interface TableChoice {
  table?: string | undefined;
  filters: object;
  datasets: readonly string[];
  tableOf: (dataset: string) => string;
}

/** As the setting `table`. */
const tableLengthMax = 63;

/** Filters without a table of their own or with a list that they cannot filter, and a table whose name becomes too long. */
export function findTableFaults(
  { table, filters, datasets, tableOf }: TableChoice,
  path: string,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const isFiltered = Object.keys(filters).length > 0;
  const others = datasets.filter((name) => name !== containerNodes.name);
  if (isFiltered && others.length > 0) {
    issues.push({
      path: `${path}.filters`,
      message: `cannot filter ${others.join(', ')}: the filters are those of ${containerNodes.name}`,
      hint: `Remove the filters, or give ${others.join(', ')} a target of its own without filters.`,
    });
  } else if (isFiltered && table === undefined) {
    issues.push({
      path: `${path}.table`,
      message: 'is missing: a filtered target must name its own table',
      hint: 'Add one, as in `table: web_nodes`. Otherwise a reader could take some of the nodes for all nodes.',
    });
  }
  const longest = datasets.map(tableOf).find((name) => name.length > tableLengthMax);
  if (longest !== undefined) {
    issues.push({
      path: `${path}.table`,
      message: `is too long: with its dataset it becomes ${longest}`,
      hint: `With several datasets, a table and its dataset have at most ${tableLengthMax} characters together.`,
    });
  }
  return issues;
}
