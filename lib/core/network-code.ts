// Responsible for finding the network error code inside an error. Not responsible for what the code means to a caller.

import { asRecord } from './value-shape.ts';

const depthMax = 4;

/**
 * The error and the errors that caused it, outermost first, at most 4. The cause of an AggregateError is the first of its
 * `errors`. A value that is not an object counts as an error without fields.
 */
export function causesOf(error: unknown): Record<string, unknown>[] {
  const causes: Record<string, unknown>[] = [];
  for (let current = error; causes.length < depthMax; ) {
    const cause = asRecord(current);
    causes.push(cause);
    current = cause.cause ?? (Array.isArray(cause.errors) ? cause.errors[0] : undefined);
    if (current === undefined) break;
  }
  return causes;
}

/** System errors (ECONNRESET), TLS (CERT_, DEPTH_, SELF_, UNABLE_), undici (UND_ERR_), the HTTP parser (HPE_), zlib (Z_). */
const networkCode = /^(E[A-Z]|UND_ERR_|CERT_|DEPTH_|SELF_|UNABLE_|HPE_|Z_)/;

/** Such as ECONNRESET or CERT_HAS_EXPIRED; null if the error does not come from the network. */
export function readNetworkCode(error: unknown): string | null {
  for (const { code } of causesOf(error)) {
    // Node's ERR_INVALID_* report a wrong argument, which is a bug in this program.
    if (typeof code === 'string' && networkCode.test(code) && !/^ERR_INVALID/.test(code)) {
      return code;
    }
  }
  return null;
}
