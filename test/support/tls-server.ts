// Responsible for HTTPS servers on loopback with good and bad certificates. The certificates in test/fixtures/tls were made once
// with OpenSSL for these tests: ca.pem signed localhost.pem, expired.pem (until 2021) and other-host.pem (for other.example).

import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const folder = join(import.meta.dirname, '..', 'fixtures', 'tls');
export const caFile = join(folder, 'ca.pem');

export type Certificate = 'localhost' | 'expired' | 'other-host' | 'self-signed';

/** `connections`: how many were opened. The server is closed when the test ends. */
export async function startTlsServer(
  certificate: Certificate,
  answer: RequestListener = (_request, response) => void response.end('{}'),
  options: ServerOptions = {},
): Promise<{ url: string; port: number; connections: () => number }> {
  const der = readFileSync(join(folder, 'server-key.der'));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const server = createServer(
    {
      key: key.export({ format: 'pem', type: 'pkcs8' }),
      cert: readFileSync(join(folder, `${certificate}.pem`)),
      ...options,
    },
    answer,
  );
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}`, port, connections: () => connections };
}
