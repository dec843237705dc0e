// Tests how the OBS store writes an object: what it sends, and how it finds out whether the object is stored.

import { describe, expect, test } from 'vitest';
import { ScratchError } from '../../lib/core/errors.ts';
import type { Durability } from '../../lib/core/ports.ts';
import { errorOf, storeErrorOf } from '../support/store-errors.ts';
import { makeLocalFile } from './local-files.ts';
import {
  md5,
  openScriptedStore,
  refusal,
  type ScriptedAnswer,
  stored,
  utf8,
} from './scripted-store.ts';

describe('put', () => {
  const noMd5: ScriptedAnswer = { headers: { etag: '"not an md5"' } };
  const found: ScriptedAnswer = { headers: { 'content-length': '1' } };

  test.each<[Durability | undefined, string, ScriptedAnswer, string]>([
    ['acknowledged', 'without an MD5', noMd5, 'PUT'],
    ['acknowledged', 'with the MD5', stored('x'), 'PUT'],
    ['checksummed', 'without an MD5', noMd5, 'PUT HEAD'],
    ['checksummed', 'with another MD5', stored('y'), 'PUT HEAD'],
    ['checksummed', 'with the MD5', stored('x'), 'PUT'],
    ['confirmed', 'with the MD5', stored('x'), 'PUT HEAD'],
    ['confirmed', 'without an MD5', noMd5, 'PUT HEAD'],
    [undefined, 'with the MD5', stored('x'), 'PUT HEAD'],
  ])('durability %s and an answer %s: %s', async (durability, _answer, answer, expected) => {
    for (const key of ['_quota/1', '_runs/t/pages/000000-ab.gz', 'container_nodes/a.parquet']) {
      const { store, methods } = await openScriptedStore([answer, found]);
      await store.put(key, utf8('x'), durability && { durability });
      expect(methods(), key).toBe(expected);
    }
  });

  describe('a HEAD never replaces the error of the PUT', () => {
    const skewed = refusal(403, 'RequestTimeTooSkewed');
    const failed = refusal(500, 'InternalError');
    const head = (status: number): ScriptedAnswer => ({ status });

    test.each([
      // What the store refused is not there.
      ['a wrong clock', [skewed, skewed], 'PUT PUT', 'clock', 'NTP'],
      ['a refused PUT', [refusal(403, 'AccessDenied')], 'PUT', 'AccessDenied', 'PutObject'],
      // It may be there, but may not be read.
      [
        'a refused HEAD',
        [failed, head(403), refusal(403, 'InvalidAccessKeyId')],
        ...['PUT HEAD PUT', 'InvalidAccessKeyId', 'obs.credentials'],
      ],
      [
        'a HEAD that fails',
        [failed, ...Array.from({ length: 6 }, () => head(500))],
        ...['PUT HEAD HEAD HEAD HEAD HEAD HEAD', 'InternalError', 'network'],
      ],
    ] as [string, ScriptedAnswer[], string, string, string][])(
      'after %s',
      async (_name, answers, sent, message, hint) => {
        const { store, methods } = await openScriptedStore(answers);
        const error = await storeErrorOf(store.put('a', utf8('x')));
        expect(methods()).toBe(sent);
        expect(error.message).toMatch(/^cannot write /);
        expect(error.message).toContain(message);
        expect(error.hint).toContain(hint);
      },
    );

    test('and after a good PUT it is an error of reading', async () => {
      const { store } = await openScriptedStore([stored('x'), head(403)]);
      const error = await storeErrorOf(store.put('a', utf8('x')));
      expect(error).toMatchObject({ code: 'STORE_DENIED' });
      expect(error.message).toMatch(/^cannot read .*access denied/);
      expect(error.hint).toContain('obs:object:GetObject');
    });
  });

  test('writes again while the object is missing or has another size, then fails', async () => {
    const short: ScriptedAnswer = { headers: { 'content-length': '1' } };
    const { store, methods } = await openScriptedStore([
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
    const never = await openScriptedStore(
      Array.from({ length: 40 }, (_, i) => (i % 3 === 1 ? stored('xyz') : short)).slice(1),
    );
    const error = await storeErrorOf(never.store.put('container_nodes/a', utf8('xyz')));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain('1 of 3 bytes');
  });

  test('does not repeat a write that the store refuses', async () => {
    const { store, methods } = await openScriptedStore([refusal(403, 'AccessDenied')]);
    const error = await storeErrorOf(store.put('_runs/a', utf8('x')));
    expect(error.code).toBe('STORE_DENIED');
    expect(methods()).toBe('PUT');
  });
});

describe('putFile', () => {
  const text = 'of a file, '.repeat(100_000);
  const failed = refusal(500, 'InternalError');
  const found: ScriptedAnswer = { headers: { 'content-length': String(text.length) } };

  test('is one PUT with length and MD5, neither in chunks nor with a hash of its payload', async () => {
    const { store, requests, methods } = await openScriptedStore([stored(text)]);
    const file = await makeLocalFile(utf8(text));
    await store.putFile('container_nodes/a', file, { durability: 'checksummed' });
    expect(methods()).toBe('PUT');
    const [put] = requests;
    expect(put?.body).toBe(text);
    expect(put?.headers).toMatchObject({
      'content-length': String(text.length),
      'content-md5': Buffer.from(md5(text), 'hex').toString('base64'),
      'x-amz-meta-md5': md5(text),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      authorization: expect.stringContaining('test-ak'),
    });
    const names = Object.keys(put?.headers ?? {});
    expect(
      names.filter((name) => /checksum|trailer|expect|transfer-encoding|decoded/.test(name)),
    ).toEqual([]);
  });

  test('is confirmed by a HEAD, as put', async () => {
    const { store, methods } = await openScriptedStore([stored(text), found]);
    await store.putFile('container_nodes/a', await makeLocalFile(utf8(text)));
    expect(methods()).toBe('PUT HEAD');
  });

  test('sends the whole file again after a try that failed, and not if the object is stored', async () => {
    const file = await makeLocalFile(utf8(text));
    const { store, requests, methods } = await openScriptedStore(
      [{ isSilent: true }, { status: 404 }, failed, { status: 404 }, stored(text), found],
      { timeouts: { requestMs: 500 } },
    );
    await store.putFile('a', file);
    expect(methods()).toBe('PUT HEAD PUT HEAD PUT HEAD');
    expect(requests.map(({ body }) => body.length)).toEqual([
      ...[text.length, 0, text.length, 0, text.length, 0],
    ]);
    const written = { 'content-length': String(text.length), 'x-amz-meta-md5': md5(text) };
    const lost = await openScriptedStore([failed, { headers: written }]);
    await lost.store.putFile('a', file);
    expect(lost.methods()).toBe('PUT HEAD');
  });

  test('sends an empty file', async () => {
    const { store, requests } = await openScriptedStore([stored('')]);
    await store.putFile('a', await makeLocalFile(utf8('')), { durability: 'checksummed' });
    expect(requests).toMatchObject([{ body: '', headers: { 'content-length': '0' } }]);
  });

  test('a file with other bytes ends the request before its last byte, without another try', async () => {
    const { store, requests } = await openScriptedStore([stored(text)]);
    const file = await makeLocalFile(utf8(text));
    const error = await errorOf(store.putFile('a', { ...file, sha256: 'another' }));
    expect(error).toBeInstanceOf(ScratchError);
    expect(error).toMatchObject({ code: 'TEMP_FAILED' });
    expect(error.message).toContain(file.path);
    // The server has no whole request to answer.
    expect(requests).toEqual([]);
  });

  test('a refusal is not repeated', async () => {
    const { store, methods } = await openScriptedStore([refusal(403, 'AccessDenied')]);
    const error = await storeErrorOf(store.putFile('a', await makeLocalFile(utf8(text))));
    expect(error.code).toBe('STORE_DENIED');
    expect(methods()).toBe('PUT');
  });
});
