// Tests which requests go through the proxy.

import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { createFetch } from '../../lib/api/proxy.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { sendJson, startServer } from './answering-server.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('sends https requests through the proxy, with the user and password of its URL', async () => {
  const proxy = await startConnectProxy();
  const send = createFetch({ proxyUrl: proxy.url, noProxy: null });
  await expect(send('https://cgs.example/v5')).rejects.toThrow('fetch failed');
  expect(proxy.connects).toEqual(['cgs.example:443']);
  expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
});

test('sends requests to hosts in NO_PROXY, and plain http, directly', async () => {
  const proxy = await startConnectProxy();
  const { url } = await startServer((response) => sendJson(response, 200, { ok: true }));
  const send = createFetch({ proxyUrl: proxy.url, noProxy: 'localhost,.example' });
  await expect(send('https://localhost:1/')).rejects.toThrow('fetch failed');
  expect(await (await send(url)).json()).toEqual({ ok: true });
  expect(proxy.connects).toEqual([]);
});

test('ignores the proxy variables of the environment', async () => {
  const proxy = await startConnectProxy();
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

test('causes no warning of Node', async () => {
  const proxy = await startConnectProxy();
  const warned = vi.fn();
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const send = createFetch({ proxyUrl: proxy.url, noProxy: null });
  await expect(send('https://cgs.example/')).rejects.toThrow();
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).not.toHaveBeenCalled();
});
