// Tests, over real sockets, how a page is requested, checked and retried, and how each request is reported to the gate.

import type { ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { createSource, type SourceOptions } from '../../lib/api/pages.ts';
import type { CredentialsProvider, Token } from '../../lib/api/sign.ts';
import { createFetch } from '../../lib/api/transport.ts';
import {
  AuthError,
  ProtocolError,
  RateLimitedError,
  StoppedError,
  TransientError,
} from '../../lib/core/errors.ts';
import { RawNumber } from '../../lib/core/exact-json.ts';
import type { RequestGate, Sent } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createLog } from '../../lib/platform/log.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { countCases } from '../support/cases.ts';
import { type Received, sendJson, startServer } from './answering-server.ts';

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};
const key: CredentialsProvider = async () => ({ kind: 'aksk', ak: 'TESTAK01', sk: 'test-secret' });

function makeSource(url: string, more: Partial<SourceOptions> = {}) {
  return createSource({
    dataset: containerNodes,
    scope: { api: 'hss', enterpriseProjectId: null, filters: {} },
    endpoint: url,
    region: 'cn-south-4',
    projectId: '0f1e2d',
    credentials: key,
    fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
    clock,
    scrubber: createScrubber(),
    log: () => {},
    backoffMs: 0,
    windowMs: 60_000,
    ...more,
  });
}

/** A gate that admits `admits` requests and records the calls in order. */
function makeGate(more: Partial<RequestGate> & { admits?: number } = {}) {
  const events: string[] = [];
  const sent: Sent[] = [];
  let left = more.admits ?? 100;
  const gate: RequestGate = {
    async admit() {
      left -= 1;
      events.push(left >= 0 ? 'admit' : 'refuse');
      return left >= 0;
    },
    async sent(outcome) {
      events.push('sent');
      sent.push(outcome);
    },
    mayWait: () => true,
    timeLeftMs: () => 60_000,
    signal: new AbortController().signal,
    ...more,
  };
  return { gate, events, sent };
}

const node = { host_id: 'caa958ad', host_name: 'test' };
const page = { total_num: 1, data_list: [node] };
const first = { offset: 0, limit: 200 };
const later = (response: ServerResponse, n: number, failures: (() => void)[]) =>
  n < failures.length ? failures[n]?.() : sendJson(response, 200, page);

test('sends the documented request and returns the body and the parsed page', async () => {
  const text = '{ "total_num": 2,\n "data_list": [{"host_id":"ä","big":12345678901234567890}] }';
  const { url, received } = await startServer((response) => response.end(text));
  const scope = {
    api: 'hss',
    enterpriseProjectId: 'all_granted_eps',
    filters: { hostName: '网 a+b' },
  } as const;
  const { gate, events, sent } = makeGate();
  const before = Date.now();
  const got = await makeSource(url, { scope }).fetchPage({ offset: 199, limit: 200 }, gate);
  // Numbers that a double cannot hold keep their digits.
  const records = [{ host_id: 'ä', big: new RawNumber('12345678901234567890') }];
  expect(got).toEqual({
    body: text,
    page: { totalNum: 2, records },
    fetchedAtMs: expect.any(Number),
  });
  expect((got as { fetchedAtMs: number }).fetchedAtMs).toBeGreaterThanOrEqual(before);
  const { method, url: path, headers } = received[0] as Received;
  expect(method).toBe('GET');
  expect(path).toBe(
    '/v5/0f1e2d/container/nodes?host_name=%E7%BD%91%20a%2Bb&enterprise_project_id=all_granted_eps&limit=200&offset=199',
  );
  expect(headers.region).toBe('cn-south-4');
  expect(headers['x-project-id']).toBe('0f1e2d');
  expect(headers.authorization).toMatch(
    /^SDK-HMAC-SHA256 Access=TESTAK01, SignedHeaders=content-type;host;region;x-project-id;x-sdk-date, Signature=[0-9a-f]{64}$/,
  );
  expect(headers['x-sdk-date']).toMatch(/^\d{8}T\d{6}Z$/);
  expect(events).toEqual(['admit', 'sent']);
  expect(sent[0]?.error).toBeNull();
});

