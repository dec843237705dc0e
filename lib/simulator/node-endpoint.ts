// Responsible for requests to the node list: their log, the quota, faults, pages and drift. Not responsible for HTTP.

import type { Authentication } from './authentication.ts';
import { applyDrift } from './drift.ts';
import { createFaultPlan, type FaultKind } from './faults.ts';
import { createQuotaCounter, describeQuota } from './gateway-quota.ts';
import type { Exchange } from './http-transport.ts';
import { parseListing, renderPage } from './listing.ts';
import { createNodeMaker, generateNodes, type NodeRecord } from './nodes.ts';
import { createRandom } from './random.ts';
import {
  buildFaultResponse,
  buildGatewayError,
  buildJson,
  type ResponseContent,
  throttlingError,
} from './response-bodies.ts';
import type { ReceivedRequest } from './signature-check.ts';
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

export type NodeEndpoint = ReturnType<typeof createNodeEndpoint>;

const nodesPath = /^\/v5\/([^/]+)\/container\/nodes\/?$/;

export function createNodeEndpoint(settings: SimulatorSettings, authentication: Authentication) {
  const log: NodeRequest[] = [];
  const { list, buildPage, drift, counts: listCounts } = createNodeList(settings);
  const {
    findRejection,
    quotaText,
    counts: gatewayCounts,
  } = createGateway(settings, authentication);
  const planFault = createFaultPlan(settings.faults);
  let faults = 0;

  return {
    list,
    /** In order of arrival. */
    log,
    counts: () => ({ ...listCounts, ...gatewayCounts, faults }),

    /**
     * Adds the request to the log. Call it as soon as the headers have arrived, so that request numbers follow the
     * order of arrival. Null: not a request for nodes.
     */
    accept(method: string | undefined, url: URL, atMs: number) {
      const [, projectId] = (method === 'GET' && nodesPath.exec(url.pathname)) || [];
      if (projectId === undefined) return null;
      const offsetText = url.searchParams.get('offset') ?? '0';
      const offset = /^\d+$/.test(offsetText) ? Number(offsetText) : null;
      const entry: NodeRequest = { atMs, offset, status: null, fault: null };
      // Planned for every request, also for one that is rejected, so that faults follow the request numbers.
      const fault = planFault(log.push(entry));
      const answer = ({ received, requestId }: Exchange): ResponseContent => {
        // The quota is checked before the planned fault, so that no fault hides a request over the quota.
        const rejection = findRejection(received, projectId, atMs);
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
    },
  };
}

/** What the gateway checks before a request reaches the service. */
function createGateway(settings: SimulatorSettings, authentication: Authentication) {
  const { quota } = settings;
  const countArrival = quota && createQuotaCounter(quota);
  // A planned 429 needs this text even if there is no quota.
  const quotaText = describeQuota(quota ?? { requests: 5, windowSeconds: 60 });
  /** Responses 429 because of the quota, not because of a planned fault. */
  const counts = { throttled: 0 };

  /** Null: the request is admitted. */
  function findRejection(received: ReceivedRequest, projectId: string, atMs: number) {
    const result = authentication.authenticate(received);
    if (!result.ok) return result.error;
    const arrival = countArrival?.(result.user, atMs);
    if (arrival && !arrival.isAdmitted) {
      counts.throttled += 1;
      const seconds = quota?.retryAfter ? Math.ceil(arrival.retryAfterMs / 1_000) : undefined;
      return throttlingError(quotaText, seconds);
    }
    if (projectId === settings.projectId) return null;
    // Assumed: the code. The documents only give the status 403.
    const message = 'The IAM user is not allowed to access the API.';
    return { status: 403, code: 'APIGW.0302', message };
  }

  return { findRejection, quotaText, counts };
}

/** The service's list, which drift and tests change in place. */
function createNodeList(settings: SimulatorSettings) {
  const { records, seed, flavour, odd, nodes } = settings;
  // The first nodes and those inserted later come from one random sequence, so that no host_id repeats. Given records
  // may come from the same sequence, so nodes inserted among them come from another one.
  const makeNode = createNodeMaker(createRandom(records ? ~seed : seed), flavour);
  const list = records
    ? ([...records] as NodeRecord[])
    : generateNodes({ count: nodes, makeNode, flavour, odd, seed });
  const driftRandom = createRandom(settings.drift.seed ?? 1);
  const counts = { pages: 0, inserted: 0, deleted: 0, reordered: 0 };

  return {
    list,
    counts,
    buildPage(url: URL, requestId: string): ResponseContent {
      const listing = parseListing(url.searchParams, flavour);
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
