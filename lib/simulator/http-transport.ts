// Responsible for HTTP on the connection: listen, read a request, send a response, also one broken on purpose.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { configFault } from '../core/errors.ts';
import type { ResponseContent } from './response-bodies.ts';
import type { ReceivedRequest } from './signature-check.ts';

/** A request that is being answered. */
export interface Exchange {
  received: ReceivedRequest;
  url: URL;
  requestId: string;
}

/** The simulator listens on this address only. */
export const host = '127.0.0.1';

/** Returns the port. Throws ConfigError if the server cannot listen on it. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
      reject(configFault('--port', message, 'Choose another port, or 0 for any free port.'));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Resolves when the whole body has arrived, because a client reads the response only after it has sent everything. */
export async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  // String() joins the values of a repeated header with a comma.
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return {
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    headers: Object.fromEntries(headers),
    body: await buffer(request),
  };
}

/** Returns the status that was sent, or null if the connection was reset instead. */
export function sendResponse(
  response: ServerResponse,
  content: ResponseContent,
  headers: Readonly<Record<string, string>>,
): number | null {
  const { socket } = response.req;
  const kind = content.fault?.kind;
  if (kind === 'reset') {
    socket.resetAndDestroy();
    return null;
  }
  if (typeof content.body !== 'string') {
    response.writeHead(content.status, { ...content.headers, ...headers });
    Readable.from(content.body).pipe(response);
    return content.status;
  }
  const full = Buffer.from(content.body);
  const half = full.subarray(0, Math.ceil(full.length / 2));
  // Half of a JSON object never parses. Content-Length is its true length: only the content is broken.
  const body = kind === 'brokenJson' ? half : full;
  const all = { ...content.headers, ...headers, 'Content-Length': body.length };
  response.writeHead(content.status, all);
  if (kind === 'truncated') response.write(half, () => socket.destroy());
  else response.end(body);
  return content.status;
}
