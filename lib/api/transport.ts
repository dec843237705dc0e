// Responsible for one HTTP exchange on a connection: the request, the head of the answer and its decoded body. Not responsible
// for proxies and TLS (platform/connections.ts), limits (send.ts) or the meaning of the answer (answers.ts).

import { type Agent, request as sendHttp } from 'node:http';
import { request as sendHttps } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createUnzip } from 'node:zlib';
import { VERSION } from '../core/version.ts';

export interface WireRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
  /** Called when the whole request was given to the operating system. */
  onSent?: () => void;
}

export interface WireAnswer {
  status: number;
  headers: Headers;
  /** `destroy`: ends the connection, so that nothing more of the body arrives. */
  body: (AsyncIterable<Uint8Array> & { destroy?(): void }) | null;
}

/** The part of Node's fetch that requests use. */
export type Fetch = (url: string, request: WireRequest) => Promise<WireAnswer>;

/**
 * On node:http and not Node's fetch: fetch cannot use a proxy, and it ends the connection at an interim answer that it did not
 * ask for (100 Continue). Interim answers are skipped here. Redirects are not followed.
 */
export function createFetch(openAgent: (address: string) => Promise<Agent>): Fetch {
  const agents = new Map<string, Promise<Agent>>();
  return async (url, { method, headers, body, signal, onSent }) => {
    const { origin, protocol } = new URL(url);
    const opening = agents.get(origin) ?? openAgent(origin);
    agents.set(origin, opening);
    const agent = await opening;
    return new Promise((resolve, reject) => {
      const send = protocol === 'https:' ? sendHttps : sendHttp;
      const request = send(url, {
        method,
        agent,
        signal,
        headers: {
          'User-Agent': `cgs-export/${VERSION}`,
          'Accept-Encoding': 'gzip',
          ...headers,
        },
      });
      request.once('finish', () => onSent?.());
      request.once('response', (response) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: toHeaders(response.rawHeaders),
          body: decode(response, response.headers['content-encoding']),
        }),
      );
      // Not `once`: an error after the answer ends the body too, and must not end the process.
      request.on('error', reject);
      request.end(body);
    });
  };
}

/** `raw`: names and values in turn. */
function toHeaders(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers.append(raw[index] ?? '', raw[index + 1] ?? '');
  }
  return headers;
}

/** A body in another encoding stays as it is: it is not JSON then. */
function decode(response: Readable, encoding = ''): Readable {
  if (!/^(x-)?gzip$|^deflate$/i.test(encoding.trim())) return response;
  // The reader of the decoded body gets the error of either stream.
  return pipeline(response, createUnzip(), () => {});
}
