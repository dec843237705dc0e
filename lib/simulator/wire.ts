// Owns HTTP as it comes and goes on one connection, broken answers included. Refuses to know what is asked.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../core/errors.ts';
import type { FaultKind } from './faults.ts';
import type { Answer } from './responses.ts';
import type { WireRequest } from './signature.ts';

/** The only address the simulator listens on. */
export const host = '127.0.0.1';
const bodyBytesMax = 12 * 1_024 * 1_024;

/** Resolves to the port. Throws ConfigError if it cannot be had. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = 'Choose another port, or 0 for any free one.';
      const message = `cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
      reject(new ConfigError([{ path: '--port', message, hint }]));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Returns the status that went out, null if none did. */
export function sendAnswer(
  socket: Socket,
  response: ServerResponse,
  answer: Answer,
  how: { fault: FaultKind | null; headers: Record<string, string> },
): number | null {
  if (how.fault === 'reset') {
    socket.resetAndDestroy();
    return null;
  }
  const whole = Buffer.from(answer.body);
  const half = whole.subarray(0, Math.ceil(whole.length / 2));
  // Half of a JSON object never parses, and its length is stated truly: only the content is broken.
  const body = how.fault === 'brokenJson' ? half : whole;
  const headers = { ...answer.headers, ...how.headers, 'Content-Length': body.length };
  response.writeHead(answer.status, headers);
  if (how.fault === 'truncated') response.write(half, () => socket.destroy());
  else response.end(body);
  return answer.status;
}

/** Null: longer than a signed request may be. Source: the API reference of 2021-12-23, 2.2, read 2026-11-24. */
export async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read to the end all the same: the client hears the answer only when it has sent everything.
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes <= bodyBytesMax ? Buffer.concat(chunks) : null;
}

export function toWireRequest(request: IncomingMessage, body: Buffer): WireRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return { method: request.method ?? 'GET', target: request.url ?? '/', headers, body };
}
