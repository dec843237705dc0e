// Responsible for finding the network error code inside an error, and the proxy that the error is about. Not responsible for
// what the code means to a caller.

import { asRecord } from './value-shape.ts';

const depthMax = 4;
const proxyField = 'cgsExportProxy';

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

/**
 * System errors and OpenSSL (ECONNRESET, ERR_SSL_), certificates (the names of OpenSSL's X509_V_ERR_ codes), the HTTP parser
 * (HPE_), zlib (Z_), and PROXY_ with the status of a proxy that refused a connection.
 */
const networkCode =
  /^(E[A-Z]|CERT_|CRL_|DEPTH_|SELF_|UNABLE_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_|HPE_|Z_|PROXY_)/;

/** Errors without a code, by their message: of node:http, and of https-proxy-agent about the answer of a proxy. */
const codeByMessage: readonly (readonly [RegExp, string])[] = [
  [/^(aborted|socket hang up|Premature close)$/, 'ECONNRESET'],
  [/^(Proxy connection|(Invalid|No) header\b.* proxy)/, 'PROXY_ENDED'],
];

/** Such as ECONNRESET or CERT_HAS_EXPIRED; null if the error does not come from the network. */
export function readNetworkCode(error: unknown): string | null {
  for (const { code, name, message } of causesOf(error)) {
    // Node's ERR_INVALID_* and the like report a wrong argument, which is a bug in this program.
    const isOfNode = typeof code === 'string' && /^ERR_(?!SSL_|TLS_)/.test(code);
    if (typeof code === 'string' && networkCode.test(code) && !isOfNode) return code;
    // Of the AWS SDK.
    if (name === 'TimeoutError') return 'ETIMEDOUT';
    const known = codeByMessage.find(
      ([pattern]) => typeof message === 'string' && pattern.test(message),
    );
    if (known) return known[1];
  }
  return null;
}

/**
 * Marks an error that came from the connection to a proxy, or from the proxy's answer to CONNECT. `host`: its host and port.
 * Returns the same error.
 */
export function markProxy<E extends Error>(error: E, host: string): E {
  return Object.assign(error, { [proxyField]: host });
}

/** Host and port of the proxy that failed; null: the error is about the server. */
export function readProxy(error: unknown): string | null {
  for (const cause of causesOf(error)) {
    const host = cause[proxyField];
    if (typeof host === 'string') return host;
  }
  return null;
}
