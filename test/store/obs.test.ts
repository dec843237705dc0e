// Owns what the OBS store makes of answers that a real server gives seldom or never. The contract, and everything that a
// real server can show, is proved on one: test/rgw. Here each answer is written out, and what was asked is looked at.

import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigError, StoreError } from '../../lib/core/errors.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { type ObsKey, type ObsStoreOptions, openObsStore } from '../../lib/store/obs.ts';

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** The answer stops after so many bytes of its body. */
  cutAfter?: number;
  /** No answer at all. */
  silent?: boolean;
}
interface Asked {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const refusal = (status: number, code: string): Answer => ({
  status,
  body: `<Error><Code>${code}</Code><Message>said so</Message></Error>`,
});
const stored = (text: string): Answer => ({ headers: { etag: `"${md5(text)}"` } });

/** Gives these answers in turn. */
async function openScripted(answers: readonly Answer[], options: Partial<ObsStoreOptions> = {}) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const answer = answers[asked.length] ?? { status: 599 };
      asked.push({ method, url, headers, body });
      if (answer.silent) return;
      const content = Buffer.from(answer.body ?? '');
      const length = { 'content-length': String(content.length) };
      response.writeHead(answer.status ?? 200, { ...length, ...answer.headers });
      response.flushHeaders();
      if (answer.cutAfter === undefined) response.end(method === 'HEAD' ? undefined : content);
      else {
        response.write(content.subarray(0, answer.cutAfter), () => request.socket.destroy());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const store = openObsStore({
    bucket: 'lake',
    prefix: 'cgs',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'cn-south-4',
    pathStyle: true,
    kmsKeyId: null,
    credentials: async () => ({ ak: 'test-ak', sk: 'test-sk' }),
    proxy: { url: null, noProxy: null },
    clock: { ...systemClock, sleep: async () => {} },
    random: () => 0,
    scrub: (text) => text,
    log: () => {},
    ...options,
  });
  onTestFinished(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, asked, methods: () => asked.map(({ method }) => method).join(' ') };
}

async function failureOf(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw error;
  return error;
}

const utf8 = (text: string) => Buffer.from(text);

describe('what is sent', () => {
  test('a PUT has its MD5, no payload hash, no trailer, and does not wait to go on', async () => {
    const { store, asked } = await openScripted([stored('x')]);
    await store.put('_runs/a b', utf8('x'));
    const [put] = asked;
    expect(put).toMatchObject({
      method: 'PUT',
      url: expect.stringMatching(/^\/lake\/cgs\/_runs\/a%20b(\?|$)/),
    });
    expect(put?.body).toBe('x');
    expect(put?.headers).toMatchObject({
      'content-md5': Buffer.from(md5('x'), 'hex').toString('base64'),
      'x-amz-meta-md5': md5('x'),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'content-length': '1',
      authorization: expect.stringContaining('test-ak'),
    });
    const names = Object.keys(put?.headers ?? {});
    expect(names.filter((name) => /checksum|trailer|expect|encryption|token/.test(name))).toEqual(
      [],
    );
  });

  test('with a KMS key every PUT asks for it; a temporary key sends its token', async () => {
    const text = '_runs/a/pages/000000-ab.gz';
    const { store, asked } = await openScripted(
      [{ headers: { etag: '"no md5"' } }, { headers: { 'content-length': '1' } }],
      {
        kmsKeyId: 'key-1',
        credentials: async () => ({ ak: 'a', sk: 's', securityToken: 'test-token' }),
      },
    );
    await store.put(text, utf8('x'));
    expect(asked[0]?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      'x-amz-security-token': 'test-token',
    });
    // The ETag proves nothing here, so the object is looked at.
    expect(asked.map(({ method }) => method)).toEqual(['PUT', 'HEAD']);
  });
});

