// Tests one exchange on node:http: what is sent, when it left, and how the answer is read. Limits and faults: send.test.ts.

import { expect, test } from 'vitest';
import { createFetch } from '../../lib/api/transport.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { sendJson, startServer } from './answering-server.ts';

const fetch = createFetch(openConnections({ httpsProxy: null, noProxy: null }));
const { signal } = new AbortController();

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

test('sends method, headers and body unchanged, and returns status, headers and body', async () => {
  const { url, received } = await startServer((response) =>
    sendJson(response, 201, { token: '节点' }, { 'X-Subject-Token': 't', date: 'x' }),
  );
  const headers = { 'Content-Type': 'application/json', region: 'cn-south-4' };
  const body = '{"auth":"节点"}';
  const answer = await fetch(`${url}/v3/auth/tokens?a=%2A`, {
    method: 'POST',
    headers,
    body,
    signal,
  });
  expect(received).toMatchObject([
    { method: 'POST', url: '/v3/auth/tokens?a=%2A', body, headers: { region: 'cn-south-4' } },
  ]);
  expect(received[0]?.headers.host).toBe(new URL(url).host);
  expect(answer.status).toBe(201);
  expect(answer.headers.get('x-subject-token')).toBe('t');
  expect(await readText(answer.body)).toBe('{"token":"节点"}');
});

test('tells that the request has left before the answer comes', async () => {
  let answerNow = () => {};
  const { url } = await startServer((response) => {
    answerNow = () => void response.end('{}');
  });
  const sent = new Promise<void>((resolve) => {
    const onSent = () => resolve();
    void fetch(url, { method: 'GET', headers: {}, signal, onSent }).catch(() => {});
  });
  // The server has not answered, so only the departure can end this.
  await sent;
  answerNow();
});

test('uses one connection for requests in a row', async () => {
  const ports = new Set<number | undefined>();
  const { url } = await startServer((response) => {
    ports.add(response.socket?.remotePort);
    response.end('{}');
  });
  for (let count = 0; count < 3; count += 1) {
    const { body } = await fetch(url, { method: 'GET', headers: {}, signal });
    await readText(body);
  }
  expect(ports.size).toBe(1);
});

test('ends with the error of the connection or of the signal', async () => {
  const { url } = await startServer(() => {});
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const request = { method: 'GET', headers: {} };
  await expect(fetch(url, { ...request, signal: controller.signal })).rejects.toThrow(/abort/i);
  await expect(fetch('http://127.0.0.1:1/', { ...request, signal })).rejects.toThrow(
    /ECONNREFUSED/,
  );
});
