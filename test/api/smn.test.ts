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
  [201, null],
  [403, 'NOT_PERMITTED'],
  [404, 'NOT_FOUND'],
  [500, 'SERVER'],
])('an answer of %i', async (status, code) => {
  const { url, received } = await startServer((response) =>
    sendJson(response, status, { code: 'SMN.00011', message: 'no' }),
  );
  const error = await publish(url, { kind: 'aksk', ...key });
  expect(error?.code ?? null).toBe(code);
  expect(received.length).toBe(status === 500 ? 2 : 1);
});
