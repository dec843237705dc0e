// Owns the proof that requests go through the proxy they are told, and only those that should.

import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { createFetch } from '../../lib/source/proxy.ts';
import { sendJson, startServer } from './answering-server.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

async function startProxy(): Promise<{ url: string; connects: string[]; logins: unknown[] }> {
  const connects: string[] = [];
  const logins: unknown[] = [];
  const server = createServer();
  server.on('connect', (request, socket: Socket) => {
    connects.push(request.url ?? '');
    logins.push(request.headers['proxy-authorization']);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://user:pass@127.0.0.1:${port}`, connects, logins };
}

test('https goes through the proxy, with its login', async () => {
  const proxy = await startProxy();
  const send = createFetch({ proxyUrl: proxy.url, noProxy: null });
  await expect(send('https://cgs.example/v5')).rejects.toThrow('fetch failed');
  expect(proxy.connects).toEqual(['cgs.example:443']);
  expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
});

test('not for the names in NO_PROXY, and not for plain http', async () => {
  const proxy = await startProxy();
  const { url } = await startServer((response) => sendJson(response, 200, { ok: true }));
  const send = createFetch({ proxyUrl: proxy.url, noProxy: 'localhost,.example' });
  await expect(send('https://localhost:1/')).rejects.toThrow('fetch failed');
  expect(await (await send(url)).json()).toEqual({ ok: true });
  expect(proxy.connects).toEqual([]);
});

test('the environment does not count', async () => {
  const proxy = await startProxy();
  vi.stubEnv('HTTPS_PROXY', proxy.url);
  vi.stubEnv('HTTP_PROXY', proxy.url);
  vi.stubEnv('NO_PROXY', '*');
  const direct = createFetch({ proxyUrl: null, noProxy: null });
  await expect(direct('https://localhost:1/')).rejects.toThrow('fetch failed');
  expect(proxy.connects).toEqual([]);
  const through = createFetch({ proxyUrl: proxy.url, noProxy: null });
  await expect(through('https://cgs.example/')).rejects.toThrow('fetch failed');
  expect(proxy.connects).toEqual(['cgs.example:443']);
});

test('nothing is printed about it', async () => {
  const proxy = await startProxy();
  const warned = vi.fn();
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const send = createFetch({ proxyUrl: proxy.url, noProxy: null });
  await expect(send('https://cgs.example/')).rejects.toThrow();
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).not.toHaveBeenCalled();
});
