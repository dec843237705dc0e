// Responsible for an unreliable connection to a real store: an HTTP proxy that counts, drops, delays and fails requests.

import { createHash } from 'node:crypto';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * `cut`: the connection closes before the server gets the request. `lose`: it closes after the effect, without the
 * response. `slowDown` and `fail`: 503 and 500 without the effect. `failAfter`: 500 after the effect. `delay`: the
 * server gets the request later.
 */
export type ProxyFault =
  | { kind: 'cut' | 'lose' | 'slowDown' | 'fail' | 'failAfter' }
  | { kind: 'delay'; delayMs: number };

export interface ProxiedRequest {
  method: string;
  /** The key without the bucket, decoded. For a list: `?` and the prefix. */
  name: string;
  atMs: number;
  fault: ProxyFault['kind'] | null;
  /** Null: no response reached the client. */
  status: number | null;
}

/** A page is stored in the same PUT as its checkpoint, so each PUT of a checkpoint stores a page. */
export function isPage({ method, name }: ProxiedRequest): boolean {
  return method === 'PUT' && name.endsWith('checkpoint.json');
}

/** Number of requests by method and part of the store. */
export function countKinds(requests: readonly ProxiedRequest[]): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const { method, name } of requests) {
    const kind = `${method} ${/_\w+/.exec(name)?.[0] ?? name}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

export interface FaultyProxy {
  url: string;
  requests: ProxiedRequest[];
  stop(): Promise<void>;
}

export async function startFaultyProxy(options: {
  /** Scheme, host and port of the real server. */
  target: string;
  /** Called once for each request, before anything else. */
  decide?: (request: ProxiedRequest, index: number) => ProxyFault | null;
  /** True: the proxy answers requests for leases itself, so that its client does not see another client's lease. */
  ownLease?: boolean;
}): Promise<FaultyProxy> {
  const { target, decide = () => null, ownLease = false } = options;
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const requests: ProxiedRequest[] = [];
  let lease: Buffer | null = null;

  function forward(
    method: string,
    path: string,
    headers: IncomingHttpHeaders,
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer } | null> {
    return new Promise((resolve) => {
      // The Host header is forwarded unchanged, because it is signed.
      const sent = sendRequest({ hostname, port, method, path, headers, agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks),
          }),
        );
        answer.on('error', () => resolve(null));
      });
      sent.on('error', () => resolve(null));
      sent.end(body);
    });
  }

  function answerLease(method: string, body: Buffer, response: ServerResponse): number {
    const answer = (status: number, content: Buffer = Buffer.alloc(0)) => {
      const etag = `"${createHash('md5')
        .update(method === 'PUT' ? body : content)
        .digest('hex')}"`;
      response.writeHead(status, { 'content-length': content.length, etag }).end(content);
      return status;
    };
    if (method === 'PUT') lease = body;
    if (method === 'DELETE') lease = null;
    if (method === 'PUT') return answer(200);
    if (method === 'DELETE') return answer(204);
    return lease === null ? sendError(response, 404, 'NoSuchKey') : answer(200, lease);
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { method = '', url = '', headers } = request;
      const { pathname, searchParams } = new URL(url, target);
      const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
      const prefix = searchParams.get('prefix');
      const seen: ProxiedRequest = {
        method,
        name: key === '' ? `?${prefix ?? ''}` : key,
        atMs: performance.now(),
        fault: null,
        status: null,
      };
      const fault = decide(seen, requests.length);
      seen.fault = fault?.kind ?? null;
      requests.push(seen);
      const body = Buffer.concat(chunks);
      if (ownLease && key.includes('/_lease/')) {
        seen.status = answerLease(method, body, response);
        return;
      }
      if (fault?.kind === 'cut') {
        request.socket.destroy();
        return;
      }
      if (fault?.kind === 'slowDown' || fault?.kind === 'fail') {
        const isSlow = fault.kind === 'slowDown';
        seen.status = isSlow
          ? sendError(response, 503, 'SlowDown')
          : sendError(response, 500, 'InternalError');
        return;
      }
      if (fault?.kind === 'delay') {
        await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      }
      const answer = await forward(method, url, headers, body);
      if (answer === null || fault?.kind === 'lose') {
        request.socket.destroy();
        return;
      }
      if (fault?.kind === 'failAfter') {
        seen.status = sendError(response, 500, 'InternalError');
        return;
      }
      seen.status = answer.status;
      delete answer.headers['transfer-encoding'];
      // The response to HEAD has the length of the body that it does not send.
      if (method !== 'HEAD') answer.headers['content-length'] = String(answer.body.length);
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function sendError(response: ServerResponse, status: number, code: string): number {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>on request</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
  return status;
}
