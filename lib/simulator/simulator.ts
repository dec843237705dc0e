// Responsible for the local CGS and IAM server: start, stop, routing, latency and counters. Not responsible for logging.

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Authentication, createAuthentication } from './authentication.ts';
import { host, listen, receive, sendResponse } from './http-transport.ts';
import { createIamEndpoint } from './iam-endpoint.ts';
import { createNodeEndpoint, type NodeEndpoint, type NodeRequest } from './node-endpoint.ts';
import type { NodeRecord } from './nodes.ts';
import { createRandom } from './random.ts';
import { buildGatewayError } from './response-bodies.ts';
import {
  completeOptions,
  type Identity,
  type SimulatorOptions,
  type SimulatorSettings,
} from './simulator-options.ts';

export interface Simulator extends Identity {
  /** The address of both CGS and IAM: `http://127.0.0.1:port`. */
  url: string;
  port: number;
  stats(): SimulatorStats;
  /** Every request for nodes in order of arrival. A fault rule calls the first one number 1. */
  requests(): readonly NodeRequest[];
  /** Changes the list in place. The return value of `change` is ignored. */
  mutate(change: (list: NodeRecord[]) => void): void;
  /** A copy of the current list. */
  nodes(): NodeRecord[];
  revokeTokens(): void;
  /** Closes every connection at once. Safe to call twice. */
  stop(): Promise<void>;
}

const slowMsDefault = 60_000;
const bodyTooLarge = { status: 413, code: 'APIGW.0201', message: 'Request entity too large.' };

/** Throws ConfigError for invalid options or if the server cannot listen on the port. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = completeOptions(options);
  const { region, projectId, ak, sk, iamUser, iamPassword, iamDomain } = settings;
  const authentication = createAuthentication(settings);
  const nodeEndpoint = createNodeEndpoint(settings, authentication);
  const { list, log } = nodeEndpoint;
  const { handle, counts } = createRequestHandler(settings, authentication, nodeEndpoint);
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A closed connection is not a failure. Any other error must not look like a simulated one.
      if (response.destroyed || response.headersSent) return;
      const message = error instanceof Error ? error.message : String(error);
      response.writeHead(500, { 'Content-Type': 'text/plain' });
      response.end(`the simulator itself failed: ${message}`);
    });
  });
  // Longer than a client pauses because of the quota, so that its connection stays open.
  server.keepAliveTimeout = 120_000;
  const port = await listen(server, settings.port);
  let stopped: Promise<void> | null = null;
  return {
    ...{ region, projectId, ak, sk, iamUser, iamPassword, iamDomain },
    url: `http://${host}:${port}`,
    port,
    stats: () => ({ ...counts, ...nodeEndpoint.counts(), nodeRequests: log.length }),
    requests: () => log.map((entry) => ({ ...entry })),
    mutate(change) {
      change(list);
    },
    nodes: () => [...list],
    revokeTokens: authentication.revokeTokens,
    stop() {
      stopped ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return stopped;
    },
  };
}

type SimulatorStats = ReturnType<NodeEndpoint['counts']> &
  ReturnType<typeof createRequestHandler>['counts'] & { nodeRequests: number };

function createRequestHandler(
  settings: SimulatorSettings,
  authentication: Authentication,
  nodeEndpoint: NodeEndpoint,
) {
  const { clock, latencyMs } = settings;
  const iamEndpoint = createIamEndpoint(settings, authentication);
  const latencyRandom = createRandom(settings.seed);
  /** Requests and 401 responses on all paths. */
  const counts = { requests: 0, unauthenticated: 0, tokensIssued: 0 };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = clock.monotonicMs();
    counts.requests += 1;
    const requestId = randomBytes(16).toString('hex');
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    // Concatenated: `new URL(path, base)` would read a path like "//x" as another host.
    const url = new URL(`http://${host}:${request.socket.localPort}${request.url ?? '/'}`);
    // Before the body is read, so that the log is in order of arrival.
    const nodeRequest = nodeEndpoint.accept(request.method, url, atMs);
    const answer = nodeRequest?.answer ?? iamEndpoint;
    const received = await receive(request);
    const content = received
      ? answer({ received, url, requestId })
      : buildGatewayError(bodyTooLarge, requestId);
    if (content.status === 401) counts.unauthenticated += 1;
    // Only a new token is answered with 201.
    if (content.status === 201) counts.tokensIssued += 1;

    const slowMs = content.fault?.kind === 'slow' ? (content.fault.slowMs ?? slowMsDefault) : 0;
    const delayMs = latencyMs.min + latencyRandom() * (latencyMs.max - latencyMs.min) + slowMs;
    // Rejects at once when the client disconnects or the server stops: both close the response.
    if (delayMs > 0) await clock.sleep(delayMs, closed.signal);
    if (response.destroyed) return;
    const date = new Date(settings.serverNowMs()).toUTCString();
    const status = sendResponse(response, content, { 'X-Request-Id': requestId, Date: date });
    if (nodeRequest) nodeRequest.entry.status = status;
  }

  return { handle, counts };
}
