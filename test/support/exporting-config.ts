// Responsible for the cgs-export.yml of a deployed function: exports from a simulator to a folder with an agency's key.

import type { Simulator } from '../../lib/simulator/simulator.ts';

/** The agency's temporary key, for the simulator and for the function. */
export const agency = {
  ak: 'AGENCYACCESSKEY00000',
  sk: 'agency-secret-that-opens-nothing',
  securityToken: 'agency-token-that-opens-nothing',
};

export function writeConfig(
  simulator: Pick<Simulator, 'url' | 'region' | 'projectId'>,
  folder: string,
  quota: { requests: number; windowSeconds: number },
): string {
  const { url, region, projectId } = simulator;
  return `store: file:${folder}
schedule: 24h
quota: { requests: ${quota.requests}, windowSeconds: ${quota.windowSeconds} }
accounts:
  - name: prod
    credentials: agency
    targets:
      - { region: ${region}, projectId: ${projectId}, endpoint: '${url}', iamEndpoint: '${url}', api: hss }
`;
}
