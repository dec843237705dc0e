// Responsible for what environment variables mean without a configuration: the default key, the log level, the proxy. Not
// responsible for process.env: the environment is an argument.

import type { Environment, LogLevel } from '../core/ports.ts';
import type { Credentials, ProxyConfig } from './model.ts';

export type Report = (path: string, message: string, hint: string) => void;

export const keyHint =
  'Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN for a temporary key), or write credentials into the configuration.';

/** For `credentials: agency` outside of a function. */
export const agencyHint =
  'FunctionGraph gives the key of an agency only to its functions. Leave out `credentials`, and set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK here: the file then works in both places, because a function without these variables uses its agency. To check the file for a function, run `npx serverless package`.';

/** The key in HUAWEICLOUD_SDK_AK and the variables that belong to it; null if it is not set. */
export function readDefaultKey(env: Environment, report: Report): Credentials | null {
  const ak = env.HUAWEICLOUD_SDK_AK || '';
  const sk = env.HUAWEICLOUD_SDK_SK || '';
  const securityToken = env.HUAWEICLOUD_SDK_SECURITY_TOKEN || null;
  if (ak === '' && sk === '') return null;
  for (const [name, value] of [
    ['HUAWEICLOUD_SDK_AK', ak],
    ['HUAWEICLOUD_SDK_SK', sk],
    ['HUAWEICLOUD_SDK_SECURITY_TOKEN', securityToken],
  ] as const) {
    if (value === '') report(name, 'is not set, but the other half of the key is', keyHint);
    else if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
      report(name, 'contains white space or characters that no key has', 'Copy it again.');
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
    report(path, 'is not a log level', `One of: ${logLevels.join(', ')}.`);
  }
  return level ?? 'info';
}

/** Lower-case names win, as in curl. HTTP_PROXY is not used: plain http is for addresses of this host only. */
export function readProxy(env: Environment, report: Report): ProxyConfig {
  const read = (lower: string, upper: string): string | null => {
    const [name, given] = env[lower] ? [lower, env[lower]] : [upper, env[upper]];
    if (!given) return null;
    const url = given.includes('://') ? given : `http://${given}`;
    if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) {
      if (canDecode(new URL(url))) return url;
      const hint =
        'Write %25 for a % in the user or password, and %40 for an @, %3A for a : and %2F for a /.';
      report(name, 'has a % in its user or password without two hex digits after it', hint);
      return null;
    }
    report(name, 'is not a valid proxy address', 'Write http://host:port, or unset it.');
    return null;
  };
  return {
    httpsProxy: read('https_proxy', 'HTTPS_PROXY'),
    noProxy: env.no_proxy || env.NO_PROXY || null,
  };
}

/** Whether user and password are valid percent-encoding, as the proxy's login needs it. */
function canDecode({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username);
    decodeURIComponent(password);
    return true;
  } catch {
    return false;
  }
}