test('asks for temporary keys for each try, and signs their token', async () => {
  let n = 0;
  const credentials: CredentialsProvider = async () => ({
    kind: 'aksk',
    ak: `TESTAK0${n++}`,
    sk: 'test-secret',
    securityToken: 'temporary',
  });
  const { url, received } = await startServer((response, _request, count) =>
    later(response, count, [() => sendJson(response, 503, {})]),
  );
  await makeSource(url, { credentials }).fetchPage(first, makeGate().gate);
  expect(received.map(({ headers }) => headers['x-security-token'])).toEqual(
    Array(2).fill('temporary'),
  );
  expect(received[1]?.headers.authorization).toMatch(/Access=TESTAK01.*x-security-token/);
});

describe('the body of a 200 response', () => {
  test.each([
    ['a list without nodes', '{"total_num":0,"data_list":null}'],
    ['a total of 0 without a list', '{"total_num":0}'],
    ['elements of any kind', '{"total_num":9,"data_list":[null,1,"x",[],{}]}'],
    ['an empty page past the end', '{"total_num":7,"data_list":[]}'],
  ])('is accepted with %s', async (_name, body) => {
    const { url } = await startServer((response) => response.end(body));
    const got = await makeSource(url).fetchPage(first, makeGate().gate);
    expect(got).toMatchObject({ body });
  });

  test('with the error of a throttled or refused request is handled as that error', async () => {
    const answers = [
      { error_code: 'APIGW.0308', error_msg: 'limit:5,time:1 minute' },
      { error_code: 'APIGW.0301', error_msg: 'wrong key' },
    ];
    const { url, received } = await startServer((response, _request, n) =>
      sendJson(response, 200, answers[n]),
    );
    const { gate, sent } = makeGate();
    const error = await makeSource(url)
      .fetchPage(first, gate)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toHaveProperty('code', 'REFUSED');
    expect((error as Error).message).toContain('"wrong key"');
    expect(received).toHaveLength(2);
    expect(sent[0]?.error).toBeInstanceOf(RateLimitedError);
  });

  test('is a page if empty error fields stand beside it', async () => {
    const { url } = await startServer((response) =>
      sendJson(response, 200, { total_num: 0, data_list: [], error_code: '', error_msg: '' }),
    );
    await expect(makeSource(url).fetchPage(first, makeGate().gate)).resolves.toHaveProperty('page');
  });

  test.each([
    ['an HTML page', '<html>login</html>', /but received an HTML page$/],
    ['a JSON array', '[]', /received a JSON array: it is not an object$/],
    ['an error object', '{"error_code":"X"}', /answered 200 X$/],
    [
      'an empty page beside an error',
      '{"total_num":0,"data_list":[],"error_code":"X"}',
      /answered 200 X$/,
    ],
    ['a body without a total', '{"data_list":[]}', /fields data_list: total_num is missing$/],
    ['a negative total', '{"total_num":-1,"data_list":[]}', /: total_num is not a count$/],
    ['a total as text', '{"total_num":"1","data_list":[]}', /: total_num is not a count$/],
    ['a fractional total', '{"total_num":1.5,"data_list":[]}', /: total_num is not a count$/],
    ['an infinite total', '{"total_num":1e400,"data_list":[]}', /: total_num is not a count$/],
    [
      'records that are not an array',
      '{"total_num":1,"data_list":{}}',
      /data_list is not an array$/,
    ],
    [
      'a total without records',
      '{"total_num":1,"data_list":null}',
      /total_num is 1 without data_l/,
    ],
    [
      'too many records',
      '{"total_num":3,"data_list":[1,2,3]}',
      /page of 3 records where at most 2 w/,
    ],
    ['broken JSON', '{"total_num":3,"secret', /truncated or invalid JSON$/],
    [
      'JSON nested too deeply',
      `{"x":${'['.repeat(9_000)}${']'.repeat(9_000)}}`,
      /JSON with more than 500 levels$/,
    ],
  ])('is tried three times and then rejected if it is %s', async (_name, body, message) => {
    const { url, received } = await startServer((response) => response.end(body));
    const { gate, sent } = makeGate();
    const end = makeSource(url).fetchPage({ offset: 0, limit: 2 }, gate);
    const error = await end.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toHaveProperty('code', 'NOT_A_PAGE');
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('secret');
    expect(received).toHaveLength(3);
    expect(sent[2]?.error).toBe(error);
  });

  test('is requested again if it was truncated inside its compression', async () => {
    const { url } = await startServer((response, _request, n) => {
      if (n > 0) return sendJson(response, 200, page);
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify({ total_num: 1, x: 'y'.repeat(999) })).subarray(0, 22));
    });
    const { gate, sent } = makeGate();
    expect(await makeSource(url).fetchPage(first, gate)).toMatchObject({
      body: JSON.stringify(page),
    });
    expect(sent[0]?.error).toBeInstanceOf(TransientError);
  });
});

