// Tests how the OBS store reads an object, whole and in chunks: answers that are cut, damaged, or of another version.

import { describe, expect, test } from 'vitest';
import { errorOf, storeErrorOf } from '../support/store-errors.ts';
import { copyChunks } from './chunks.ts';
import { md5, openScriptedStore, refusal, type ScriptedAnswer } from './scripted-store.ts';

describe('get', () => {
  const whole = (text: string, written = text): ScriptedAnswer => ({
    body: text,
    headers: { 'x-amz-meta-md5': md5(written) },
  });

  test('reads again if the body is cut short or does not match its MD5', async () => {
    const { store, methods } = await openScriptedStore([
      { ...whole('all of it'), cutAfter: 3 },
      whole('all of iT', 'all of it'),
      whole('all of it'),
    ]);
    expect(String(await store.get('a'))).toBe('all of it');
    expect(methods()).toBe('GET GET GET');
  });

  test('returns an object without an MD5, which another program wrote, as it is', async () => {
    const { store } = await openScriptedStore([{ body: 'of another program' }]);
    expect(String(await store.get('a'))).toBe('of another program');
  });

  const wrong: ScriptedAnswer = whole('wrong', 'right');

  test('reads bytes again that were damaged on the way', async () => {
    const { store, requests } = await openScriptedStore([wrong, whole('right')]);
    expect(String(await store.get('a'))).toBe('right');
    expect(requests).toHaveLength(2);
  });

  test('returns bytes that are damaged in the store, so that the caller can check them', async () => {
    const { store, requests } = await openScriptedStore([wrong, wrong]);
    expect(String(await store.get('a'))).toBe('wrong');
    expect(requests).toHaveLength(2);
  });
});

test('an object that is larger than one of its kind can be is not read: STORE_UNUSABLE', async () => {
  const key = '_manifests/t/rgn=a/prj=b/20261124T060000Z.json';
  for (const act of ['get', 'read'] as const) {
    const { store, requests } = await openScriptedStore([{ body: 'x'.repeat(2 ** 22 + 1) }]);
    const error = await errorOf(store[act](key));
    expect(error).toMatchObject({ name: 'UnusableObjectError', code: 'STORE_UNUSABLE', key });
    expect(error.message).toContain('has 4194305 bytes, but');
    expect(requests).toHaveLength(1);
  }
});

describe('read', () => {
  const chunkBytes = 2 * 2 ** 20;
  const text = 'a node, '.repeat((2 * chunkBytes) / 8 + 100);
  const etag = '"version 1"';
  const whole: ScriptedAnswer = { body: text, headers: { etag, 'x-amz-meta-md5': md5(text) } };
  /** The answer to the request for chunk `index`, from 0. */
  const chunk = (index: number): ScriptedAnswer => {
    const from = index * chunkBytes;
    const body = text.slice(from, from + chunkBytes);
    const range = `bytes ${from}-${from + body.length - 1}/${text.length}`;
    return { status: 206, body, headers: { 'content-range': range, etag } };
  };

  async function readAll(answers: readonly ScriptedAnswer[]) {
    const { store, requests, methods } = await openScriptedStore(answers);
    const reading = store.read('a').then((chunks) => chunks && copyChunks(chunks));
    return { reading, requests, methods };
  }

  test('asks for each chunk after the first, of the same version', async () => {
    const { reading, requests } = await readAll([whole, chunk(1), chunk(2)]);
    expect((await reading)?.equals(Buffer.from(text))).toBe(true);
    const sent = requests.map(({ headers }) => [headers.range, headers['if-match']]);
    expect(sent).toEqual([
      [undefined, undefined],
      [`bytes=${chunkBytes}-${2 * chunkBytes - 1}`, etag],
      [`bytes=${2 * chunkBytes}-${text.length - 1}`, etag],
    ]);
  });

  test('is one request for a small object, whose MD5 is checked', async () => {
    const right: ScriptedAnswer = { body: 'right', headers: { 'x-amz-meta-md5': md5('right') } };
    const wrong = { ...right, body: 'wrong' };
    const { reading, methods } = await readAll([wrong, right]);
    expect(String(await reading)).toBe('right');
    expect(methods()).toBe('GET GET');
  });

  test('requests a chunk again if it is cut, fails or is too late', async () => {
    const { reading, methods } = await readAll([
      { ...whole, cutAfter: 1_000_000 },
      whole,
      { ...chunk(1), cutAfter: 3 },
      refusal(503, 'SlowDown'),
      chunk(1),
      { ...chunk(2), cutAfter: 0 },
      chunk(2),
    ]);
    expect((await reading)?.equals(Buffer.from(text))).toBe(true);
    expect(methods()).toBe('GET GET GET GET GET GET GET');
  });

  test.each([
    ['the whole object', whole],
    ['another chunk', chunk(2)],
    [
      'a chunk of an object of another size',
      {
        ...chunk(1),
        headers: { 'content-range': `bytes ${chunkBytes}-${2 * chunkBytes - 1}/99999999`, etag },
      },
    ],
  ] as [string, ScriptedAnswer][])(
    'an answer with %s is not taken for the chunk',
    async (_name, answer) => {
      const { reading } = await readAll([whole, answer, chunk(1), chunk(2)]);
      expect((await reading)?.equals(Buffer.from(text))).toBe(true);
      const never = await readAll([whole, ...Array(9).fill(answer)]);
      const error = await errorOf(never.reading);
      expect(error).toMatchObject({ code: 'STORE_FAILED' });
      expect(error.message).toContain(`instead of bytes ${chunkBytes}-${2 * chunkBytes - 1}/`);
      expect(never.requests).toHaveLength(8);
    },
  );

  test('a body that is always cut is an error after the usual number of tries', async () => {
    const cut = { ...chunk(1), cutAfter: 7 };
    const { reading, requests } = await readAll([whole, ...Array(9).fill(cut)]);
    expect(await storeErrorOf(reading)).toMatchObject({ code: 'STORE_FAILED' });
    expect(requests).toHaveLength(8);
  });

  test.each([
    ['replaced', refusal(412, 'PreconditionFailed')],
    ['deleted', refusal(404, 'NoSuchKey')],
  ])('an object that is %s meanwhile is an error at once', async (what, answer) => {
    const { reading, requests } = await readAll([whole, chunk(1), answer]);
    const error = await storeErrorOf(reading);
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(error.message).toContain(`the object was ${what} while it was read`);
    expect(requests).toHaveLength(3);
  });

  test('a refused chunk is STORE_DENIED', async () => {
    const { reading } = await readAll([whole, refusal(403, 'AccessDenied')]);
    expect(await storeErrorOf(reading)).toMatchObject({ code: 'STORE_DENIED' });
  });

  test('an absent object is null, after one request', async () => {
    const { reading, methods } = await readAll([refusal(404, 'NoSuchKey')]);
    expect(await reading).toBeNull();
    expect(methods()).toBe('GET');
  });
});
