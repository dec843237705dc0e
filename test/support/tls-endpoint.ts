// Responsible for an HTTPS server on loopback whose certificate nothing trusts. Its answers are empty.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** `certificate`: as PEM, for NODE_EXTRA_CA_CERTS. The server stops at the end of the test. */
export async function startTlsEndpoint(): Promise<{ url: string; certificate: string }> {
  const file = join(import.meta.dirname, '..', 'fixtures', 'self-signed.json');
  const { key, certificate } = JSON.parse(readFileSync(file, 'utf8'));
  const pem = new X509Certificate(Buffer.from(certificate, 'base64')).toString();
  const der = { key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' } as const;
  const server = createServer(
    { cert: pem, key: createPrivateKey(der).export({ type: 'pkcs8', format: 'pem' }) },
    (_request, response) => response.end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, certificate: pem };
}
