// Responsible for the local CGS and IAM server: start, stop, routing, latency and counters. Not responsible for logging.

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Account, Project } from './accounts.ts';
import { host, listen, receive, sendResponse } from './http-transport.ts';
import { createIamEndpoint } from './iam-endpoint.ts';
import { createClusterEndpoint, createNodeEndpoint } from './list-endpoint.ts';
import type { NodeRecord } from './nodes.ts';
import { createRandom } from './random.ts';
import { createReportEndpoint } from './report-endpoint.ts';
import {
  completeOptions,
  type SimulatorOptions,
  type SimulatorSettings,
} from './simulator-options.ts';
import { createStatisticsEndpoint } from './statistics-endpoint.ts';

export type Simulator = Awaited<ReturnType<typeof startSimulator>>;

/** Throws ConfigError for invalid options or if the server cannot listen on the port. */
export async function startSimulator(options: SimulatorOptions = {}) {
  const settings = completeOptions(options);
  const { accounts } = settings;
  const [first] = accounts as [Account];
  const [firstProject] = first.projects as [Project];
  const { ak, sk, iamUser, iamPassword, iamDomain } = first;
  const { handle, counts, nodeEndpoint, clusterEndpoint } = createRequestHandler(settings);
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
  return {
    ...{ region: firstProject.region, projectId: firstProject.id },
    ...{ ak, sk, iamUser, iamPassword, iamDomain },
    /** Every account with its projects. The values above are those of the first one. */
    accounts,
    /** The address of both CGS and IAM: `http://127.0.0.1:port`. */
    url: `http://${host}:${port}`,
    port,
    stats: counts,
    /** Every request for nodes in order of arrival. A fault rule calls the first one number 1. */
    requests: () => nodeEndpoint.log.map((entry) => ({ ...entry })),
    /** The changes of the lists in order; the newest 100,000. */
    changes: () => nodeEndpoint.changes.kept().map((change) => ({ ...change })),
    /** The current list of a project. */
    nodes(ofProject = firstProject.id): NodeRecord[] {
      const list = nodeEndpoint.listOf(ofProject);
      return list.slice(0, list.length);
    },
    /** As `requests`, of the list of clusters: its requests are numbered apart from those for nodes. */
    clusterRequests: () => clusterEndpoint.log.map((entry) => ({ ...entry })),
    /** The current clusters of a project. */
    clusters(ofProject = firstProject.id): NodeRecord[] {
      const list = clusterEndpoint.listOf(ofProject);
      return list.slice(0, list.length);
    },
    /** Closes every connection at once. Safe to call twice. */
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createRequestHandler(settings: SimulatorSettings) {
  const { clock, latencyMs } = settings;
  const iamEndpoint = createIamEndpoint(settings);
  const nodeEndpoint = createNodeEndpoint(settings, iamEndpoint.authenticate);
  const clusterEndpoint = createClusterEndpoint(settings, iamEndpoint.authenticate);
  const acceptCount = createStatisticsEndpoint(
    settings,
    iamEndpoint.authenticate,
    nodeEndpoint.listOf,
  );
  const latencyRandom = createRandom(settings.seed);
  /** Requests and 401 responses on all paths. */
  const seen = { requests: 0, unauthenticated: 0, tokensIssued: 0 };
  const counts = () => ({
    ...seen,
    ...{ nodeRequests: nodeEndpoint.log.length, ...nodeEndpoint.counts() },
    /** Of the list of clusters; the other counts of requests, pages and changes are those of the nodes. */
    ofClusters: { requests: clusterEndpoint.log.length, ...clusterEndpoint.counts() },
  });
  const answerReport = createReportEndpoint({
    ...{ accounts: settings.accounts, changes: nodeEndpoint.changes, listOf: nodeEndpoint.listOf },
    ...{ clustersOf: clusterEndpoint.listOf, counts },
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = clock.monotonicMs();
    // Concatenated: `new URL(path, base)` would read a path like "//x" as another host.
    const url = new URL(`http://${host}:${request.socket.localPort}${request.url ?? '/'}`);
    const report = answerReport(request.method, url);
    if (report) return void sendResponse(response, report, {});
    seen.requests += 1;
    const requestId = randomBytes(16).toString('hex');
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    // Before the body is read, so that the log is in order of arrival.
    const listRequest =
      nodeEndpoint.accept(request.method, url, atMs) ??
      clusterEndpoint.accept(request.method, url, atMs);
    const count = acceptCount(request.method, url, atMs);
    const answer = listRequest?.answer ?? count ?? iamEndpoint.answer;
    const content = answer({ received: await receive(request), url, requestId });
    if (content.status === 401) seen.unauthenticated += 1;
    // Only a new token is answered with 201.
    if (content.status === 201) seen.tokensIssued += 1;

    const slowMs = content.fault?.kind === 'slow' ? (content.fault.slowMs ?? 60_000) : 0;
    const delayMs = latencyMs.min + latencyRandom() * (latencyMs.max - latencyMs.min) + slowMs;
    // Rejects at once when the client disconnects or the server stops: both close the response.
    if (delayMs > 0) await clock.sleep(delayMs, closed.signal);
    if (response.destroyed) return;
    const date = new Date(clock.nowMs()).toUTCString();
    const status = sendResponse(response, content, { 'X-Request-Id': requestId, Date: date });
    if (listRequest) listRequest.entry.status = status;
  }

  return { handle, counts, nodeEndpoint, clusterEndpoint };
}
