// Tests, over real sockets, the signature of a webhook's body, which answers are a success, and that no error shows the address
// or the answer.

import { expect, onTestFinished, test } from 'vitest';
import { createFetch } from '../../lib/api/transport.ts';
import { postToWebhook } from '../../lib/api/webhook.ts';
import { AuthError, ProtocolError, TransientError } from '../../lib/core/errors.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { type AlertReceiver, answerText, startAlertReceiver } from '../support/alert-receiver.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startTlsServer } from '../support/tls-server.ts';

const clock = {
  nowMs: () => Date.UTC(2026, 10, 24, 6),
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};
const fetch = createFetch(openConnections({ httpsProxy: null, noProxy: null }));
/** Too short for a second try. */
const limits = (timeoutMs = 400) => ({ timeoutMs, signal: new AbortController().signal });

async function start(): Promise<AlertReceiver> {
  const receiver = await startAlertReceiver({ ak: 'AK', sk: 'sk' });
  onTestFinished(() => receiver.close());
  return receiver;
}
const post = ({ url, secret }: Pick<AlertReceiver, 'url' | 'secret'>, more = limits()) =>
  postToWebhook(
    { url, secret, fetch, clock },
    (nowMs) => JSON.stringify({ id: '节点', nowMs }),
    more,
  );

test('the receiver gets the body with its HMAC, made for the time of the try', async () => {
  const receiver = await start();
  expect(await post(receiver)).toBeNull();
  expect(receiver.accepted).toEqual([{ id: '节点', nowMs: clock.nowMs() }]);
  expect(await post({ ...receiver, secret: 'another' })).toMatchObject({ code: 'WEBHOOK_DENIED' });
  expect(receiver.faults).toHaveLength(1);
});

test.each([
  [204, null, null],
  [403, AuthError, 'WEBHOOK_DENIED'],
  [404, ProtocolError, 'WEBHOOK_REFUSED'],
  [413, ProtocolError, 'WEBHOOK_REFUSED'],
  ['redirect', ProtocolError, 'WEBHOOK_REFUSED'],
  [429, TransientError, 'WEBHOOK_FAILED'],
  [503, TransientError, 'WEBHOOK_FAILED'],
  ['close', TransientError, 'NETWORK'],
  ['hang', TransientError, 'TIMEOUT'],
] as const)('an answer of %s', async (behaviour, type, code) => {
  const receiver = await start();
  receiver.behave(behaviour);
  const error = await post(receiver);
  if (type === null) {
    expect(error).toBeNull();
    return;
  }
  expect(error).toBeInstanceOf(type);
  expect(error?.code).toBe(code);
  const texts = `${error?.message}\n${error?.hint}`;
  for (const secret of [answerText, receiver.origin, new URL(receiver.url).host, receiver.secret]) {
    expect(texts).not.toContain(secret);
  }
  expect(receiver.others).toEqual([]);
});

test('a fault that can pass is tried a second time', async () => {
  const receiver = await start();
  receiver.behave(503);
  setTimeout(() => receiver.behave(200), 250);
  expect(await post(receiver, limits(5_000))).toBeNull();
  expect(receiver.accepted).toHaveLength(1);
});

test('an answer of 1 GB is not read', async () => {
  const receiver = await start();
  receiver.behave('huge');
  const before = process.memoryUsage().rss;
  expect(await post(receiver)).toBeNull();
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
});

test('a body that does not end costs no time: the status decides', async () => {
  const receiver = await start();
  receiver.behave('drip');
  const startMs = performance.now();
  for (let count = 0; count < 3; count += 1)
    expect(await post(receiver, limits(10_000))).toBeNull();
  expect(performance.now() - startMs).toBeLessThan(3_000);
  expect(receiver.accepted).toHaveLength(3);
});

test('a hint fits a test too, which nothing repeats; seconds are rounded', async () => {
  const receiver = await start();
  const hints: (string | undefined)[] = [];
  for (const behaviour of [503, 'hang', 'close'] as const) {
    receiver.behave(behaviour);
    const error = await post(receiver, limits(399.457));
    hints.push(error?.hint);
    if (behaviour === 'hang')
      expect(error?.message).toBe('the webhook did not answer within 0.4 s');
  }
  expect(hints.join('\n')).not.toMatch(/tries again|An export|invocation/);
});

test('the signal ends it', async () => {
  const receiver = await start();
  receiver.behave('hang');
  const stopper = new AbortController();
  const ended = post(receiver, { timeoutMs: 60_000, signal: stopper.signal }).catch(
    (error) => error,
  );
  setTimeout(() => stopper.abort(new Error('enough')), 50);
  expect(await ended).toBeInstanceOf(Error);
});

test('goes through the proxy, whose refusal names neither the host of the webhook nor the login', async () => {
  for (const answer of ['HTTP/1.1 407 No', 'HTTP/1.1 403 No', 'HTTP/1.1 502 No']) {
    const proxy = await startConnectProxy(`${answer}\r\nContent-Length: 0\r\n\r\n`);
    const proxied = createFetch(openConnections({ httpsProxy: proxy.url, noProxy: null }));
    const error = await postToWebhook(
      { url: 'https://hooks.example/services/T1', secret: 's', fetch: proxied, clock },
      () => '{}',
      limits(),
    );
    expect(proxy.connects[0]).toBe('hooks.example:443');
    expect(`${error?.message} ${error?.hint}`).not.toMatch(/hooks\.example|:pass\b/);
    expect(error?.message).toContain('proxy');
  }
});

test('a certificate that is not trusted is refused, without the host', async () => {
  const { url } = await startTlsServer('self-signed');
  const error = await post({ url: `${url}/services/T1`, secret: 's' });
  expect(error).toMatchObject({ name: 'ConnectionError', code: 'CERTIFICATE_REFUSED' });
  expect(`${error?.message} ${error?.hint}`).not.toMatch(/localhost|127\.0\.0\.1/);
});
