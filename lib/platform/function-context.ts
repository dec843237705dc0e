// Owns what a FunctionGraph context is to this project: agency keys, time left, request id. Refuses everything else of it.

import { ConfigError } from '../core/errors.ts';
import type { Environment, KeyCredentials } from '../core/ports.ts';

/**
 * What FunctionGraph hands to a Node.js handler. Source: FunctionGraph developer guide, "Node.js: context methods", read
 * 2026-11-24; getAccessKey and getSecretKey are discontinued there and not used.
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
  /** Not FunctionGraph's: of `serverless invoke local`, where the key of whoever invokes stands for the agency's and may have no token. */
  isLocal?: boolean;
}

/** The agency's temporary key, fresh at each call. Throws ConfigError if the function has no agency. */
export function readAgencyKey(context: FunctionContext): KeyCredentials {
  const ak = context.getSecurityAccessKey?.();
  const sk = context.getSecuritySecretKey?.();
  const securityToken = context.getSecurityToken?.();
  if (!ak || !sk || (!securityToken && !context.isLocal)) {
    throw new ConfigError([
      {
        path: 'accounts',
        message: 'credentials are `agency`, but the function has no agency',
        hint: 'Give the function an agency that may read container nodes and write the bucket, or set credentials.',
      },
    ]);
  }
  return { kind: 'aksk', ak, sk, ...(securityToken ? { securityToken } : {}) };
}

/** Milliseconds left of this invocation: at each call anew. */
export function timeLeftOf(context: FunctionContext): () => number {
  return () => context.getRemainingTimeInMilliSeconds?.() ?? 0;
}

/** The function's own variables before the process's: FunctionGraph hands encrypted ones out by getUserData alone. */
export function readEnvironment(context: FunctionContext, env: Environment): Environment {
  return new Proxy(env, {
    get: (_env, name) =>
      typeof name === 'string' ? context.getUserData?.(name) || env[name] : undefined,
    has: (_env, name) =>
      typeof name === 'string' && (Boolean(context.getUserData?.(name)) || name in env),
  });
}
