// Responsible for an S3 server with one bucket in memory, written without code of lib/. It does not check signatures: it
// is for faults that a real server does not have on demand.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface BucketFaults {
  /** Methods that are answered with 403 AccessDenied. */
  denied?: readonly string[];
  /** Requests with another access key than this one are answered with 403 InvalidAccessKeyId. */
  ak?: string;
  /** Every request is answered with 403 SignatureDoesNotMatch. */
  wrongKey?: boolean;
  /** Every request is answered with 400 AuthorizationHeaderMalformed. */
  wrongRegion?: boolean;
  /** How far the server's clock is ahead of the host's. */
  clockOffsetMs?: number;
  /** An overwritten object keeps its old bytes in reads. */
  stale?: boolean;
}

interface Stored {
  bytes: Buffer;
  md5: string;
  modified: Date;
}

/** Addresses are path style: `/lake/key`. The server stops at the end of the test. */
export async function startPlainBucket(
  faults: BucketFaults = {},
): Promise<{ url: string; requests: string[]; keys: () => string[] }> {
  const objects = new Map<string, Stored>();
  const requests: string[] = [];
  const nowMs = () => Date.now() + (faults.clockOffsetMs ?? 0);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://bucket');
    requests.push(`${method} ${pathname}`);
    const bytes = await buffer(request);
    response.setHeader('Date', new Date(nowMs()).toUTCString());
    response.setHeader('x-amz-request-id', 'PLAINBUCKET');
    const refuse = (status: number, code: string) => {
      response.writeHead(status, { 'Content-Type': 'application/xml' });
      response.end(method === 'HEAD' ? '' : `<Error><Code>${code}</Code></Error>`);
    };
    const { authorization = '' } = request.headers;
    if (faults.ak && !authorization.includes(`Credential=${faults.ak}/`)) {
      return refuse(403, 'InvalidAccessKeyId');
    }
    if (faults.wrongKey) return refuse(403, 'SignatureDoesNotMatch');
    if (faults.wrongRegion) return refuse(400, 'AuthorizationHeaderMalformed');
    if (faults.denied?.includes(method)) return refuse(403, 'AccessDenied');
    const key = decodeURIComponent(pathname.slice('/lake/'.length));
    const stored = objects.get(key);
    if (method === 'GET' && key === '') {
      response.end(renderList(objects, searchParams.get('prefix') ?? ''));
    } else if (method === 'PUT') {
      const md5 = createHash('md5').update(bytes).digest('hex');
      const shown = faults.stale && stored ? stored.bytes : bytes;
      const ofMetadata = String(request.headers['x-amz-meta-md5'] ?? '');
      const kept = faults.stale && stored ? stored.md5 : ofMetadata;
      objects.set(key, { bytes: shown, md5: kept, modified: new Date(nowMs()) });
      response.setHeader('ETag', `"${md5}"`);
      response.end();
    } else if (method === 'DELETE') {
      objects.delete(key);
      response.writeHead(204).end();
    } else if (stored === undefined) {
      refuse(404, 'NoSuchKey');
    } else {
      const etag = `"${createHash('md5').update(stored.bytes).digest('hex')}"`;
      const expected = request.headers['if-match'];
      if (expected !== undefined && expected !== etag) return refuse(412, 'PreconditionFailed');
      const [, from = '0', to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      const end = Math.min(Number(to ?? Number.POSITIVE_INFINITY) + 1, stored.bytes.length);
      const range = `bytes ${from}-${end - 1}/${stored.bytes.length}`;
      response.writeHead(to === undefined ? 200 : 206, {
        'Content-Length': end - Number(from),
        ...(to === undefined ? {} : { 'Content-Range': range }),
        ETag: etag,
        'x-amz-meta-md5': stored.md5,
      });
      response.end(method === 'HEAD' ? undefined : stored.bytes.subarray(Number(from), end));
    }
  }

  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, keys: () => [...objects.keys()] };
}

function renderList(objects: ReadonlyMap<string, Stored>, prefix: string): string {
  const found = [...objects].filter(([key]) => key.startsWith(prefix)).sort();
  const entries = found.map(
    ([key, { bytes, modified }]) =>
      `<Contents><Key>${key}</Key><LastModified>${modified.toISOString()}</LastModified><Size>${bytes.length}</Size></Contents>`,
  );
  return `<ListBucketResult><Name>lake</Name><IsTruncated>false</IsTruncated><MaxKeys>1000</MaxKeys>${entries.join('')}</ListBucketResult>`;
}
