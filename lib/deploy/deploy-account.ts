// Responsible for the account to deploy to: region, project, endpoints, key and proxy.

import { findProjectId } from '../api/iam.ts';
import { createFetch } from '../api/proxy.ts';
import { readProxy } from '../config/environment.ts';
import { hostOf } from '../config/rules.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback, usesProxy } from '../core/network-host.ts';
import type { Environment, Scrubber } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import type { FunctionGraphOptions } from './function-graph.ts';
import type { ProviderSection } from './settings-schema.ts';

export interface DeployAccess
  extends Pick<FunctionGraphOptions, 'endpoint' | 'ak' | 'sk' | 'securityToken' | 'proxyUrl'> {
  region: string;
  /** Null: look it up in IAM. */
  projectId: string | null;
  iamEndpoint: string;
}

const regionDefault = 'cn-south-4';
const keyHint =
  'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key) to the key of the user who deploys. `package` needs no key.';

/** Throws ConfigError that lists every fault. */
export function readDeployAccess(provider: ProviderSection, env: Environment): DeployAccess {
  const issues: ConfigIssue[] = [];
  const report = (path: string, message: string, hint: string) =>
    issues.push({ path, message, hint });
  const region = provider.region ?? regionDefault;
  const endpoint = provider.endpoint || hostOf('functiongraph', region);
  const iamEndpoint = provider.iamEndpoint || hostOf('iam', region);
  const { HUAWEICLOUD_SDK_AK: ak = '', HUAWEICLOUD_SDK_SK: sk = '' } = env;
  if (ak === '') report('HUAWEICLOUD_SDK_AK', 'is not set', keyHint);
  if (sk === '') report('HUAWEICLOUD_SDK_SK', 'is not set', keyHint);
  for (const [name, url] of Object.entries({ endpoint, iamEndpoint })) {
    if (isSafe(url)) continue;
    const hint = 'Write https://…; plain http is allowed for 127.0.0.1 only.';
    report(`provider.${name}`, `${url} is neither https nor on this machine`, hint);
  }
  const proxyUrl = findProxy(endpoint, env, report);
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    region,
    projectId: provider.projectId || null,
    endpoint: endpoint.replace(/\/+$/, ''),
    iamEndpoint,
    ak,
    sk,
    securityToken: env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null,
    proxyUrl,
  };
}

function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** The proxy for `endpoint`; the SDK reads neither HTTPS_PROXY nor NO_PROXY. */
function findProxy(
  endpoint: string,
  env: Environment,
  report: (path: string, message: string, hint: string) => void,
): string | null {
  const { httpsProxy, noProxy } = readProxy(env, report);
  return URL.canParse(endpoint) && usesProxy(endpoint, noProxy) ? httpsProxy : null;
}

/** Looks the project up by the name of the region and never creates it. Throws ConfigError if there is none. */
export async function readProjectId(
  access: DeployAccess,
  options: { scrubber: Scrubber; nowMs: () => number },
): Promise<string> {
  const { region, projectId, iamEndpoint, ak, sk, securityToken, proxyUrl } = access;
  if (projectId !== null) return projectId;
  const key = { kind: 'aksk' as const, ak, sk, ...(securityToken ? { securityToken } : {}) };
  return findProjectId({
    iamEndpoint,
    region,
    credentials: async () => key,
    fetch: createFetch({ proxyUrl, noProxy: null }),
    clock: { ...systemClock, nowMs: options.nowMs },
    scrubber: options.scrubber,
    backoffMs: 500,
  });
}