describe('a PUT', () => {
  test('whose object is not there, or of another size, is repeated and then an error', async () => {
    const short: Answer = { headers: { 'content-length': '1' } };
    const { store, methods } = await openScripted([
      stored('xyz'),
      { status: 404 },
      { status: 404 },
      stored('xyz'),
      short,
      short,
      stored('xyz'),
      { headers: { 'content-length': '3' } },
    ]);
    await store.put('container_nodes/a', utf8('xyz'));
    expect(methods()).toBe('PUT HEAD HEAD PUT HEAD HEAD PUT HEAD');
    const never = await openScripted(
      Array.from({ length: 40 }, (_, i) => (i % 3 === 1 ? stored('xyz') : short)).slice(1),
    );
    const error = await failureOf(never.store.put('container_nodes/a', utf8('xyz')));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain('1 of 3 bytes');
  });

  test('that is refused is not repeated', async () => {
    const { store, methods } = await openScripted([refusal(403, 'AccessDenied')]);
    expect((await failureOf(store.put('_runs/a', utf8('x')))).code).toBe('STORE_DENIED');
    expect(methods()).toBe('PUT');
  });
});

describe('a GET', () => {
  const whole = (text: string, kept = text): Answer => ({
    body: text,
    headers: { 'x-amz-meta-md5': md5(kept) },
  });

  test('whose body is cut short, or is not what was written, is repeated', async () => {
    const { store, methods } = await openScripted([
      { ...whole('all of it'), cutAfter: 3 },
      whole('all of iT', 'all of it'),
      whole('all of it'),
    ]);
    expect(String(await store.get('a'))).toBe('all of it');
    expect(methods()).toBe('GET GET GET');
  });

  test('of an object that somebody else put there is taken as it is', async () => {
    const { store } = await openScripted([{ body: 'theirs' }]);
    expect(String(await store.get('a'))).toBe('theirs');
  });

  test('that is not answered in time is repeated; never answered, it is an error that says so', async () => {
    const quick = { timeouts: { requestMs: 60 }, backoffMs: 1 };
    const slow = await openScripted([{ silent: true }, { body: 'x' }], quick);
    expect(String(await slow.store.get('a'))).toBe('x');
    const never = Array.from({ length: 9 }, () => ({ silent: true }));
    const silent = await openScripted(never, quick);
    const error = await failureOf(silent.store.get('a'));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.hint).toContain('network');
    expect(silent.asked).toHaveLength(7);
    // Not even those, where the time for all of them is over.
    const short = await openScripted(never, {
      timeouts: { requestMs: 60, wholeMs: 100 },
      backoffMs: 1,
    });
    await failureOf(short.store.get('a'));
    expect(short.asked).toHaveLength(2);
  });
});

describe('a list', () => {
  const page = (
    keys: readonly string[],
    truncated: boolean,
    modified = '2026-11-24T06:00:00.123Z',
  ) => {
    const contents = keys.map(
      (key) =>
        `<Contents><Key>${key}</Key><Size>1</Size><LastModified>${modified}</LastModified></Contents>`,
    );
    return {
      body: `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${truncated}</IsTruncated>${contents.join('')}</ListBucketResult>`,
    };
  };

  test('goes on from the last key of each page, undoes the encoding, and leaves out the prefix', async () => {
    const { store, asked } = await openScripted([
      page(['cgs/a+b', 'cgs/a%2Bb'], true),
      page(['cgs/%E8%8A%82'], false),
    ]);
    const objects = await store.list('a');
    expect(objects.map(({ key }) => key)).toEqual(['a b', 'a+b', '节']);
    expect(objects[0]?.modifiedMs).toBe(Date.parse('2026-11-24T06:00:00.123Z'));
    const queries = asked.map(({ url }) => new URL(url, 'http://x').searchParams);
    expect(queries.map((query) => query.get('marker'))).toEqual([null, 'cgs/a+b']);
    expect(queries[0]?.get('prefix')).toBe('cgs/a');
    // OBS documents only the older form.
    expect(queries[0]?.get('list-type')).toBeNull();
  });

  test('of a store that repeats a page ends', async () => {
    const { store } = await openScripted([page(['cgs/a'], true), page(['cgs/a'], true)]);
    expect((await failureOf(store.list(''))).message).toContain('repeats a page');
  });

  test('without a body that can be read is no empty list', async () => {
    const answers = Array.from({ length: 9 }, () => ({ body: '<html><h1>hello' }));
    const { store } = await openScripted(answers);
    expect((await failureOf(store.list(''))).code).toBe('STORE_FAILED');
  });
});

