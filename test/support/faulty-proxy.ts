// Owns a bad road to a real server: an HTTP proxy that counts, cuts, delays, refuses, and loses answers after the effect.

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
 * `cut`: the connection ends before the server hears of the request. `lose`: after its effect, without the answer.
 * `slowDown` and `fail`: 503 and 500 instead of the effect. `failAfter`: 500 after the effect. `delay`: the request waits.
 */
export type RoadFault =
  | { kind: 'cut' | 'lose' | 'slowDown' | 'fail' | 'failAfter' }
  | { kind: 'delay'; delayMs: number };

export interface RoadRequest {
  method: string;
  /** Without the bucket, unescaped: a key, or for a list `?` and its prefix. */
  name: string;
  atMs: number;
  fault: RoadFault['kind'] | null;
  /** Null: none reached the client. */
  status: number | null;
}

/** A page is stored with the checkpoint that tells of it, so each of the checkpoint's PUTs is one. */
export function isPage({ method, name }: RoadRequest): boolean {
  return method === 'PUT' && name.endsWith('checkpoint.json');
}

/** How often what was asked of which part of the store. */
export function countKinds(requests: readonly RoadRequest[]): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const { method, name } of requests) {
    const kind = `${method} ${/_\w+/.exec(name)?.[0] ?? name}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

export interface FaultyProxy {
  url: string;
  requests: RoadRequest[];
  stop(): Promise<void>;
}

export async function startFaultyProxy(options: {
  /** Scheme, host and port of the real server. */
  target: string;
  /** Asked once for each request, before anything else. */
  decide?: (request: RoadRequest, index: number) => RoadFault | null;
  /** True: leases of this road's user are answered here, so that it never sees another's. */
  ownLease?: boolean;
}): Promise<FaultyProxy> {
  const { target, decide = () => null, ownLease = false } = options;
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const requests: RoadRequest[] = [];
  let lease: Buffer | null = null;

  function forward(
    method: string,
    path: string,
    headers: IncomingHttpHeaders,
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer } | null> {
    return new Promise((resolve) => {
      // The Host header goes on as it came: it is signed.
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
    return lease === null ? refuse(response, 404, 'NoSuchKey') : answer(200, lease);
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
      const seen: RoadRequest = {
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
          ? refuse(response, 503, 'SlowDown')
          : refuse(response, 500, 'InternalError');
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
        seen.status = refuse(response, 500, 'InternalError');
        return;
      }
      seen.status = answer.status;
      delete answer.headers['transfer-encoding'];
      // A HEAD tells the length of what it does not send.
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

function refuse(response: ServerResponse, status: number, code: string): number {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>on request</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
  return status;
}
