// Responsible for the account to deploy to: region, project, endpoints, key and proxy.

import { findProjectId } from '../api/iam.ts';
import { createFetch } from '../api/transport.ts';
import { readProxy } from '../config/environment.ts';
import { hostOf } from '../config/regional-host.ts';
import { findForeignHosts } from '../config/target-checks.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback, usesProxy } from '../core/network-host.ts';
import type { Environment, Scrubber } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import { openConnections } from '../platform/connections.ts';
import type { ProviderSection } from './settings-schema.ts';

const regionDefault = 'cn-south-4';

/** Throws ConfigError that lists every fault. */
export function readDeployAccess(provider: ProviderSection, env: Environment) {
  const issues: ConfigIssue[] = [];
  const report = (path: string, message: string, hint: string) =>
    issues.push({ path, message, hint });
  const region = provider.region ?? regionDefault;
  const endpoint = provider.endpoint || hostOf('functiongraph', region);
  const iamEndpoint = provider.iamEndpoint || hostOf('iam', region);
  const { HUAWEICLOUD_SDK_AK: ak = '', HUAWEICLOUD_SDK_SK: sk = '' } = env;
  for (const [name, value] of Object.entries({ AK: ak, SK: sk })) {
    if (value !== '') continue;
    const hint =
      'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key) to the key of the user who deploys. `package` needs no key.';
    report(`HUAWEICLOUD_SDK_${name}`, 'is not set', hint);
  }
  for (const [name, url] of Object.entries({ endpoint, iamEndpoint })) {
    if (isSafe(url)) continue;
    const hint = 'Write https://…; plain http is allowed for 127.0.0.1 only.';
    report(`provider.${name}`, `${url} is neither https nor on this machine`, hint);
  }
  if ([endpoint, iamEndpoint].every(isSafe)) {
    issues.push(...findForeignHosts({ region, endpoint, iamEndpoint }, 'provider'));
  }
  const { httpsProxy, noProxy } = readProxy(env, report);
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    region,
    /** Null: look it up in IAM. */
    projectId: provider.projectId || null,
    endpoint: endpoint.replace(/\/+$/, ''),
    iamEndpoint,
    ak,
    sk,
    /** Null for a permanent key. */
    securityToken: env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null,
    /** For `endpoint`. The SDK reads neither HTTPS_PROXY nor NO_PROXY. */
    proxyUrl: usesProxy(endpoint, noProxy) ? httpsProxy : null,
  };
}

function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** Looks the project up by the name of the region and never creates it. Throws ConfigError if there is none. */
export async function readProjectId(
  access: ReturnType<typeof readDeployAccess>,
  scrubber: Scrubber,
): Promise<string> {
  const { region, projectId, iamEndpoint, ak, sk, securityToken, proxyUrl } = access;
  if (projectId !== null) return projectId;
  const key = { kind: 'aksk' as const, ak, sk, ...(securityToken ? { securityToken } : {}) };
  return findProjectId({
    iamEndpoint,
    region,
    credentials: async () => key,
    fetch: createFetch(openConnections({ httpsProxy: proxyUrl, noProxy: null })),
    clock: systemClock,
    scrubber,
    log: () => {},
    backoffMs: 500,
  });
}