describe('retries', () => {
  test('repeat transient errors, with admit before and sent after each request', async () => {
    const { url, received } = await startServer((response, _request, n) =>
      later(response, n, [
        () => sendJson(response, 500, {}),
        () => response.socket?.resetAndDestroy(),
        () => response.end('<html>'),
        () => sendJson(response, 429, {}),
      ]),
    );
    const { gate, events, sent } = makeGate();
    expect(await makeSource(url).fetchPage(first, gate)).not.toBe('paused');
    expect(received).toHaveLength(5);
    expect(events).toEqual(Array(5).fill(['admit', 'sent']).flat());
    expect(sent.map(({ error }) => error?.name ?? null)).toEqual([
      'TransientError',
      'TransientError',
      'ProtocolError',
      'RateLimitedError',
      null,
    ]);
    expect(sent.map(({ atMonotonicMs }) => atMonotonicMs)).toEqual(
      sent.map(({ atMonotonicMs }) => atMonotonicMs).sort((a, b) => a - b),
    );
  });

  test.each([
    [503, TransientError, 10],
    [429, RateLimitedError, 10],
    [400, ProtocolError, 1],
    [404, ProtocolError, 1],
    [202, TransientError, 10],
    [204, ProtocolError, 3],
    [409, TransientError, 10],
    [407, AuthError, 1],
    [302, ProtocolError, 1],
    [401, AuthError, 1],
    [403, AuthError, 1],
  ])('end with the right error if every answer is %i', async (status, kind, tries) => {
    const { url, received } = await startServer((response) => sendJson(response, status, {}));
    const end = makeSource(url).fetchPage(first, makeGate().gate);
    await expect(end).rejects.toBeInstanceOf(kind);
    expect(received).toHaveLength(tries);
  });

  test('end with `paused` when the gate admits no request', async () => {
    const { url, received } = await startServer((response) => sendJson(response, 503, {}));
    const { gate, events } = makeGate({ admits: 2 });
    expect(await makeSource(url).fetchPage(first, gate)).toBe('paused');
    expect(received).toHaveLength(2);
    expect(events.at(-1)).toBe('refuse');
  });

  test('end with `paused` without asking for quota when no time is left', async () => {
    const { gate, events } = makeGate({ timeLeftMs: () => 0 });
    expect(await makeSource('http://127.0.0.1:1').fetchPage(first, gate)).toBe('paused');
    expect(events).toEqual([]);
  });

  test('report a key that is not valid in a header like any other outcome', async () => {
    const credentials: CredentialsProvider = async () => ({ kind: 'aksk', ak: 'A\nK1', sk: 's' });
    const { gate, events } = makeGate();
    const source = makeSource('http://127.0.0.1:1', { credentials });
    await expect(source.fetchPage(first, gate)).rejects.toBeInstanceOf(AuthError);
    expect(events).toEqual(['admit', 'sent']);
  });

  test('end with the error when the gate does not allow the wait', async () => {
    const { url, received } = await startServer((response) =>
      sendJson(response, 503, {}, { 'retry-after': '30' }),
    );
    const mayWait = vi.fn(() => false);
    const end = makeSource(url).fetchPage(first, makeGate({ mayWait }).gate);
    await expect(end).rejects.toBeInstanceOf(TransientError);
    expect(mayWait).toHaveBeenCalledWith(30_000);
    expect(received).toHaveLength(1);
  });

  test('end a request when the time left has passed', async () => {
    const { url } = await startServer(() => {});
    const { gate } = makeGate({ timeLeftMs: () => 50, mayWait: () => false });
    await expect(makeSource(url).fetchPage(first, gate)).rejects.toThrow(/within 0.05 s/);
  });

  test('end with the reason of the signal, after the request was reported', async () => {
    const { url } = await startServer(() => {});
    const controller = new AbortController();
    const reason = new StoppedError('STOPPED', 'enough', 'go on');
    setTimeout(() => controller.abort(reason), 30);
    const { gate, events } = makeGate({ signal: controller.signal });
    await expect(makeSource(url).fetchPage(first, gate)).rejects.toBe(reason);
    expect(events).toEqual(['admit', 'sent']);
  });

  test('throw errors of the gate, of the credentials and of fetch unchanged', async () => {
    const { url } = await startServer((response) => sendJson(response, 200, page));
    const fault = new TypeError('fetch failed');
    const fail = async () => {
      throw fault;
    };
    for (const { gate } of [makeGate({ admit: fail }), makeGate({ sent: fail })]) {
      const end = makeSource(url).fetchPage(first, gate);
      await expect(end).rejects.toBe(fault);
    }
    const bad = makeSource(url, { credentials: fail });
    const { gate, events } = makeGate();
    await expect(bad.fetchPage(first, gate)).rejects.toBe(fault);
    expect(events).toEqual([]);
    const own = new RangeError('ours');
    const broken = makeSource(url, {
      fetch: async () => {
        throw own;
      },
    });
    await expect(broken.fetchPage(first, gate)).rejects.toBe(own);
    expect(events).toEqual(['admit', 'sent']);
  });
});

