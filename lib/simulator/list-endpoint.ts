// Responsible for requests to one list of the service: their log, the quota, faults, pages and drift. Not responsible for HTTP.

import type { Project } from './accounts.ts';
import { createChangeLog } from './change-log.ts';
import {
  clusterStatusChanges,
  createClusterMaker,
  parseClusterListing,
  renderClusters,
} from './clusters.ts';
import { applyDrift, type DriftingRecords, nodeStatusChanges } from './drift.ts';
import { createFaultPlan, type FaultKind } from './faults.ts';
import { createGatewayCheck } from './gateway-check.ts';
import type { Exchange } from './http-transport.ts';
import type { Authenticate } from './iam-endpoint.ts';
import { parseListing, renderPage } from './listing.ts';
import { createNodeList, type NodeList } from './node-list.ts';
import { createNodeMaker, type NodeMaker, type NodeRecord } from './nodes.ts';
import { createRandom } from './random.ts';
import {
  buildFaultResponse,
  buildGatewayError,
  buildJson,
  type ResponseContent,
} from './response-bodies.ts';
import type { SimulatorSettings } from './simulator-options.ts';

export interface ListRequest {
  /** When the request's headers arrived, on the monotonic clock (by default performance.now()). */
  atMs: number;
  /** Null: the offset in the query is not a whole number. */
  offset: number | null;
  /** Null: not answered yet, or the connection was reset. */
  status: number | null;
  fault: FaultKind | null;
}

/** What one list has of its own. */
interface Listed extends DriftingRecords {
  /** Its group: the project. */
  path: RegExp;
  /** How many records a project has at the start. */
  count: (project: Project) => number;
  createMaker: (seed: number, project: Project) => NodeMaker;
  /** Reads the query. Null: a parameter is invalid. Returns the offset, and what makes the body. */
  parse: (query: URLSearchParams) => { offset: number; render: (list: NodeList) => string } | null;
  beforePage: SimulatorSettings['beforePage'];
}

export function createNodeEndpoint(settings: SimulatorSettings, authenticate: Authenticate) {
  const { flavour, odd, beforePage } = settings;
  return createListEndpoint(settings, authenticate, {
    path: /^\/v5\/([^/]+)\/container\/nodes\/?$/,
    keyField: 'host_id',
    statusChanges: nodeStatusChanges,
    count: ({ nodes }) => nodes,
    createMaker: (seed, { nodes }) => createNodeMaker({ seed, flavour, nodes, odd }),
    parse(query) {
      const listing = parseListing(query, flavour);
      return listing && { ...listing, render: (list) => renderPage(list, listing) };
    },
    beforePage,
  });
}

/** The API of 2021 does not have this list. */
export function createClusterEndpoint(settings: SimulatorSettings, authenticate: Authenticate) {
  const { clusters, clock, flavour } = settings;
  return createListEndpoint(settings, authenticate, {
    path: flavour === 'hss' ? /^\/v5\/([^/]+)\/kubernetes\/clusters\/?$/ : /^$/,
    keyField: 'id',
    statusChanges: clusterStatusChanges,
    count: () => clusters,
    createMaker: createClusterMaker,
    parse(query) {
      const listing = parseClusterListing(query);
      return (
        listing && { ...listing, render: (list) => renderClusters(list, listing, clock.nowMs()) }
      );
    },
    beforePage: null,
  });
}

