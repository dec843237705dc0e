// Responsible for the FunctionGraph context: the agency's key, the time left, and environment variables.

import { configFault } from '../core/errors.ts';
import type { Environment, KeyCredentials } from '../core/ports.ts';

/**
 * The second argument of a Node.js handler. Source: FunctionGraph developer guide, "Node.js: context methods", read
 * 2026-11-24. The guide lists getAccessKey and getSecretKey as discontinued; they are not used.
 */
export interface FunctionContext {
  getRequestID?: () => string;
  getRemainingTimeInMilliSeconds?: () => number;
  getSecurityAccessKey?: () => string;
  getSecuritySecretKey?: () => string;
  getSecurityToken?: () => string;
  getUserData?: (name: string) => string | undefined | null;
  /** MB. */
  getMemorySize?: () => number;
}

/** Reads the agency's temporary key again at each call. Throws ConfigError if the function has no agency. */
export function readAgencyKey(context: FunctionContext): KeyCredentials {
  const ak = context.getSecurityAccessKey?.();
  const sk = context.getSecuritySecretKey?.();
  const securityToken = context.getSecurityToken?.();
  if (!ak || !sk || !securityToken) {
    throw configFault(
      'accounts',
      'credentials are `agency`, but the function has no agency',
      'Give the function an agency that may read container nodes and write to the bucket, or set credentials.',
    );
  }
  return { kind: 'aksk', ak, sk, securityToken };
}

/** Milliseconds left in this invocation, now; 0 if the platform does not report them. */
export function readTimeLeftMs(context: FunctionContext): number {
  return context.getRemainingTimeInMilliSeconds?.() ?? 0;
}

/** Variables of the function first, then those of the process. Only getUserData() returns encrypted variables. */
export function readEnvironment(context: FunctionContext, env: Environment): Environment {
  const read = (name: string | symbol) =>
    typeof name === 'string' ? context.getUserData?.(name) || env[name] : undefined;
  return new Proxy(env, {
    get: (_env, name) => read(name),
    has: (_env, name) => read(name) !== undefined,
  });
}
