// Owns the local CGS + IAM endpoint: the server, its routes and what it tells of them. Refuses any address but 127.0.0.1, and to log.

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createAccess } from './access.ts';
import { applyDrift, type DriftCounts } from './drift.ts';
import { createFaultPlan, type Fault, type FaultKind } from './faults.ts';
import { answerProjects, answerToken } from './iam-endpoint.ts';
import { parseListing, renderPage } from './listing.ts';
import { createNodeMaker, generateNodes, type NodeRecord } from './nodes.ts';
import { createRandom } from './random.ts';
import { createQuotaCounter, describeQuota } from './request-window.ts';
import {
  type Answer,
  answerFault,
  answerGatewayError,
  answerJson,
  answerThrottled,
} from './responses.ts';
import type { WireRequest } from './signature.ts';
import { completeOptions, type Identity, type SimulatorOptions } from './simulator-options.ts';
import { host, listen, readBody, sendAnswer, toWireRequest } from './wire.ts';

export interface NodeRequest {
  /** When its head had come, on the monotonic clock (by default performance.now()). */
  atMs: number;
  /** Null: the query had none that is a whole number. */
  offset: number | null;
  /** Null: no answer yet, or none at all. */
  status: number | null;
  fault: FaultKind | null;
}

export interface SimulatorStats extends DriftCounts {
  /** All requests, whatever the path. */
  requests: number;
  nodeRequests: number;
  pages: number;
  /** 429 by the quota, faults not counted. */
  throttled: number;
  /** 401, on every path. */
  unauthenticated: number;
  faults: number;
  tokensIssued: number;
}

export interface Simulator extends Identity {
  /** Of both CGS and IAM: `http://127.0.0.1:port`. */
  url: string;
  port: number;
  stats(): SimulatorStats;
  /** Every request for nodes in order of arrival; the first one is number 1 for faults. */
  requests(): readonly NodeRequest[];
  /** Changes the list in place; what is returned does not matter. */
  mutate(change: (list: NodeRecord[]) => void): void;
  /** A copy of the list as it is now. */
  nodes(): NodeRecord[];
  revokeTokens(): void;
  /** Cuts every connection. Safe to call twice. */
  stop(): Promise<void>;
}

const slowMsDefault = 60_000;
const nodesPath = /^\/v5\/([^/]+)\/container\/nodes\/?$/;

