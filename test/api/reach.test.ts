// Tests, over real sockets, whether a host counts as reached, and what its clock says.

import { expect, test } from 'vitest';
import { reachHost } from '../../lib/api/reach.ts';
import { createFetch } from '../../lib/api/transport.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { startServer } from './answering-server.ts';

const nowMs = Date.UTC(2026, 10, 25, 12);
const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now(), sleep: async () => {} };
const options = {
  fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
  settings: 'the endpoint',
  clock,
  scrubber: createScrubber(),
  signal: new AbortController().signal,
};

test.each([200, 300, 401, 404, 500])('status %i is an answer', async (status) => {
  const date = new Date(nowMs - 120_000).toUTCString();
  const { url, received } = await startServer((response) => {
    response.writeHead(status, { date }).end('<html>');
  });
  expect(await reachHost(options, `${url}/v5/ignored`)).toEqual({ aheadMs: 119_500 });
  expect(received).toHaveLength(1);
  expect(received[0]).toMatchObject({ method: 'GET', url: '/' });
  expect(received[0]?.headers.authorization).toBeUndefined();
});

test.each(['', 'yesterday'])('the Date header "%s" says nothing about the clock', async (date) => {
  const { url } = await startServer((response) => {
    response.sendDate = false;
    response.writeHead(200, date === '' ? {} : { date }).end();
  });
  expect(await reachHost(options, url)).toEqual({ aheadMs: null });
});

test('throws, after one try, why there is no answer', async () => {
  const { url, received } = await startServer((response) => void response.destroy());
  const { host } = new URL(url);
  await expect(reachHost(options, url)).rejects.toMatchObject({
    code: 'NETWORK',
    message: expect.stringContaining(host),
  });
  expect(received).toHaveLength(1);
});

test('throws the reason of the signal', async () => {
  const stopper = new AbortController();
  const { url } = await startServer(() => stopper.abort(new Error('enough')));
  await expect(reachHost({ ...options, signal: stopper.signal }, url)).rejects.toThrow('enough');
});
