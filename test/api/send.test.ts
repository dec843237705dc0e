// Tests, over real sockets, that one request ends in time, within its size limit and with the right error.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Peer } from '../../lib/api/answers.ts';
import { type HttpRequest, requestTimeoutMs, sendRequest } from '../../lib/api/send.ts';
import { AuthError, ProtocolError, StoppedError, TransientError } from '../../lib/core/errors.ts';
import { sendJson, startServer } from './answering-server.ts';

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};
const peer: Peer = {
  fetch,
  clock,
  scrub: (text) => text,
  name: 'the container nodes API',
  identityHint: 'IDENTITY',
  permissionHint: 'PERMISSION',
  windowMs: 60_000,
};
function get(url: string, more: Partial<HttpRequest> = {}) {
  return sendRequest(peer, {
    method: 'GET',
    url,
    headers: {},
    okStatus: 200,
    timeoutMs: requestTimeoutMs,
    ...more,
  });
}

test('returns the whole answer, and when its request left', async () => {
  const { url, received } = await startServer((response) => {
    // Long after the request arrived, so that the time of the answer differs clearly.
    setTimeout(() => sendJson(response, 200, { name: '节点😀' }), 80);
  });
  const before = performance.now();
  const outcome = await get(`${url}/v5/p/container/nodes?limit=200&host_name=a%20b%2A`, {
    headers: { region: 'cn-south-4' },
  });
  expect(outcome.error).toBeNull();
  expect(outcome.answer?.body).toBe('{"name":"节点😀"}');
  expect(received[0]?.url).toBe('/v5/p/container/nodes?limit=200&host_name=a%20b%2A');
  expect(received[0]?.headers.region).toBe('cn-south-4');
  expect(outcome.sentAtMonotonicMs).toBeGreaterThanOrEqual(before);
  expect(performance.now() - outcome.sentAtMonotonicMs).toBeGreaterThan(70);
});

test('does not confuse the departures of two requests', async () => {
  const { url } = await startServer((response, request) => {
    setTimeout(() => sendJson(response, 200, {}), request.url === '/slow' ? 120 : 0);
  });
  const slow = get(`${url}/slow`);
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 60));
  await get(`${url}/other`);
  expect((await slow).sentAtMonotonicMs - started).toBeLessThan(50);
});

test('uses the time of the answer if fetch does not publish the departure', async () => {
  const quiet = { ...peer, fetch: async () => new Response('{}') };
  const before = performance.now();
  const outcome = await sendRequest(quiet, {
    method: 'GET',
    url: 'http://127.0.0.1/',
    headers: {},
    okStatus: 200,
    timeoutMs: 1000,
  });
  expect(outcome.sentAtMonotonicMs).toBeGreaterThanOrEqual(before);
});

describe('the time-out', () => {
  test('ends a request without an answer, and counts it as sent at that moment', async () => {
    const { url } = await startServer(() => {});
    const before = performance.now();
    const outcome = await get(url, { timeoutMs: 60 });
    expect(outcome.error).toBeInstanceOf(TransientError);
    expect(outcome.error?.code).toBe('TIMEOUT');
    expect(outcome.error?.message).toContain('0.06 s');
    expect(outcome.answer).toBeNull();
    expect(outcome.sentAtMonotonicMs - before).toBeGreaterThanOrEqual(55);
    expect(performance.now() - before).toBeLessThan(5000);
  });
  test('includes the body', async () => {
    const { url } = await startServer((response) => {
      response.writeHead(200);
      response.write('{"total_num":');
    });
    expect((await get(url, { timeoutMs: 60 })).error?.code).toBe('TIMEOUT');
  });
  test('does not hide a rejected key whose error text never ends', async () => {
    const { url } = await startServer((response) => {
      response.writeHead(401);
      response.write('{"error_msg":');
    });
    expect((await get(url, { timeoutMs: 60 })).error).toBeInstanceOf(AuthError);
  });
  test('is 20 s', () => {
    expect(requestTimeoutMs).toBe(20_000);
  });
});

describe('a network error', () => {
  test('is reported if the connection is refused', async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const { error } = await get(`http://127.0.0.1:${port}/`);
    expect(error).toBeInstanceOf(TransientError);
    expect(error?.message).toBe('the container nodes API could not be reached: ECONNREFUSED');
  });
  test('is reported if the connection is reset before the answer', async () => {
    const { url } = await startServer((response) => response.socket?.resetAndDestroy());
    const outcome = await get(url);
    expect(outcome.error?.code).toBe('NETWORK');
    expect(outcome.answer).toBeNull();
  });
  test('is transient if the body is truncated', async () => {
    const { url } = await startServer((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"total_num":1');
      setTimeout(() => response.destroy(), 10);
    });
    expect((await get(url)).error).toBeInstanceOf(TransientError);
  });
  test('is BODY_BROKEN if the body is not UTF-8', async () => {
    const { url } = await startServer((response) => {
      response.end(Buffer.from([0x22, 0xff, 0xfe, 0x22]));
    });
    expect((await get(url)).error?.code).toBe('BODY_BROKEN');
  });
  test('is reported if the answer is not HTTP', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect((await get(`http://127.0.0.1:${port}/`)).error).toBeInstanceOf(TransientError);
  });
});

test('does not follow a redirect', async () => {
  const { url, received } = await startServer((response) => {
    response.writeHead(302, { location: '/elsewhere' });
    response.end();
  });
  expect((await get(url)).error).toBeInstanceOf(ProtocolError);
  expect(received).toHaveLength(1);
});

test('stops reading a body that is too large', async () => {
  const { url } = await startServer((response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    // 65 MB of spaces, 64 kB on the wire.
    response.end(gzipSync(Buffer.alloc(65 * 1024 * 1024, 0x20), { level: 1 }));
  });
  const { error } = await get(url);
  expect(error).toBeInstanceOf(ProtocolError);
  expect(error?.code).toBe('BODY_TOO_LARGE');
});

describe('an aborted signal', () => {
  test('gives its reason to throw and an error to report', async () => {
    const { url } = await startServer(() => {});
    const controller = new AbortController();
    const reason = new StoppedError('STOPPED', 'enough', 'go on later');
    setTimeout(() => controller.abort(reason), 30);
    const outcome = await get(url, { signal: controller.signal });
    expect(outcome.thrown?.value).toBe(reason);
    expect(outcome.error).toBe(reason);
  });
  test('ends the reading of a body, also with a reason that is not an Error', async () => {
    const { url } = await startServer((response) => {
      response.writeHead(503);
      response.write('x');
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort('why not'), 50);
    const outcome = await get(url, { signal: controller.signal });
    expect(outcome.thrown?.value).toBe('why not');
    expect(outcome.error).toBeInstanceOf(StoppedError);
  });
});

test('does not mistake a bug for a network error', async () => {
  const fault = new TypeError("Cannot read properties of undefined (reading 'x')");
  const broken: Peer = {
    ...peer,
    fetch: async () => {
      throw fault;
    },
  };
  const outcome = await sendRequest(broken, {
    method: 'GET',
    url: 'http://127.0.0.1/',
    headers: {},
    okStatus: 200,
    timeoutMs: 1000,
  });
  expect(outcome.thrown?.value).toBe(fault);
});

test('rejects a value that is not valid in a header without showing it', async () => {
  for (const value of ['tok\nen', 'tök', '令牌']) {
    const headers = { 'X-Auth-Token': value };
    const refused = (await get('http://127.0.0.1/', { headers })).error;
    expect(refused).toBeInstanceOf(AuthError);
    expect(String(refused)).not.toContain(value);
  }
});
