// Responsible for the cgs-export.yml of a deployed function: exports from a local endpoint to a folder.

/** The agency's temporary key, for the simulator and for the function. */
export const agency = {
  ak: 'AGENCYACCESSKEY00000',
  sk: 'agency-secret-that-opens-nothing',
  securityToken: 'agency-token-that-opens-nothing',
};

export function writeConfig(
  { url, region, projectId }: { url: string; region: string; projectId: string },
  folder: string,
  quota: { requests: number; windowSeconds: number },
  credentials = 'agency',
): string {
  return `store: file:${folder}
mounted: true
schedule: 24h
quota: { requests: ${quota.requests}, windowSeconds: ${quota.windowSeconds} }
accounts:
  - name: prod
    credentials: ${credentials}
    targets:
      - { region: ${region}, projectId: ${projectId}, endpoint: '${url}', iamEndpoint: '${url}', api: hss }
`;
}
