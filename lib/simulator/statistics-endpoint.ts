// Responsible for requests to the node statistics, which the service counts apart from the list. They have a quota of their
// own, and no faults.

import { createGatewayCheck } from './gateway-check.ts';
import type { Exchange } from './http-transport.ts';
import type { Authenticate } from './iam-endpoint.ts';
import { countNodes } from './listing.ts';
import type { NodeList } from './node-list.ts';
import { buildGatewayError, buildJson, type ResponseContent } from './response-bodies.ts';
import type { SimulatorSettings } from './simulator-options.ts';

const statisticsPath = /^\/v5\/([^/]+)\/container\/node-statistics\/?$/;

/** Null: not a request for the statistics, which the API of 2021 does not have. */
export function createStatisticsEndpoint(
  settings: SimulatorSettings,
  authenticate: Authenticate,
  listOf: (projectId: string) => NodeList,
) {
  const gateway = createGatewayCheck(settings, authenticate);
  return (method: string | undefined, url: URL, atMs: number) => {
    const [, projectId] = (method === 'GET' && statisticsPath.exec(url.pathname)) || [];
    if (projectId === undefined || settings.flavour === 'cgs') return null;
    return ({ received, requestId }: Exchange): ResponseContent => {
      const rejection = gateway.findRejection(received, projectId, atMs);
      return rejection
        ? buildGatewayError(rejection, requestId)
        : buildJson(200, countNodes(listOf(projectId), url.searchParams));
    };
  };
}
