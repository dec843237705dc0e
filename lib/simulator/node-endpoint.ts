// Responsible for requests to the node list: their log, the quota, faults, pages and drift. Not responsible for HTTP.

import { applyDrift } from './drift.ts';
import { createFaultPlan, type FaultKind } from './faults.ts';
import { createGatewayCheck } from './gateway-check.ts';
import type { Exchange } from './http-transport.ts';
import type { Authenticate } from './iam-endpoint.ts';
import { parseListing, renderPage } from './listing.ts';
import { createNodeMaker, generateNodes } from './nodes.ts';
import { createRandom } from './random.ts';
import {
  buildFaultResponse,
  buildGatewayError,
  buildJson,
  type ResponseContent,
} from './response-bodies.ts';
import type { SimulatorSettings } from './simulator-options.ts';

export interface NodeRequest {
  /** When the request's headers arrived, on the monotonic clock (by default performance.now()). */
  atMs: number;
  /** Null: the offset in the query is not a whole number. */
  offset: number | null;
  /** Null: not answered yet, or the connection was reset. */
  status: number | null;
  fault: FaultKind | null;
}

const nodesPath = /^\/v5\/([^/]+)\/container\/nodes\/?$/;

export function createNodeEndpoint(settings: SimulatorSettings, authenticate: Authenticate) {
  /** In order of arrival. */
  const log: NodeRequest[] = [];
  const { list, buildPage, drift, counts: listCounts } = createNodeList(settings);
  const planFault = createFaultPlan(settings.faults);
  const gateway = createGatewayCheck(settings, authenticate);
  const { quotaText } = gateway;
  let faults = 0;

  /**
   * Adds the request to the log. Call it as soon as the headers have arrived, so that request numbers follow the
   * order of arrival. Null: not a request for nodes.
   */
  function accept(method: string | undefined, url: URL, atMs: number) {
    const [, projectId] = (method === 'GET' && nodesPath.exec(url.pathname)) || [];
    if (projectId === undefined) return null;
    const offsetText = url.searchParams.get('offset') ?? '0';
    const offset = /^\d+$/.test(offsetText) ? Number(offsetText) : null;
    const entry: NodeRequest = { atMs, offset, status: null, fault: null };
    // Planned for every request, also for one that is rejected, so that faults follow the request numbers.
    const fault = planFault(log.push(entry));
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
        (fault && buildFaultResponse(fault, quotaText, requestId)) ?? buildPage(url, requestId);
      // Drift comes after the page is built: the page shows the list as it was when the request arrived.
      drift();
      return fault ? { ...content, fault } : content;
    };
    return { entry, answer };
  }

  return {
    list,
    log,
    accept,
    /** `throttled`: because of the quota, not because of a planned fault. */
    counts: () => ({
      ...{ nodeRequests: log.length, ...listCounts },
      ...{ throttled: gateway.throttled(), faults },
    }),
  };
}

/** The service's list, which drift and tests change in place. */
function createNodeList(settings: SimulatorSettings) {
  // The first nodes and those inserted later come from one random sequence, so that no host_id repeats.
  const makeNode = createNodeMaker(createRandom(settings.seed), settings.flavour);
  const list = generateNodes(settings, makeNode);
  const driftRandom = createRandom(settings.drift.seed ?? 1);
  const counts = { pages: 0, inserted: 0, deleted: 0, reordered: 0 };

  return {
    list,
    counts,
    buildPage(url: URL, requestId: string): ResponseContent {
      const listing = parseListing(url.searchParams, settings.flavour);
      if (!listing) {
        const error = { status: 400, code: 'HSS.0001', message: 'invalid param error' };
        return buildGatewayError(error, requestId);
      }
      settings.beforePage?.({ index: counts.pages, offset: listing.offset, list });
      counts.pages += 1;
      return buildJson(200, renderPage(list, listing));
    },
    drift() {
      const changes = applyDrift(list, settings.drift, driftRandom, makeNode);
      counts.inserted += changes.inserted;
      counts.deleted += changes.deleted;
      counts.reordered += changes.reordered;
    },
  };
}
