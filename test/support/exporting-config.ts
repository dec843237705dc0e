// Owns a cgs-export.yml for a deployed function: against a simulator, onto a folder, as an agency. Refuses to hold a key.

import type { Simulator } from '../../lib/simulator/simulator.ts';

/** The temporary key of the agency that the simulator knows, for both sides. */
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
