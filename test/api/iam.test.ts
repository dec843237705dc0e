// Tests that IAM is requested as documented and no more often than needed, and that nothing is created there.

import { describe, expect, test } from 'vitest';
import { createTokenProvider, findProjectId } from '../../lib/api/iam.ts';
import type { CredentialsProvider } from '../../lib/api/sign.ts';
import { createFetch } from '../../lib/api/transport.ts';
import { AuthError, ConfigError, ProtocolError, TransientError } from '../../lib/core/errors.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { type Received, sendJson, startServer } from './answering-server.ts';

const startMs = Date.parse('2026-11-24T06:00:00Z');
function makeClock() {
  const time = { nowMs: startMs, monotonicMs: 0 };
  const clock = {
    nowMs: () => time.nowMs,
    monotonicMs: () => time.monotonicMs,
    sleep: async () => {},
  };
  return { time, clock };
}
const key: CredentialsProvider = async () => ({ kind: 'aksk', ak: 'TESTAK01', sk: 'test-secret' });

describe('findProjectId', () => {
  const find = (url: string, credentials = key) =>
    findProjectId({
      iamEndpoint: url,
      region: 'cn-south-4',
      credentials,
      fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
      log: () => {},
      clock: makeClock().clock,
      scrubber: createScrubber(),
      backoffMs: 0,
    });
  const project = (id: string, name: string, enabled = true) => ({ id, name, enabled });

  test('returns the enabled project with exactly that name, by a signed GET', async () => {
    const projects = [
      project('other', 'cn-south-4_sub'),
      project('off', 'cn-south-4', false),
      project('a4a5d4', 'cn-south-4'),
    ];
    const { url, received } = await startServer((response) =>
      sendJson(response, 200, { projects }),
    );
    expect(await find(url)).toBe('a4a5d4');
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: 'GET', url: '/v3/projects?name=cn-south-4' });
    expect(received[0]?.headers.authorization).toMatch(/^SDK-HMAC-SHA256 Access=TESTAK01/);
    expect(received[0]?.headers['x-sdk-date']).toBe('20261124T060000Z');
  });

  test('asks for projectId if there is no such project or more than one, and creates nothing', async () => {
    for (const projects of [[], [project('x', 'cn-south-4'), project('y', 'cn-south-4')]]) {
      const { url, received } = await startServer((response) =>
        sendJson(response, 200, { projects }),
      );
      const error = await find(url).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).issues[0]?.path).toBe('projectId');
      expect((error as ConfigError).hint).toMatch(/projectId/);
      expect(received.map(({ method }) => method)).toEqual(['GET']);
    }
  });

  test('returns the project of a sign-in token', async () => {
    const token = (projectId: string | null): CredentialsProvider => {
      const getToken = async () => ({ token: 't', expiresAtMs: 0, projectId });
      return async () => ({ kind: 'token', getToken, invalidate: () => {} });
    };
    expect(await find('http://127.0.0.1:1', token('p'))).toBe('p');
    await expect(find('http://127.0.0.1:1', token(null))).rejects.toBeInstanceOf(ConfigError);
  });

  test('ends a request before the invocation ends, and sends none without time left', async () => {
    const { url, received } = await startServer(() => {});
    const startedMs = performance.now();
    const leftMs = (totalMs: number) => () => totalMs - (performance.now() - startedMs);
    const ask = (totalMs: number) =>
      findProjectId({
        iamEndpoint: url,
        region: 'cn-south-4',
        credentials: key,
        fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
        log: () => {},
        clock: makeClock().clock,
        scrubber: createScrubber(),
        backoffMs: 0,
        mayWait: () => false,
        timeLeftMs: leftMs(totalMs),
      });
    await expect(ask(2_700)).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(performance.now() - startedMs).toBeLessThan(2_700);
    await expect(ask(2_700)).rejects.toMatchObject({ code: 'NO_TIME' });
    expect(received).toHaveLength(1);
  });

  test('retries transient errors a few times, and other errors not at all', async () => {
    const down = await startServer((response) => sendJson(response, 503, {}));
    await expect(find(down.url)).rejects.toBeInstanceOf(TransientError);
    expect(down.received).toHaveLength(4);
    const busy = await startServer((response) =>
      sendJson(response, 429, {}, { 'retry-after': '3600' }),
    );
    await expect(find(busy.url)).rejects.toThrow(/429/);
    expect(busy.received).toHaveLength(1);
    const broken = await startServer((response, _request, n) =>
      n < 2 ? response.end('{"projects') : sendJson(response, 200, { projects: [] }),
    );
    await expect(find(broken.url)).rejects.toThrow(/no enabled project/);
    expect(broken.received).toHaveLength(3);
    const stated = await startServer((response) =>
      sendJson(response, 200, { error: { code: 401, message: 'who are you', title: 'x' } }),
    );
    await expect(find(stated.url)).rejects.toMatchObject({
      name: 'AuthError',
      message: expect.stringContaining('"who are you"'),
    });
    expect(stated.received).toHaveLength(1);
    const refused = await startServer((response) => sendJson(response, 403, {}));
    await expect(find(refused.url)).rejects.toMatchObject({
      name: 'AuthError',
      hint: expect.stringContaining('iam:projects:listProjects'),
    });
    expect(refused.received).toHaveLength(1);
    const wrong = await startServer((response) => sendJson(response, 200, { items: [] }));
    await expect(find(wrong.url)).rejects.toThrow(
      "Expected an answer from IAM's project list, but received a JSON object with the fields items",
    );
  });
});

