// Tests retries, time limits and access keys of an operation on the OBS store, against scripted answers.

import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import type { AccessKey } from '../../lib/store/obs-access-key.ts';
import { storeErrorOf } from '../support/store-errors.ts';
import { openScriptedStore, refusal, stored, utf8 } from './scripted-store.ts';

describe('time limits', () => {
  test('retries a request without an answer, then reports a time-out', async () => {
    const quick = { timeouts: { requestMs: 60 }, backoffMs: 1 };
    const slow = await openScriptedStore([{ isSilent: true }, { body: 'x' }], quick);
    expect(String(await slow.store.get('a'))).toBe('x');
    const never = Array.from({ length: 9 }, () => ({ isSilent: true }));
    const silent = await openScriptedStore(never, quick);
    const error = await storeErrorOf(silent.store.get('a'));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain('no answer within');
    expect(error.hint).toContain('network');
    expect(silent.requests).toHaveLength(7);
    // Fewer tries if the time of the operation is over earlier.
    const short = await openScriptedStore(never, {
      timeouts: { requestMs: 60, operationMs: 100 },
      backoffMs: 1,
    });
    await storeErrorOf(short.store.get('a'));
    expect(short.requests).toHaveLength(2);
  });

  test('no try takes longer than the invocation has left, and none starts without time', async () => {
    const startMs = performance.now();
    const { store, requests } = await openScriptedStore([{ isSilent: true }, { isSilent: true }], {
      timeLeftMs: () => 1_400 - (performance.now() - startMs),
    });
    const error = await storeErrorOf(store.get('a'));
    expect(error.code).toBe('STORE_FAILED');
    expect(performance.now() - startMs).toBeLessThan(2_500);
    expect(requests).toHaveLength(1);
    expect((await storeErrorOf(store.get('a'))).message).toContain('no time left');
    expect(requests).toHaveLength(1);
  });

  test('a large object gets more time according to its size, once its size is known', async () => {
    const body = 'x'.repeat(100_000);
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': String(body.length) });
      // The body takes 390 ms; requestMs allows 250 ms, and the size allows 400 ms more.
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
    const { store } = await openScriptedStore([], {
      endpoint: `http://127.0.0.1:${port}`,
      timeouts: { requestMs: 250 },
    });
    expect((await store.get('a'))?.length).toBe(100_000);
  });
});

describe('access keys', () => {
  test('replaces a refused temporary key once, and only with another key', async () => {
    const refused: (AccessKey | null)[] = [];
    const first = { ak: 'a', sk: 's', securityToken: 'first' };
    const answers = [refusal(400, 'ExpiredToken'), { body: 'x' }];
    const { store, requests } = await openScriptedStore(answers, {
      async credentials(key) {
        refused.push(key);
        return key === null ? first : { ...first, securityToken: 'second' };
      },
    });
    expect(String(await store.get('a'))).toBe('x');
    expect(requests.map(({ headers }) => headers['x-amz-security-token'])).toEqual([
      'first',
      'second',
    ]);
    expect(refused[1]).toEqual(first);

    const same = await openScriptedStore([refusal(403, 'ExpiredToken')], {
      credentials: async () => first,
    });
    expect((await storeErrorOf(same.store.get('a'))).hint).toContain('new temporary key');
    expect(same.requests).toHaveLength(1);
  });

  test('an error of the provider reaches the caller unchanged', async () => {
    const reason = new ConfigError([{ path: 'obs', message: 'no agency', hint: 'make one' }]);
    const { store, requests } = await openScriptedStore([], {
      credentials: () => Promise.reject(reason),
    });
    await expect(store.get('a')).rejects.toBe(reason);
    expect(requests).toHaveLength(0);
  });

  test('does not use a refused key again for any operation, but uses another key', async () => {
    let sk = 'wrong';
    const refused = refusal(403, 'SignatureDoesNotMatch');
    const { store, requests } = await openScriptedStore([refused, stored('x')], {
      credentials: async () => ({ ak: 'a', sk }),
    });
    const put = () => store.put('_lease/holder', utf8('x'), { durability: 'acknowledged' });
    expect((await storeErrorOf(store.get('a'))).message).toContain('signature');
    const again = await storeErrorOf(put());
    expect(again.message).toContain('refused this access key before');
    expect(again.hint).toContain('obs.credentials');
    expect(requests).toHaveLength(1);
    sk = 'right';
    await put();
    expect(requests).toHaveLength(2);
  });

  test('continues to use a key that may do one thing but not another', async () => {
    const answers = [refusal(403, 'AccessDenied'), { body: 'x' }];
    const { store, requests } = await openScriptedStore(answers);
    await storeErrorOf(store.delete('a'));
    await store.get('a');
    expect(requests).toHaveLength(2);
  });

  test.each([
    ['a permanent key', {}],
    ['a temporary key', { securityToken: 'token' }],
  ])(
    "signs with the store's time after one refusal of a wrong clock, with %s",
    async (_name, token) => {
      // The store is twenty minutes ahead of this host.
      const date = new Date(Date.now() + 1_200_000).toUTCString();
      const { store, requests } = await openScriptedStore(
        [
          { ...refusal(403, 'RequestTimeTooSkewed'), headers: { date } },
          { body: 'x', headers: { date } },
        ],
        { credentials: async () => ({ ak: 'a', sk: 's', ...token }) },
      );
      expect(String(await store.get('a'))).toBe('x');
      const signedMs = requests.map(({ headers }) => {
        const stamp = String(headers['x-amz-date']);
        return Date.parse(stamp.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'));
      });
      expect(Math.abs((signedMs[1] ?? 0) - Date.parse(date))).toBeLessThan(5_000);
      expect(Math.abs(store.nowMs() - Date.parse(date))).toBeLessThan(2_000);
    },
  );
});

test('an operation after a failed one gets fewer tries, until one succeeds', async () => {
  const failures = Array.from({ length: 9 }, () => ({ status: 500 }));
  const { store, requests } = await openScriptedStore([...failures, { body: 'x' }, ...failures]);
  await storeErrorOf(store.get('a'));
  expect(requests).toHaveLength(7);
  await storeErrorOf(store.get('a'));
  expect(requests).toHaveLength(9);
  expect(String(await store.get('a'))).toBe('x');
  await storeErrorOf(store.get('a'));
  expect(requests).toHaveLength(17);
});

test('a host name that does not exist gets three tries, as for the API', async () => {
  let lookups = 0;
  const agent = new Agent({
    lookup: (_name, _options, done) => {
      lookups += 1;
      done(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '');
    },
  });
  const { store } = await openScriptedStore([], {
    endpoint: 'http://store.invalid',
    openAgent: async () => agent,
  });
  const error = await storeErrorOf(store.get('a'));
  expect(error.code).toBe('HOST_NOT_FOUND');
  expect(lookups).toBe(3);
});
