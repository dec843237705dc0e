// Owns what the environment says by itself: the default key, the log level, the proxy. Refuses process.env: it is handed in.

import type { Environment, LogLevel } from '../core/ports.ts';
import type { ProxyConfig } from './load.ts';
import type { Credentials } from './schema.ts';

export type Report = (path: string, message: string, hint: string) => void;

const keyHint =
  'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key), or write credentials into the configuration.';

export function checkAgency(agencyPossible: boolean, path: string, report: Report): void {
  if (agencyPossible) return;
  report(path, 'is agency, which only a function has', keyHint);
}

/** HUAWEICLOUD_SDK_AK and its kin, else the agency. `path`: what lacks credentials. */
export function readDefaultCredentials(
  env: Environment,
  agencyPossible: boolean,
  path: string,
  report: Report,
): Credentials {
  const ak = env.HUAWEICLOUD_SDK_AK || '';
  const sk = env.HUAWEICLOUD_SDK_SK || '';
  const securityToken = env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null;
  if (ak === '' && sk === '') {
    if (!agencyPossible) {
      report(path, 'no credentials: HUAWEICLOUD_SDK_AK and _SK are not set', keyHint);
    }
    return { kind: 'agency' };
  }
  for (const [name, value] of [
    ['HUAWEICLOUD_SDK_AK', ak],
    ['HUAWEICLOUD_SDK_SK', sk],
    ['HUAWEICLOUD_SDK_SECURITY_TOKEN', securityToken],
  ] as const) {
    if (value === '') report(name, 'is not set, but its other half is', keyHint);
    else if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
      report(name, 'holds white space or signs that no key has', 'Copy it again.');
    }
  }
  return { kind: 'key', ak, sk, securityToken };
}

const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

export function readLogLevel(env: Environment, flag: string | undefined, report: Report): LogLevel {
  const given = flag ?? (env.CGS_EXPORT_LOG_LEVEL || 'info');
  const level = logLevels.find((known) => known === given);
  if (level === undefined) {
    const path = flag === undefined ? 'CGS_EXPORT_LOG_LEVEL' : '--log-level';
    report(path, 'is no log level', `One of: ${logLevels.join(', ')}.`);
  }
  return level ?? 'info';
}

/** Small letters win, as in curl. HTTP_PROXY in capitals is read too: no web server runs this program. */
export function readProxy(env: Environment, report: Report): ProxyConfig {
  const read = (lower: string, upper: string): string | null => {
    const [name, given] = env[lower] ? [lower, env[lower]] : [upper, env[upper]];
    if (!given) return null;
    const url = given.includes('://') ? given : `http://${given}`;
    if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
    report(name, 'is no address of a proxy', 'Write http://host:port, or unset it.');
    return null;
  };
  return {
    httpsProxy: read('https_proxy', 'HTTPS_PROXY'),
    httpProxy: read('http_proxy', 'HTTP_PROXY'),
    noProxy: env.no_proxy || env.NO_PROXY || null,
  };
}
