// Owns the proof of the way to the store: through the proxy or past it, by settings alone. TLS itself is in test/rgw.

import { expect, onTestFinished, test, vi } from 'vitest';
import { openClient } from '../../lib/store/obs-client.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';

async function openFor(endpoint: string, proxy: { url: string | null; noProxy: string | null }) {
  const opened = await openClient({
    endpoint,
    region: 'cn-south-4',
    pathStyle: false,
    proxy,
    timeouts: { connectMs: 1_000, requestMs: 1_000, wholeMs: 1_000 },
    key: () => ({ ak: 'ak', sk: 'sk' }),
    monotonicMs: () => performance.now(),
    onDate: () => {},
  });
  onTestFinished(() => opened.close());
  const head = new opened.s3.HeadObjectCommand({ Bucket: 'lake', Key: 'a' });
  return () => opened.client.send(head).then(() => null, String);
}

test('the bucket is in the name of the host, and that goes through the proxy, with its login', async () => {
  const proxy = await startConnectProxy();
  const send = await openFor('https://obs.example', { url: proxy.url, noProxy: null });
  expect(await send()).not.toBeNull();
  expect(proxy.connects).toEqual(['lake.obs.example:443']);
  expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
});

test('not for the names in NO_PROXY, and the environment does not count', async () => {
  const proxy = await startConnectProxy();
  vi.stubEnv('HTTPS_PROXY', proxy.url);
  vi.stubEnv('https_proxy', proxy.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  // Nobody listens there: what counts is that the proxy is not asked.
  const passing = await openFor('https://localhost:1', { url: proxy.url, noProxy: 'localhost' });
  expect(await passing()).not.toBeNull();
  const without = await openFor('https://localhost:1', { url: null, noProxy: null });
  expect(await without()).not.toBeNull();
  expect(proxy.connects).toEqual([]);
});
