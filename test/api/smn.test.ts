// Tests that a message to an SMN topic is signed as the service checks it, keeps its limits, and what its answers mean.

import { expect, onTestFinished, test } from 'vitest';
import type { Credentials } from '../../lib/api/sign.ts';
import { publishToTopic } from '../../lib/api/smn.ts';
import { createFetch } from '../../lib/api/transport.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { startAlertReceiver } from '../support/alert-receiver.ts';
import { sendJson, startServer } from './answering-server.ts';

const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };
const fetch = createFetch(openConnections({ httpsProxy: null, noProxy: null }));
const key = { ak: 'SMNTESTACCESSKEY0001', sk: 'a-secret-key-of-this-test' };

function publish(endpoint: string, credentials: Credentials, subject = 's', message = 'm') {
  const scrubber = createScrubber();
  return publishToTopic(
    {
      ...{ topicUrn: 'urn:smn:r-1:0f1e:alerts', region: 'r-1', projectId: '0f1e' },
      ...{ endpoint, fetch, clock, scrubber, credentials: async () => credentials },
    },
    { subject, message },
    { timeoutMs: 2_000, signal: new AbortController().signal },
  );
}

test('is signed over path, headers and body, for any text', async () => {
  const receiver = await startAlertReceiver(key);
  onTestFinished(() => receiver.close());
  const message = 'line 1\n{"name":"节点 😀 \\" + % &"}';
  expect(
    await publish(receiver.origin, { kind: 'aksk', ...key }, 'prod: 节点', message),
  ).toBeNull();
  expect(receiver.published).toEqual([
    {
      subject: 'prod: 节点',
      message,
      path: '/v2/0f1e/notifications/topics/urn:smn:r-1:0f1e:alerts/publish',
    },
  ]);
  const refused = await publish(receiver.origin, { kind: 'aksk', ...key, sk: 'wrong' });
  expect(refused).toMatchObject({
    name: 'AuthError',
    hint: expect.stringContaining('first account'),
  });
  expect(receiver.faults).toHaveLength(1);
});

test('a subject has at most 512 bytes and no control characters, and is not cut within a character', async () => {
  const receiver = await startAlertReceiver(key);
  onTestFinished(() => receiver.close());
  await publish(receiver.origin, { kind: 'aksk', ...key }, `a\n${'节'.repeat(300)}`);
  expect(receiver.published[0]?.subject).toBe(`a ${'节'.repeat(170)}`);
});

test('a sign-in sends its token', async () => {
  const { url, received } = await startServer((response) => sendJson(response, 200, {}));
  const token = {
    token: 'a-token-of-this-test',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    projectId: null,
  };
  const signIn = { kind: 'token', getToken: async () => token, invalidate: () => {} } as const;
  expect(await publish(url, signIn)).toBeNull();
  expect(received[0]?.headers).toMatchObject({
    'x-auth-token': token.token,
    'x-project-id': '0f1e',
  });
  expect(received[0]?.headers.authorization).toBeUndefined();
});

test.each([
  [201, null, ''],
  [400, 'REQUEST_REFUSED', 'alerts.smn.topicUrn'],
  [403, 'NOT_PERMITTED', 'smn:topic:publish'],
  [404, 'NOT_FOUND', 'the topic urn:smn:r-1:0f1e:alerts exists in project 0f1e in region r-1'],
  [429, 'RATE_LIMITED', 'SMN limits'],
  [500, 'SERVER', 'may be temporary'],
])(
  'an answer of %i: only its status is shown, with a hint about SMN',
  async (status, code, hint) => {
    const { url, received } = await startServer((response) => {
      response.setHeader('x-request-id', 'text-of-smn');
      sendJson(response, status, { code: 'SMN.00011', message: 'text-of-smn' });
    });
    const error = await publish(url, { kind: 'aksk', ...key });
    expect(error?.code ?? null).toBe(code);
    expect(received.length).toBe(status === 500 ? 2 : 1);
    if (error === null) return;
    expect(error.message).toMatch(new RegExp(`^SMN answered ${status}( and asked|$)`));
    expect(error.hint).toContain(hint);
    expect(`${error.message} ${error.hint}`).not.toMatch(
      /text-of-smn|tries again|An export|quota\.req/,
    );
  },
);

test.each([200, 404])('a body of %i that does not end costs no time', async (status) => {
  const { url, received } = await startServer((response) => {
    response.writeHead(status);
    response.write('{');
  });
  const startMs = performance.now();
  for (let count = 0; count < 3; count += 1) {
    const error = await publish(url, { kind: 'aksk', ...key });
    expect(error?.code).toBe(status === 200 ? undefined : 'NOT_FOUND');
  }
  expect(performance.now() - startMs).toBeLessThan(1_500);
  expect(received).toHaveLength(3);
});
