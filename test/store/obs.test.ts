// Tests what the OBS store sends, and how it handles answers that a real server seldom or never
// gives. The contract and everything that a real server can show are tested against one: test/rgw.

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { storeErrorOf } from '../support/store-errors.ts';
import { md5, openScriptedStore, type ScriptedAnswer, stored, utf8 } from './scripted-store.ts';

const acknowledged = { durability: 'acknowledged' } as const;
const checksummed = { durability: 'checksummed' } as const;

describe('requests', () => {
  test('a PUT has its MD5, but no payload hash, no trailer and no Expect header', async () => {
    const { store, requests } = await openScriptedStore([stored('x')]);
    await store.put('_runs/a b', utf8('x'), acknowledged);
    const [put] = requests;
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

  test('every PUT names the KMS key, and a temporary access key sends its token', async () => {
    const { store, requests } = await openScriptedStore(
      [{ headers: { etag: '"not an md5"' } }, { headers: { 'content-length': '1' } }],
      {
        kmsKeyId: 'key-1',
        credentials: async () => ({ ak: 'a', sk: 's', securityToken: 'test-token' }),
      },
    );
    await store.put('_runs/a/pages/000000-ab.gz', utf8('x'), checksummed);
    expect(requests[0]?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      'x-amz-security-token': 'test-token',
    });
    // With a KMS key the ETag is not the MD5, so a HEAD confirms the object.
    expect(requests.map(({ method }) => method)).toEqual(['PUT', 'HEAD']);
  });

  test('every PUT has the canned ACL of the configuration, and no other request has it', async () => {
    const put = { headers: { etag: '"not an md5"' } };
    const { store, requests } = await openScriptedStore(
      [put, { headers: { 'content-length': '1' } }, put],
      { acl: 'bucket-owner-full-control' },
    );
    await store.put('a', utf8('x'));
    await store.put('_runs/b', utf8('x'), acknowledged);
    expect(requests.map(({ headers }) => headers['x-amz-acl'])).toEqual([
      'bucket-owner-full-control',
      undefined,
      'bucket-owner-full-control',
    ]);
    const without = await openScriptedStore([put]);
    await without.store.put('a', utf8('x'), acknowledged);
    expect(without.requests[0]?.headers).not.toHaveProperty('x-amz-acl');
  });

  test('the URL of the store names bucket and prefix; conditional writes are not offered', async () => {
    const { store } = await openScriptedStore([]);
    expect(store.url).toBe('obs://lake/cgs');
    expect(store.putIfAbsent).toBeUndefined();
  });

  test('rejects a bucket name with a dot where no TLS certificate can be valid for it', async () => {
    await expect(
      openScriptedStore([], {
        bucket: 'my.lake',
        endpoint: 'https://obs.example',
        pathStyle: false,
      }),
    ).rejects.toThrow(ConfigError);
  });
});

describe('list', () => {
  const page = (
    keys: readonly string[],
    isTruncated: boolean,
    modified = '2026-11-24T06:00:00.123Z',
  ) => {
    const contents = keys.map(
      (key) =>
        `<Contents><Key>${key}</Key><Size>1</Size><LastModified>${modified}</LastModified></Contents>`,
    );
    return {
      body: `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${contents.join('')}</ListBucketResult>`,
    };
  };

  test('continues after the last key of each page, decodes keys and removes the prefix', async () => {
    const { store, requests } = await openScriptedStore([
      page(['cgs/a+b', 'cgs/a%2Bb'], true),
      page(['cgs/%E8%8A%82'], false),
    ]);
    const objects = await store.list('a');
    expect(objects.map(({ key }) => key)).toEqual(['a b', 'a+b', '节']);
    expect(objects[0]?.modifiedMs).toBe(Date.parse('2026-11-24T06:00:00.123Z'));
    const queries = requests.map(({ url }) => new URL(url, 'http://x').searchParams);
    expect(queries.map((query) => query.get('marker'))).toEqual([null, 'cgs/a+b']);
    expect(queries[0]?.get('prefix')).toBe('cgs/a');
    // OBS documents only the first version of LIST.
    expect(queries[0]?.get('list-type')).toBeNull();
  });

  test('fails if the store returns the same page again', async () => {
    const { store } = await openScriptedStore([page(['cgs/a'], true), page(['cgs/a'], true)]);
    const error = await storeErrorOf(store.list(''));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain('the same page of the list again');
  });

  test('fails if the body cannot be read, instead of returning an empty list', async () => {
    const answers = Array.from({ length: 9 }, () => ({ body: '<html><h1>hello' }));
    const { store } = await openScriptedStore(answers);
    expect((await storeErrorOf(store.list(''))).code).toBe('STORE_FAILED');
  });

  test('learns the time of the store from the time stamp of an object that is written once', async () => {
    const storeMs = Date.parse('2031-05-06T07:08:09.123Z');
    const modified = '2031-05-06T07:08:09.123Z';
    for (const isWrittenOnce of [true, false]) {
      // The server's Date header has this host's time, which the time stamp contradicts.
      const answers = [stored('x'), page(['cgs/t/a'], false, modified)];
      const { store } = await openScriptedStore(answers);
      await store.put('t/a', utf8('x'), { ...acknowledged, isWrittenOnce });
      await store.list('t/');
      const isLearned = Math.abs(store.nowMs() - storeMs) < 5_000;
      expect(isLearned).toBe(isWrittenOnce);
    }
  });
});

describe('an answer from another server', () => {
  const page = (status: number): ScriptedAnswer => ({
    status,
    body: '<html>no backend</html>',
    headers: { 'content-type': 'text/html' },
  });

  test.each([404, 200, 502])(
    'an HTML page with status %i is neither an object nor proof that the object is absent',
    async (status) => {
      const { store, requests } = await openScriptedStore([page(status), { body: 'right' }]);
      expect(String(await store.get('_runs/schedule.json'))).toBe('right');
      expect(requests).toHaveLength(2);
      const { store: cut } = await openScriptedStore(Array(10).fill(page(status)));
      const error = await storeErrorOf(cut.get('_runs/schedule.json'));
      expect(error.code).toBe('STORE_FAILED');
    },
  );

  test('an HTML page that is also valid XML is not an empty list', async () => {
    const blocked = { ...page(200), body: '<html><body>Blocked</body></html>' };
    const { store } = await openScriptedStore(Array(10).fill(blocked));
    expect((await storeErrorOf(store.list('_manifests/'))).message).toContain('an HTML page');
  });

  test('an HTML object with a request id is from the store', async () => {
    const own = { ...page(200), headers: { 'content-type': 'text/html', 'x-amz-request-id': 'r' } };
    const { store } = await openScriptedStore([own]);
    expect(String(await store.get('a'))).toContain('no backend');
  });
});