describe('a sign-in token', () => {
  function makeProvider(expiresInMs = 3_600_000) {
    let n = 1;
    const invalidated: string[] = [];
    const token = (): Token => ({
      token: `token-${n}`,
      expiresAtMs: Date.now() + expiresInMs,
      projectId: null,
    });
    const credentials: CredentialsProvider = async () => ({
      kind: 'token',
      getToken: async () => token(),
      invalidate: (refused) => {
        invalidated.push(refused);
        n += 1;
      },
    });
    return { credentials, invalidated };
  }
  /** Accepts only the tokens in `valid`. */
  const accepts = (valid: Set<string>) => (response: ServerResponse, request: Received) =>
    valid.has(String(request.headers['x-auth-token']))
      ? sendJson(response, 200, page)
      : sendJson(response, 401, { error_code: 'APIGW.0307', error_msg: 'must be updated' });

  test('is sent instead of a signature', async () => {
    const { url, received } = await startServer(accepts(new Set(['token-1'])));
    const { credentials } = makeProvider();
    await makeSource(url, { credentials }).fetchPage(first, makeGate().gate);
    expect(received[0]?.headers.authorization).toBeUndefined();
    expect(received[0]?.headers.region).toBe('cn-south-4');
  });

  test('is not renewed if the API never accepted it', async () => {
    const { url, received } = await startServer(accepts(new Set()));
    const { credentials, invalidated } = makeProvider();
    const end = makeSource(url, { credentials }).fetchPage(first, makeGate().gate);
    await expect(end).rejects.toBeInstanceOf(AuthError);
    expect(received).toHaveLength(1);
    expect(invalidated).toEqual([]);
  });

  test('is renewed once after it was accepted and then rejected, and each request is reported', async () => {
    const valid = new Set(['token-1']);
    const { url } = await startServer(accepts(valid));
    const { credentials, invalidated } = makeProvider();
    const source = makeSource(url, { credentials });
    await source.fetchPage(first, makeGate().gate);
    valid.clear();
    valid.add('token-2');
    const { gate, events, sent } = makeGate();
    expect(await source.fetchPage(first, gate)).not.toBe('paused');
    expect(invalidated).toEqual(['token-1']);
    expect(events).toEqual(['admit', 'sent', 'admit', 'sent']);
    expect(sent[0]?.error).toBeInstanceOf(AuthError);

    valid.clear();
    const again = makeGate();
    await expect(source.fetchPage(first, again.gate)).rejects.toBeInstanceOf(AuthError);
    expect(again.events).toEqual(['admit', 'sent', 'admit', 'sent']);
  });

  test('is renewed once if it has expired, although it was never accepted', async () => {
    const { url, received } = await startServer(accepts(new Set(['token-2'])));
    const { credentials } = makeProvider(-1);
    await makeSource(url, { credentials }).fetchPage(first, makeGate().gate);
    expect(received).toHaveLength(2);
  });
});