function createListEndpoint(
  settings: SimulatorSettings,
  authenticate: Authenticate,
  listed: Listed,
) {
  /** In order of arrival. */
  const log: ListRequest[] = [];
  const lists = createLists(settings, listed);
  const planFault = createFaultPlan(settings.faults);
  const gateway = createGatewayCheck(settings, authenticate);
  const { quotaText } = gateway;
  let faults = 0;

  /**
   * Adds the request to the log. Call it as soon as the headers have arrived, so that request numbers follow the
   * order of arrival. Null: not a request for this list.
   */
  function accept(method: string | undefined, url: URL, atMs: number) {
    const [, projectId] = (method === 'GET' && listed.path.exec(url.pathname)) || [];
    if (projectId === undefined) return null;
    const offsetText = url.searchParams.get('offset') ?? '0';
    const offset = /^\d+$/.test(offsetText) ? Number(offsetText) : null;
    const entry: ListRequest = { atMs, offset, status: null, fault: null };
    // Planned for every request, also for one that is rejected, so that faults follow the request numbers.
    const number = log.push(entry);
    const fault = planFault(number);
    const answer = (exchange: Exchange): ResponseContent => {
      const { received, requestId } = exchange;
      // The quota is checked before the planned fault, so that no fault hides a request over the quota.
      const rejection = gateway.findRejection(received, projectId, atMs);
      if (rejection) return buildGatewayError(rejection, requestId);
      if (fault) {
        entry.fault = fault.kind;
        faults += 1;
      }
      const content =
        (fault && buildFaultResponse(fault, quotaText, requestId)) ??
        lists.buildPage(projectId, url, requestId);
      // Drift comes after the page is built: the page shows the list as it was when the request arrived.
      lists.drift(projectId, number);
      return fault ? { ...content, fault } : content;
    };
    return { entry, answer };
  }

  return {
    /** The list of a project of the simulator. */
    listOf: lists.listOf,
    changes: lists.changes,
    log,
    accept,
    /** `throttled`: because of the quota, not because of a planned fault. */
    counts: () => ({
      ...{ pages: lists.pages(), ...lists.changes.counts },
      ...{ throttled: gateway.throttled(), faults },
    }),
  };
}

/** The service's lists, one per project, which drift and tests change in place. */
function createLists(settings: SimulatorSettings, listed: Listed) {
  const projects = settings.accounts.flatMap((account) => account.projects);
  const byId = new Map(projects.map((project) => [project.id, project]));
  const opened = new Map<string, ReturnType<typeof createProjectList>>();
  const changes = createChangeLog();
  let pages = 0;

  function open(projectId: string) {
    const known = opened.get(projectId);
    if (known) return known;
    const created = createProjectList(settings, listed, byId.get(projectId) as Project);
    opened.set(projectId, created);
    return created;
  }

  return {
    listOf: (projectId: string): NodeList => open(projectId).list,
    changes,
    pages: () => pages,
    buildPage(projectId: string, url: URL, requestId: string): ResponseContent {
      const listing = listed.parse(url.searchParams);
      if (!listing) {
        const error = { status: 400, code: 'HSS.0001', message: 'invalid param error' };
        return buildGatewayError(error, requestId);
      }
      const { list } = open(projectId);
      const { beforePage } = listed;
      if (beforePage)
        callHook(list, { index: pages, offset: listing.offset, projectId }, beforePage);
      pages += 1;
      return buildJson(200, listing.render(list));
    },
    /** `request`: the number of the request after which the list changes. */
    drift(projectId: string, request: number) {
      const { list, driftRandom } = open(projectId);
      const made = applyDrift(list, settings.drift, driftRandom, listed);
      changes.add(made, { projectId, request, atMs: settings.clock.nowMs() });
    },
  };
}

/** Projects differ in their seeds. The first one has the seeds of the options. */
function createProjectList({ seed, drift }: SimulatorSettings, listed: Listed, project: Project) {
  const seedOf = (start: number) => start + project.index * 1_000_003;
  return {
    list: createNodeList(listed.count(project), listed.createMaker(seedOf(seed), project)),
    driftRandom: createRandom(seedOf(drift.seed ?? 1)),
  };
}

/** The records of the list are made only if the hook reads them. */
function callHook(
  list: NodeList,
  page: { index: number; offset: number; projectId: string },
  hook: NonNullable<SimulatorSettings['beforePage']>,
): void {
  let records: NodeRecord[] | null = null;
  const read = () => {
    records ??= list.slice(0, list.length);
    return records;
  };
  hook({
    ...page,
    get list() {
      return read();
    },
  });
  if (records) list.replace(records);
}
