// Responsible for the FunctionGraph context: whether it is one, the agency's key, and environment variables.

import { type ConfigError, configFault } from '../core/errors.ts';
import type { Environment, KeyCredentials } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';

/**
 * The second argument of a Node.js handler. Source: FunctionGraph developer guide, "Node.js: context methods", read
 * 2026-11-24. The guide lists getAccessKey and getSecretKey as discontinued; they are not used.
 */
export interface FunctionContext {
  getRequestID?: () => string;
  getRemainingTimeInMilliSeconds: () => number;
  getSecurityAccessKey?: () => string;
  getSecuritySecretKey?: () => string;
  getSecurityToken?: () => string;
  getUserData?: (name: string) => string | undefined | null;
  /** MB. */
  getMemorySize?: () => number;
}

const methods = [
  ...['getRemainingTimeInMilliSeconds', 'getRequestID', 'getUserData', 'getMemorySize'],
  ...['getSecurityAccessKey', 'getSecuritySecretKey', 'getSecurityToken'],
];
/** Without the time left, no invocation could stop in time. The others have defaults. */
const [needed] = methods;

/** What is wrong with the second argument of a handler; null if it can be used as a FunctionContext. */
export function findContextFault(given: unknown): ConfigError | null {
  const fault = (message: string) =>
    configFault(
      'context',
      `${message}, so this is not an invocation by FunctionGraph`,
      'Let FunctionGraph call the handler, as handler(event, context). Elsewhere, run `cgs-export tick`.',
    );
  if (given === undefined || given === null) return fault('is missing');
  if (typeof given !== 'object') return fault('is not an object');
  const members = asRecord(given);
  const missing = methods.filter((name) => {
    const isGiven = members[name] !== undefined && members[name] !== null;
    return (isGiven || name === needed) && typeof members[name] !== 'function';
  });
  if (missing.length > 0) return fault(`has no ${missing.map((name) => `${name}()`).join(', ')}`);
  try {
    const leftMs = (given as FunctionContext).getRemainingTimeInMilliSeconds();
    if (Number.isFinite(leftMs)) return null;
  } catch {
    // As a value that is not a number.
  }
  return fault('has a getRemainingTimeInMilliSeconds() that returns no number');
}

/** Null if the argument has none: it may not be a context at all. */
export function readRequestId(given: unknown): string | null {
  const context = asRecord(given);
  return typeof context.getRequestID === 'function' ? String(context.getRequestID()) : null;
}

/** Reads the agency's temporary key again at each call. Throws ConfigError if the function has no agency. */
export function readAgencyKey(context: Partial<FunctionContext>): KeyCredentials {
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

/** Variables of the function first, then those of the process. Only getUserData() returns encrypted variables. */
export function readEnvironment(context: Partial<FunctionContext>, env: Environment): Environment {
  const read = (name: string | symbol) =>
    typeof name === 'string' ? context.getUserData?.(name) || env[name] : undefined;
  return new Proxy(env, {
    get: (_env, name) => read(name),
    has: (_env, name) => read(name) !== undefined,
  });
}
