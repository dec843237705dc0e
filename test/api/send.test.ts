// Tests, over real sockets, that one request ends in time, within its size limit and with the right error.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Peer } from '../../lib/api/answers.ts';
import { type HttpRequest, requestTimeoutMs, sendRequest } from '../../lib/api/send.ts';
import { createFetch } from '../../lib/api/transport.ts';
import {
  AuthError,
  ConnectionError,
  ProtocolError,
  StoppedError,
  TransientError,
} from '../../lib/core/errors.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startTlsServer } from '../support/tls-server.ts';
import { sendJson, startServer } from './answering-server.ts';

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};
const peer: Peer = {
  fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
  clock,
  scrub: (text) => text,
  name: 'the container nodes API',
  settings: 'SETTINGS',
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
    expect(error?.message).toBe(
      'the container nodes API could not be reached: connection refused (ECONNREFUSED)',
    );
    expect(error).toHaveProperty('brief', 'connection refused');
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
  test('is read no further if its headers are too large', async () => {
    const { url } = await startServer((response) => {
      sendJson(response, 200, {}, { 'x-large': 'a'.repeat(17_000) });
    });
    const { error } = await get(url);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code: 'HEADERS_TOO_LARGE' });
    expect(error?.message).toContain('more than 16 kB');
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

describe('a body that is too large', () => {
  const megabyte = Buffer.alloc(1024 * 1024, '[');
  test.each([
    ['from a compressed one', true],
    ['from a plain one', false],
  ])('is not read to its end: %s', async (_name, isCompressed) => {
    let sent = 0;
    function* megabytes() {
      for (; sent < 60; sent += 1) yield megabyte;
    }
    const { url } = await startServer((response) => {
      if (isCompressed) {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(gzipSync(Buffer.alloc(65 * 1024 * 1024, '['), { level: 1 }));
      } else pipeline(Readable.from(megabytes()), response, () => {});
    });
    const { error } = await get(url);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error?.code).toBe('BODY_TOO_LARGE');
    expect(error?.message).toBe('the container nodes API sent more than 8 MiB in one answer');
    expect(sent).toBeLessThan(30);
  });
  test('is read if it has exactly the size that is allowed', async () => {
    const { url } = await startServer((response) =>
      response.end(Buffer.alloc(8 * 1024 * 1024, 'a')),
    );
    expect((await get(url)).error).toBeNull();
  });
  test('of an error does not hide its status', async () => {
    const { url } = await startServer((response) => {
      response.on('error', () => {});
      response.writeHead(401);
      response.end(Buffer.alloc(1024 * 1024, '{'));
    });
    const { error } = await get(url);
    expect(error).toBeInstanceOf(AuthError);
    expect(error?.message).toBe('the container nodes API answered 401');
  });
});

test('reads a compressed body, and asks for one', async () => {
  const { url, received } = await startServer((response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync('{"total_num":0}'));
  });
  expect((await get(url)).answer?.body).toBe('{"total_num":0}');
  expect(received[0]?.headers['accept-encoding']).toBe('gzip');
  expect(received[0]?.headers['user-agent']).toMatch(/^cgs-export\//);
});

test.each([
  ['truncated', gzipSync('{"total_num":0}').subarray(0, 20)],
  ['not compressed', Buffer.from('{"total_num":0}')],
])('a compressed body that is %s is a fault of the network', async (_name, body) => {
  const { url } = await startServer((response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(body);
  });
  const { error } = await get(url);
  expect(error).toBeInstanceOf(TransientError);
  expect(error?.message).toMatch(/the answer is damaged \(Z_/);
});

test('skips interim answers that it did not ask for', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n');
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
      setTimeout(() => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'), 20);
    });
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { error, answer } = await get(`http://127.0.0.1:${port}/`);
  expect(error).toBeNull();
  expect(answer?.body).toBe('{}');
});

describe('a connection that needs a person', () => {
  test.each([
    [
      'self-signed',
      'CERTIFICATE_REFUSED',
      /not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
      /NODE_EXTRA_CA_CERTS/,
    ],
    [
      'localhost',
      'CERTIFICATE_REFUSED',
      /not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/,
      /NODE_EXTRA_CA_CERTS/,
    ],
  ] as const)('is not counted as transient: certificate %s', async (name, code, message, hint) => {
    const { url } = await startTlsServer(name);
    const { error } = await get(url);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error?.hint).toMatch(hint);
  });
  test('is reported for https to a port for plain http', async () => {
    const { url } = await startServer((response) => response.end('{}'));
    const { error } = await get(url.replace('http:', 'https:'));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error?.code).toBe('TLS_FAILED');
  });
  test('is reported for a server with old protocols only', async () => {
    const old = {
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const;
    const { url } = await startTlsServer('localhost', undefined, old);
    const { error } = await get(url);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error?.code).toBe('TLS_FAILED');
  });
  test('is reported for a proxy that refuses the login, as a refused identity', async () => {
    const proxy = await startConnectProxy('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n');
    const fetch = createFetch(openConnections({ httpsProxy: proxy.url, noProxy: null }));
    const request = { method: 'GET', headers: {}, okStatus: 200, timeoutMs: 5_000 } as const;
    const { error } = await sendRequest(
      { ...peer, fetch },
      { ...request, url: 'https://hss.example/' },
    );
    expect(error).toBeInstanceOf(AuthError);
    expect(error?.code).toBe('PROXY_REFUSED');
    expect(error?.hint).toContain('%25');
    expect(String(error)).not.toContain('pass');
  });
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
