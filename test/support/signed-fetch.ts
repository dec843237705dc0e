// Responsible for a second S3 client: Signature Version 4 on top of fetch. Tests use it to check what the AWS SDK wrote.

import { createHmac } from 'node:crypto';
import { escapeAll, sha256 } from './plain-signature.ts';

export interface PlainKey {
  ak: string;
  sk: string;
  securityToken?: string;
}

const hmac = (key: string | Buffer, data: string) =>
  createHmac('sha256', key).update(data).digest();

/** Source: AWS, "Create a signed AWS API request", read 2026-11-24. */
export async function signedFetch(
  key: PlainKey,
  request: {
    method: string;
    /** Scheme, host and port. */
    origin: string;
    /** From the root, not encoded. */
    path: string;
    query?: Record<string, string>;
    body?: string | Uint8Array;
    headers?: Record<string, string>;
    service?: string;
  },
): Promise<Response> {
  const { method, origin, query = {}, body = '', service = 's3' } = request;
  const path = request.path.split('/').map(escapeAll).join('/');
  const queryText = Object.keys(query)
    .sort()
    .map((name) => `${escapeAll(name)}=${escapeAll(query[name] ?? '')}`)
    .join('&');
  const stamp = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-date': stamp,
    'x-amz-content-sha256': sha256(body),
    ...(key.securityToken === undefined ? {} : { 'x-amz-security-token': key.securityToken }),
  };
  const signed: Record<string, string> = { ...headers, host: new URL(origin).host };
  const names = Object.keys(signed).sort();
  const canonical = [
    method,
    path,
    queryText,
    ...names.map((name) => `${name}:${signed[name]}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
  const scope = `${stamp.slice(0, 8)}/test-1/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const signature = ['test-1', service, 'aws4_request'].reduce<Buffer>(
    (derived, part) => hmac(derived, part),
    hmac(`AWS4${key.sk}`, stamp.slice(0, 8)),
  );
  const credential = `${key.ak}/${scope}`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${hmac(signature, toSign).toString('hex')}`;
  return fetch(`${origin}${path}${queryText === '' ? '' : `?${queryText}`}`, {
    method,
    headers,
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: body as string }),
  });
}

/** Null: there is no such object. */
export async function readObject(
  key: PlainKey,
  origin: string,
  bucket: string,
  name: string,
): Promise<Buffer | null> {
  const answer = await signedFetch(key, { method: 'GET', origin, path: `/${bucket}/${name}` });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw new Error(`GET ${name}: ${answer.status} ${bytes}`);
  return bytes;
}

/** The first 1,000 keys with the prefix. */
export async function listNames(
  key: PlainKey,
  origin: string,
  bucket: string,
  prefix: string,
): Promise<string[]> {
  const query = { prefix, 'list-type': '2' };
  const answer = await signedFetch(key, { method: 'GET', origin, path: `/${bucket}`, query });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`LIST ${prefix}: ${answer.status} ${text}`);
  return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, name]) => name ?? '');
}