describe('keys', () => {
  test('a temporary key that is refused is exchanged once for a new one, and only for a new one', async () => {
    const refused: (ObsKey | null)[] = [];
    const first = { ak: 'a', sk: 's', securityToken: 'first' };
    const { store, asked } = await openScripted([refusal(400, 'ExpiredToken'), { body: 'x' }], {
      async credentials(key) {
        refused.push(key);
        return key === null ? first : { ...first, securityToken: 'second' };
      },
    });
    expect(String(await store.get('a'))).toBe('x');
    expect(asked.map(({ headers }) => headers['x-amz-security-token'])).toEqual([
      'first',
      'second',
    ]);
    expect(refused[1]).toEqual(first);

    const same = await openScripted([refusal(403, 'ExpiredToken')], {
      credentials: async () => first,
    });
    expect((await failureOf(same.store.get('a'))).hint).toContain('new one');
    expect(same.asked).toHaveLength(1);
  });

  test('what the provider throws comes out unchanged', async () => {
    const reason = new ConfigError([{ path: 'obs', message: 'no agency', hint: 'make one' }]);
    const { store, asked } = await openScripted([], {
      credentials: () => Promise.reject(reason),
    });
    await expect(store.get('a')).rejects.toBe(reason);
    expect(asked).toHaveLength(0);
  });

  test("a host whose clock is wrong signs by the store's after one refusal", async () => {
    // Twenty minutes ahead of this host: as seen from the store, the host is behind.
    const date = new Date(Date.now() + 1_200_000).toUTCString();
    const { store, asked } = await openScripted([
      { ...refusal(403, 'RequestTimeTooSkewed'), headers: { date } },
      { body: 'x', headers: { date } },
    ]);
    expect(String(await store.get('a'))).toBe('x');
    const signedMs = asked.map(({ headers }) => {
      const stamp = String(headers['x-amz-date']);
      return Date.parse(stamp.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'));
    });
    expect(Math.abs((signedMs[1] ?? 0) - Date.parse(date))).toBeLessThan(5_000);
    expect(Math.abs(store.nowMs() - Date.parse(date))).toBeLessThan(2_000);
  });
});

test('its url names bucket and prefix, and a dot in a bucket is refused where no certificate covers it', async () => {
  const { store } = await openScripted([]);
  expect(store.url).toBe('obs://lake/cgs');
  expect(store.putIfAbsent).toBeUndefined();
  await expect(
    openScripted([], { bucket: 'my.lake', endpoint: 'https://obs.example', pathStyle: false }),
  ).rejects.toThrow(ConfigError);
});

describe('what is looked at after a PUT', () => {
  const noMd5: Answer = { headers: { etag: '"no md5"' } };
  const there: Answer = { headers: { 'content-length': '1' } };

  test.each<[string, Answer, string]>([
    ['_runs/t/checkpoint.json', noMd5, 'PUT'],
    ['_quota/1', noMd5, 'PUT'],
    ['_lease/holder', noMd5, 'PUT'],
    ['_runs/t/pages/000000-ab.gz', noMd5, 'PUT HEAD'],
    ['_runs/t/pages/000000-ab.gz', stored('x'), 'PUT'],
    ['_latest/t.json', noMd5, 'PUT HEAD'],
    ['_latest/t.json', stored('x'), 'PUT'],
    ['_manifests/t/a.json', stored('x'), 'PUT HEAD'],
    ['container_nodes/a.parquet', stored('x'), 'PUT HEAD'],
  ])('%s, %j: %s', async (key, answer, methods) => {
    const { store, methods: sent } = await openScripted([answer, there]);
    await store.put(key, utf8('x'));
    expect(sent()).toBe(methods);
  });
});

describe('bytes that are not those that were written', () => {
  const other: Answer = { body: 'rotten', headers: { 'x-amz-meta-md5': md5('right') } };

  test('hurt on the way: asked for again', async () => {
    const right: Answer = { body: 'right', headers: { 'x-amz-meta-md5': md5('right') } };
    const { store, asked } = await openScripted([other, right]);
    expect(String(await store.get('a'))).toBe('right');
    expect(asked).toHaveLength(2);
  });

  test('hurt where they lie: given as they are, for whoever knows their hash to judge', async () => {
    const { store, asked } = await openScripted([other, other]);
    expect(String(await store.get('a'))).toBe('rotten');
    expect(asked).toHaveLength(2);
  });
});

describe('who answers instead of the store', () => {
  const page = (status: number): Answer => ({
    status,
    body: '<html>no backend</html>',
    headers: { 'content-type': 'text/html' },
  });

  test.each([404, 200, 502])(
    'a page with status %i is no object, and none is absent for it',
    async (status) => {
      const { store, asked } = await openScripted([page(status), { body: 'right' }]);
      expect(String(await store.get('_runs/schedule.json'))).toBe('right');
      expect(asked).toHaveLength(2);
      const { store: lost } = await openScripted(Array(10).fill(page(status)));
      const error = await failureOf(lost.get('_runs/schedule.json'));
      expect(error.code).toBe('STORE_FAILED');
    },
  );

  test('a page that is XML too is no empty list', async () => {
    const blocked = { ...page(200), body: '<html><body>Blocked</body></html>' };
    const { store } = await openScripted(Array(10).fill(blocked));
    expect((await failureOf(store.list('_manifests/'))).message).toContain('a page of HTML came');
  });

  test('an object of HTML that the store gives is one', async () => {
    const own = { ...page(200), headers: { 'content-type': 'text/html', 'x-amz-request-id': 'r' } };
    const { store } = await openScripted([own]);
    expect(String(await store.get('a'))).toContain('no backend');
  });
});

describe('a key that was refused', () => {
  test('is not used again, whatever for; another one is', async () => {
    let sk = 'wrong';
    const refused = refusal(403, 'SignatureDoesNotMatch');
    const { store, asked } = await openScripted([refused, stored('x')], {
      credentials: async () => ({ ak: 'a', sk }),
    });
    expect((await failureOf(store.get('a'))).message).toContain('signature');
    const again = await failureOf(store.put('_lease/holder', utf8('x')));
    expect(again.message).toContain('the key was refused before');
    expect(again.hint).toContain('obs.credentials');
    expect(asked).toHaveLength(1);
    sk = 'right';
    await store.put('_lease/holder', utf8('x'));
    expect(asked).toHaveLength(2);
  });

  test('for what it may not do is used for what it may', async () => {
    const { store, asked } = await openScripted([refusal(403, 'AccessDenied'), { body: 'x' }]);
    await failureOf(store.delete('a'));
    await store.get('a');
    expect(asked).toHaveLength(2);
  });
});

describe('the time that an invocation has left', () => {
  test('bounds every try, and without any no try is begun', async () => {
    const startMs = performance.now();
    const { store, asked } = await openScripted([{ silent: true }, { silent: true }], {
      timeLeftMs: () => 1_400 - (performance.now() - startMs),
    });
    const error = await failureOf(store.get('a'));
    expect(error.code).toBe('STORE_FAILED');
    expect(performance.now() - startMs).toBeLessThan(2_500);
    expect(asked).toHaveLength(1);
    expect((await failureOf(store.get('a'))).message).toContain('no time is left');
    expect(asked).toHaveLength(1);
  });

  test('a large object may take as long as its size needs, once it comes', async () => {
    const body = 'x'.repeat(100_000);
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': String(body.length) });
      // Four fifths of a second for what the time-out alone would give a fifth.
      for (let part = 0; part < 4; part += 1) {
        setTimeout(
          () => response.write(body.slice(part * 25_000, (part + 1) * 25_000)),
          part * 130,
        );
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const { store } = await openScripted([], {
      endpoint: `http://127.0.0.1:${port}`,
      timeouts: { requestMs: 250 },
    });
    expect((await store.get('a'))?.length).toBe(100_000);
  });
});
