// Responsible for an HTTP proxy that records every CONNECT request and refuses it.

import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * `answer`: what the proxy sends before it closes the connection. `connects`: host and port of each CONNECT. `logins`: the Proxy-Authorization header of each. The proxy stops at the end
 * of the test.
 */
export async function startConnectProxy(answer = 'HTTP/1.1 502 Bad Gateway\r\n\r\n'): Promise<{
  url: string;
  connects: string[];
  logins: unknown[];
}> {
  const connects: string[] = [];
  const logins: unknown[] = [];
  const server = createServer();
  server.on('connect', (request, socket: Socket) => {
    connects.push(request.url ?? '');
    logins.push(request.headers['proxy-authorization']);
    socket.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://user:pass@127.0.0.1:${port}`, connects, logins };
}