// No secret leaks, whatever the server echoes: arbitrary secrets are echoed in every encoding, in every place
// of an answer and with every status. Then all errors and all log lines, JSON and pretty, are searched for them.
test('shows no secret in any error or log line', { timeout: 60_000 }, async () => {
  const canary = fc
    .string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 40 })
    .map((text) => `Zq7${text.trim()}`);
  const spell = fc.constantFrom<(secret: string) => string>(
    (secret) => secret,
    (secret) => JSON.stringify(secret),
    (secret) => encodeURIComponent(secret),
    (secret) => Buffer.from(secret).toString('base64'),
    (secret) => Buffer.from(`user:${secret}`).toString('base64'),
    (secret) => [...secret].join('\u0000'),
    (secret) => `${secret.slice(0, 3)}\u001b\u200b${secret.slice(3)}`,
  );
  let answer: (response: ServerResponse) => void = () => {};
  const { url } = await startServer((response) => answer(response));
  const wrap = fc.constantFrom<(text: string) => string>(
    (text) => JSON.stringify({ error_msg: text, error_code: text, request_id: text }),
    (text) => JSON.stringify({ error: { code: text, message: text } }),
    (text) => JSON.stringify({ [text]: 1 }),
    (text) => JSON.stringify({ error_msg: 'x'.repeat(190) + text }),
    (text) => JSON.stringify({ total_num: text }),
    (text) => `<html>${text}`,
    (text) => text,
  );
  const status = fc.constantFrom(200, 202, 302, 400, 401, 403, 404, 407, 429, 500, 503);
  await fc.assert(
    fc.asyncProperty(
      fc.record({ ak: canary, sk: canary, securityToken: canary }),
      spell,
      wrap,
      status,
      async (secrets, spelled, wrapped, code) => {
        const scrubber = createScrubber();
        const lines: string[] = [];
        const logs = [false, true].map((pretty) =>
          createLog({
            level: 'debug',
            write: (line) => lines.push(line),
            pretty,
            colour: false,
            scrubber,
            base: () => ({}),
            nowMs: () => 0,
          }),
        );
        const echo = wrapped(Object.values(secrets).map(spelled).join(' '));
        answer = (response) => {
          response.writeHead(code, {
            'retry-after': '1',
            location: `/${encodeURIComponent(echo)}`,
          });
          response.end(echo);
        };
        const source = makeSource(url, {
          credentials: async () => ({ kind: 'aksk', ...secrets }),
          scrubber,
          log: (level, message, fields) => {
            for (const log of logs) log(level, message, fields);
          },
        });
        const { gate, sent } = makeGate();
        const error = await source.fetchPage(first, gate).catch((thrown: unknown) => thrown);
        for (const log of logs) log('error', String(error), { error, echo });
        const shown = [
          ...lines,
          ...sent.map((outcome) => inspect(outcome.error)),
          inspect(error),
          JSON.stringify(error),
        ].join('\n');
        for (const secret of Object.values(secrets)) {
          expect(shown).not.toContain(secret);
          expect(shown).not.toContain(JSON.stringify(secret).slice(1, -1));
          expect(shown).not.toContain(encodeURIComponent(secret));
          expect(shown).not.toContain(Buffer.from(secret).toString('base64').replace(/.?=*$/, ''));
        }
      },
    ),
    { numRuns: countCases(150) },
  );
});