/** Throws ConfigError for options that make no sense or a port that cannot be had. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { identity, clock, flavour, quota, drift, latencyMs, seed, ...rest } =
    completeOptions(options);
  const serverNowMs = () => clock.nowMs() + rest.clockSkewMs;
  const access = createAccess({
    ...identity,
    key: { sk: identity.sk, securityToken: rest.securityToken },
    tokenSeconds: rest.tokenSeconds,
    lockMs: rest.lockMs,
    nowMs: serverNowMs,
    monotonicMs: () => clock.monotonicMs(),
  });
  const countArrival = quota && createQuotaCounter(quota);
  // A 429 on request needs words even where no quota is held.
  const quotaText = describeQuota(quota ?? { requests: 5, windowSeconds: 60 });
  const planFault = createFaultPlan(rest.faults);
  const driftRandom = createRandom(drift.seed ?? 1);
  const latencyRandom = createRandom(seed);
  // One stream of numbers for the first nodes and for those that come in later: no host_id repeats. Given
  // records may have been made by such a stream, so theirs is another.
  const makeNode = createNodeMaker(createRandom(rest.records ? ~seed : seed), flavour);

  const log: NodeRequest[] = [];
  const stats: Omit<SimulatorStats, 'nodeRequests'> = {
    requests: 0,
    pages: 0,
    throttled: 0,
    unauthenticated: 0,
    faults: 0,
    tokensIssued: 0,
    inserted: 0,
    deleted: 0,
    reordered: 0,
  };
  const list = rest.records
    ? ([...rest.records] as NodeRecord[])
    : generateNodes({ count: rest.nodes, makeNode, flavour, odd: rest.odd, seed });

  function refuse(admission: { code: string; message: string }, requestId: string): Answer {
    stats.unauthenticated += 1;
    return answerGatewayError(401, admission.code, admission.message, requestId);
  }

  /** The page, or HSS.0001. */
  function answerPage(target: URL, requestId: string): Answer {
    const listing = parseListing(target.searchParams, flavour);
    if (!listing) return answerGatewayError(400, 'HSS.0001', 'invalid param error', requestId);
    rest.beforePage?.({ index: stats.pages, offset: listing.offset, list });
    stats.pages += 1;
    return answerJson(200, renderPage(list, listing));
  }

  function answerNodes(
    wire: WireRequest,
    target: URL,
    asked: { projectId: string; entry: NodeRequest; planned: Fault | null },
    requestId: string,
  ): { answer: Answer; fault: Fault | null } {
    const { projectId, entry, planned } = asked;
    const admission = access.authenticate(wire);
    if (!admission.ok) return { answer: refuse(admission, requestId), fault: null };
    // The quota goes before the faults, so that no fault hides a request too many.
    const arrival = countArrival?.(admission.user, entry.atMs);
    if (arrival && !arrival.admitted) {
      stats.throttled += 1;
      const seconds = quota?.retryAfter ? Math.ceil(arrival.retryAfterMs / 1_000) : null;
      return { answer: answerThrottled(quotaText, requestId, seconds), fault: null };
    }
    if (projectId !== identity.projectId) {
      // Assumed: the documents give 403, not which of its codes.
      const message = 'The IAM user is not allowed to access the API.';
      return { answer: answerGatewayError(403, 'APIGW.0302', message, requestId), fault: null };
    }
    if (planned) {
      entry.fault = planned.kind;
      stats.faults += 1;
    }
    const answer =
      (planned && answerFault(planned, quotaText, requestId)) ?? answerPage(target, requestId);
    // Only now: this answer shows the list as it was when the request came.
    const counts = applyDrift(list, drift, driftRandom, makeNode);
    stats.inserted += counts.inserted;
    stats.deleted += counts.deleted;
    stats.reordered += counts.reordered;
    return { answer, fault: planned };
  }

  function answerIam(route: string, wire: WireRequest, target: URL, requestId: string): Answer {
    if (route === 'GET /v3/projects') {
      const admission = access.authenticate(wire);
      if (!admission.ok) return refuse(admission, requestId);
      return answerProjects(identity, target);
    }
    if (route === 'POST /v3/auth/tokens') {
      const answer = answerToken(identity, (body) => access.issueToken(body), wire.body);
      if (answer.status === 201) stats.tokensIssued += 1;
      if (answer.status === 401) stats.unauthenticated += 1;
      return answer;
    }
    const message = 'The API does not exist or has not been published in the environment.';
    return answerGatewayError(404, 'APIGW.0101', message, requestId);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = clock.monotonicMs();
    stats.requests += 1;
    const requestId = randomBytes(16).toString('hex');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    // Joined as text: resolved against a base, a target of "//x" would be taken for another host.
    const target = new URL(`http://${host}:${port}${request.url ?? '/'}`);
    const [, projectId] = (request.method === 'GET' && nodesPath.exec(target.pathname)) || [];
    const offsetText = target.searchParams.get('offset') ?? '0';
    const offset = /^\d+$/.test(offsetText) ? Number(offsetText) : null;
    const asked =
      projectId === undefined
        ? null
        : {
            projectId,
            entry: { atMs, offset, status: null, fault: null } as NodeRequest,
            // Asked for every request, whatever becomes of it: numbers and chances stay those of the log.
            planned: planFault(log.length + 1),
          };
    if (asked) log.push(asked.entry);

    const body = await readBody(request);
    let answer: Answer;
    let fault: Fault | null = null;
    if (body === null) {
      answer = answerGatewayError(413, 'APIGW.0201', 'Request entity too large.', requestId);
    } else {
      const wire = toWireRequest(request, body);
      const route = `${request.method} ${target.pathname.replace(/\/$/, '')}`;
      if (asked) ({ answer, fault } = answerNodes(wire, target, asked, requestId));
      else answer = answerIam(route, wire, target, requestId);
    }

    const { min, max } = latencyMs;
    const delayMs =
      min +
      latencyRandom() * (max - min) +
      (fault?.kind === 'slow' ? (fault.slowMs ?? slowMsDefault) : 0);
    // Ends at once when the client has gone or the server stops: its close is the signal.
    if (delayMs > 0) await clock.sleep(delayMs, gone.signal);
    if (response.destroyed) return;
    const statusSent = sendAnswer(request.socket, response, answer, {
      fault: fault?.kind ?? null,
      headers: { 'X-Request-Id': requestId, Date: new Date(serverNowMs()).toUTCString() },
    });
    if (asked) asked.entry.status = statusSent;
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A client that went away is no failure; anything else must not look like one of the simulated ones.
      if (response.destroyed || response.headersSent) return;
      const message = error instanceof Error ? error.message : String(error);
      response.writeHead(500, { 'Content-Type': 'text/plain' });
      response.end(`the simulator itself failed: ${message}`);
    });
  });
  // Longer than any pause between two requests that a quota makes.
  server.keepAliveTimeout = 120_000;
  const port = await listen(server, rest.port);
  let stopped: Promise<void> | null = null;

  return {
    ...identity,
    url: `http://${host}:${port}`,
    port,
    stats: () => ({ ...stats, nodeRequests: log.length }),
    requests: () => log.map((entry) => ({ ...entry })),
    mutate(change) {
      change(list);
    },
    nodes: () => [...list],
    revokeTokens: () => access.revokeTokens(),
    stop() {
      stopped ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return stopped;
    },
  };
}