describe('createTokenProvider', () => {
  const tokenBody = (expiresAt: string, id?: string) => ({
    token: { expires_at: expiresAt, ...(id === undefined ? {} : { project: { id, name: 'r' } }) },
  });
  function setUp(url: string, projectId: string | null = null) {
    const { time, clock } = makeClock();
    const scrubber = createScrubber();
    const provider = createTokenProvider({
      iamEndpoint: url,
      user: 'auditor',
      password: 'pass"word',
      domain: 'acme',
      region: 'cn-south-4',
      projectId,
      fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
      log: () => {},
      clock,
      scrubber,
      backoffMs: 0,
    });
    return { time, provider, scrubber };
  }
  const serveTokens = () =>
    startServer((response, _request, n) =>
      sendJson(response, 201, tokenBody('2026-11-25T06:00:00.000000Z', 'proj-1'), {
        'x-subject-token': `subject-${n}`,
      }),
    );

  test('sends the documented request', async () => {
    const { url, received } = await serveTokens();
    const { provider } = setUp(url);
    expect(await provider.getToken()).toEqual({
      token: 'subject-0',
      expiresAtMs: Date.parse('2026-11-25T06:00:00Z'),
      projectId: 'proj-1',
    });
    const { method, url: path, body, headers } = received[0] as Received;
    expect([method, path]).toEqual(['POST', '/v3/auth/tokens']);
    expect(headers['content-type']).toBe('application/json');
    // CGS API Reference 2021-12-23, 2.1.
    expect(JSON.parse(body)).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'auditor', password: 'pass"word', domain: { name: 'acme' } } },
        },
        scope: { project: { name: 'cn-south-4' } },
      },
    });
    await setUp(url, 'p-9').provider.getToken();
    expect(JSON.parse(received[1]?.body ?? '').auth.scope).toEqual({ project: { id: 'p-9' } });
  });

  test('shares one request between callers, and renews 30 minutes before the end or when invalidated', async () => {
    const { url, received } = await serveTokens();
    const { time, provider } = setUp(url);
    const got = await Promise.all([provider.getToken(), provider.getToken(), provider.getToken()]);
    expect(new Set(got).size).toBe(1);
    time.nowMs += 23.5 * 3_600_000 - 1;
    await provider.getToken();
    expect(received).toHaveLength(1);
    time.nowMs += 1;
    expect((await provider.getToken()).token).toBe('subject-1');
    time.nowMs = startMs;
    // Invalidating an old token keeps the newer one.
    provider.invalidate('subject-0');
    expect((await provider.getToken()).token).toBe('subject-1');
    provider.invalidate('subject-1');
    expect((await provider.getToken()).token).toBe('subject-2');
  });

  test('uses the cached token while it is valid and IAM is down', async () => {
    let up = true;
    const { url } = await startServer((response) =>
      up
        ? sendJson(response, 201, tokenBody('2026-11-25T06:00:00Z'), { 'x-subject-token': 'one' })
        : sendJson(response, 503, {}),
    );
    const { time, provider } = setUp(url);
    expect((await provider.getToken()).projectId).toBeNull();
    up = false;
    time.nowMs += 23.8 * 3_600_000;
    expect((await provider.getToken()).token).toBe('one');
    time.nowMs += 3_600_000;
    await expect(provider.getToken()).rejects.toBeInstanceOf(TransientError);
  });

  test('does not retry a rejected password for 5 minutes', async () => {
    const { url, received } = await startServer((response) =>
      sendJson(response, 401, { error: { message: 'The username or password is wrong.' } }),
    );
    const { time, provider } = setUp(url);
    for (let n = 0; n < 3; n += 1) {
      await expect(provider.getToken()).rejects.toMatchObject({
        name: 'AuthError',
        hint: expect.stringContaining('iamPassword'),
      });
    }
    expect(received).toHaveLength(1);
    time.monotonicMs += 5 * 60_000;
    await expect(provider.getToken()).rejects.toBeInstanceOf(AuthError);
    expect(received).toHaveLength(2);
  });

  test('rejects an answer that is not a token', async () => {
    const bare = await startServer((response) =>
      sendJson(response, 201, tokenBody('2026-11-25T06:00:00Z')),
    );
    await expect(setUp(bare.url).provider.getToken()).rejects.toThrow(/without X-Subject-Token/);
    const endless = await startServer((response) =>
      sendJson(response, 201, { token: {} }, { 'x-subject-token': 'one' }),
    );
    await expect(setUp(endless.url).provider.getToken()).rejects.toBeInstanceOf(ProtocolError);
  });

  test('adds password and token to the scrubber', async () => {
    const { url } = await serveTokens();
    const { provider, scrubber } = setUp(url);
    await provider.getToken();
    expect(scrubber.scrub('subject-0 pass"word {"p":"pass\\"word"}')).toBe(
      '[redacted] [redacted] {"p":"[redacted]"}',
    );
  });
});
