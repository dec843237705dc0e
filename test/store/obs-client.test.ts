// Tests that the client connects through the proxy or directly, according to its options only. TLS
// is tested in test/rgw.

import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../lib/platform/clock.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { addressOf, openClient } from '../../lib/store/obs-client.ts';
import { createStoreClock } from '../../lib/store/obs-clock.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';

async function openFor(
  endpoint: string,
  proxy: { httpsProxy: string | null; noProxy: string | null },
) {
  const opened = await openClient({
    endpoint,
    region: 'cn-south-4',
    pathStyle: false,
    bucket: 'lake',
    openAgent: openConnections(proxy),
    timeouts: { connectMs: 1_000, requestMs: 1_000, operationMs: 1_000 },
    accessKey: () => ({ ak: 'ak', sk: 'sk' }),
    clock: systemClock,
    storeClock: createStoreClock(systemClock),
  });
  onTestFinished(() => opened.close());
  const head = new opened.s3.HeadObjectCommand({ Bucket: 'lake', Key: 'a' });
  return () => opened.client.send(head).then(() => null, String);
}

test('connects through the proxy with its login, to a host name that starts with the bucket name', async () => {
  const proxy = await startConnectProxy();
  const send = await openFor('https://obs.example', { httpsProxy: proxy.url, noProxy: null });
  expect(await send()).not.toBeNull();
  expect(proxy.connects).toEqual(['lake.obs.example:443']);
  expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
});

test.each([
  ['obs.example', true],
  ['lake.obs.example', true],
  ['other.obs.example', false],
])('NO_PROXY=%s exempts the host name of the bucket: %s', async (noProxy, isExempt) => {
  const proxy = await startConnectProxy();
  const send = await openFor('https://obs.example', { httpsProxy: proxy.url, noProxy });
  await send();
  expect(proxy.connects).toHaveLength(isExempt ? 0 : 1);
});

test.each([
  ['https://obs.example', false, 'https://lake.obs.example'],
  ['https://obs.example:8443', false, 'https://lake.obs.example:8443'],
  ['https://obs.example', true, 'https://obs.example'],
  ['https://10.1.2.3', false, 'https://10.1.2.3'],
  ['https://[fd00::7]:8443', false, 'https://[fd00::7]:8443'],
])(
  'requests for the bucket lake at %s (path style: %s) go to %s',
  (endpoint, pathStyle, address) => {
    expect(addressOf({ endpoint, pathStyle, bucket: 'lake' })).toBe(address);
  },
);

test('connects directly to the names in NO_PROXY, and ignores the proxy of the environment', async () => {
  const proxy = await startConnectProxy();
  vi.stubEnv('HTTPS_PROXY', proxy.url);
  vi.stubEnv('https_proxy', proxy.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  // No server listens on port 1. The test is that the proxy gets no request.
  const excluded = await openFor('https://localhost:1', {
    httpsProxy: proxy.url,
    noProxy: 'localhost',
  });
  expect(await excluded()).not.toBeNull();
  const withoutProxy = await openFor('https://localhost:1', { httpsProxy: null, noProxy: null });
  expect(await withoutProxy()).not.toBeNull();
  expect(proxy.connects).toEqual([]);
});
