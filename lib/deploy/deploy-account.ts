// Owns where functions are deployed and with which key: region, project, endpoints, proxy. Refuses to create a project.

import { findProjectId } from '../api/iam.ts';
import { createFetch } from '../api/proxy.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback, usesProxy } from '../core/network-host.ts';
import type { Scrubber } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import type { ProviderSection } from './settings.ts';

export interface Access {
  region: string;
  /** Null: asked of IAM. */
  projectId: string | null;
  endpoint: string;
  iamEndpoint: string;
  ak: string;
  sk: string;
  securityToken: string | null;
  proxyUrl: string | null;
  /** What must not be printed. */
  secrets: readonly string[];
}

export interface Place {
  region: string;
  projectId: string;
}

const regionDefault = 'cn-south-4';

/** Throws ConfigError with everything that is missing. */
export function readAccess(
  provider: ProviderSection,
  env: Readonly<Record<string, string | undefined>>,
): Access {
  const issues: ConfigIssue[] = [];
  const region = provider.region ?? regionDefault;
  // Source: Regions and Endpoints; the EU's have a domain of their own; read 2026-11-24.
  const domain = region.startsWith('eu-') ? 'myhuaweicloud.eu' : 'myhuaweicloud.com';
  const read = (name: string) => {
    const value = env[name] ?? '';
    if (value === '') {
      const hint =
        'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key) of whoever deploys. `package` needs none.';
      issues.push({ path: name, message: 'is not set', hint });
    }
    return value;
  };
  const [ak, sk] = [read('HUAWEICLOUD_SDK_AK'), read('HUAWEICLOUD_SDK_SK')];
  const securityToken = env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null;
  const endpoint = provider.endpoint || `https://functiongraph.${region}.${domain}`;
  const iamEndpoint = provider.iamEndpoint || `https://iam.${region}.${domain}`;
  for (const [path, url] of [
    ['provider.endpoint', endpoint],
    ['provider.iamEndpoint', iamEndpoint],
  ] as const) {
    if (isSafe(url)) continue;
    const hint = 'Write https://…; plain http is for a double on 127.0.0.1 only.';
    issues.push({ path, message: `${url} is neither https nor on this machine`, hint });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    region,
    projectId: provider.projectId || null,
    endpoint: endpoint.replace(/\/+$/, ''),
    iamEndpoint,
    ak,
    sk,
    securityToken,
    proxyUrl: findProxy(endpoint, env),
    secrets: [ak, sk, ...(securityToken ? [securityToken] : [])],
  };
}

function isSafe(url: string): boolean {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
  if (protocol === 'https:') return true;
  return protocol === 'http:' && isLoopback(hostname);
}

/** HTTPS_PROXY, but for the hosts of NO_PROXY; the SDK itself looks at neither. */
function findProxy(
  endpoint: string,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const proxyUrl = env.https_proxy || env.HTTPS_PROXY || null;
  return usesProxy(endpoint, env.no_proxy || env.NO_PROXY || null) ? proxyUrl : null;
}

export async function findPlace(
  access: Access,
  options: { scrubber: Scrubber; nowMs: () => number },
): Promise<Place> {
  const { region, projectId, iamEndpoint, ak, sk, securityToken, proxyUrl } = access;
  if (projectId !== null) return { region, projectId };
  const key = { kind: 'aksk' as const, ak, sk, ...(securityToken ? { securityToken } : {}) };
  const found = await findProjectId({
    iamEndpoint,
    region,
    credentials: async () => key,
    fetch: createFetch({ proxyUrl, noProxy: null }),
    clock: { ...systemClock, nowMs: options.nowMs },
    scrubber: options.scrubber,
    backoffMs: 500,
  });
  return { region, projectId: found };
}
