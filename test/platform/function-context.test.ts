// Tests what is read from a FunctionGraph context: whether it is one, the agency's key, and variables.

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import {
  type FunctionContext,
  findContextFault,
  readAgencyKey,
  readEnvironment,
  readRequestId,
} from '../../lib/platform/function-context.ts';

describe("the agency's key", () => {
  test('is read again at each call, because the platform renews it', () => {
    let count = 0;
    const context = {
      getSecurityAccessKey: () => `ak-${++count}`,
      getSecuritySecretKey: () => 'sk',
      getSecurityToken: () => 'token',
    };
    const key = { kind: 'aksk', sk: 'sk', securityToken: 'token' };
    expect(readAgencyKey(context)).toEqual({ ...key, ak: 'ak-1' });
    expect(readAgencyKey(context)).toEqual({ ...key, ak: 'ak-2' });
  });

  test.each<[string, Partial<FunctionContext>]>([
    ['nothing', {}],
    ['no token', { getSecurityAccessKey: () => 'AKAKAK', getSecuritySecretKey: () => 'sksksk' }],
    [
      'empty texts, as without an agency',
      {
        getSecurityAccessKey: () => '',
        getSecuritySecretKey: () => 'sksksk',
        getSecurityToken: () => 'tokentoken',
      },
    ],
  ])('%s: throws ConfigError that contains no part of the key', (_name, context) => {
    let thrown: unknown;
    try {
      readAgencyKey(context);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect((thrown as ConfigError).message).toContain('has no agency');
    expect((thrown as ConfigError).hint).toContain('agency');
    expect(JSON.stringify(thrown)).not.toMatch(/AKAKAK|sksksk|tokentoken/);
  });
});

describe('a value that is not a context of FunctionGraph', () => {
  const timeLeft = { getRemainingTimeInMilliSeconds: () => 60_000 };

  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'is missing'],
    ['null', null, 'is missing'],
    ['a number', 5, 'is not an object'],
    ['a function', () => {}, 'is not an object'],
    ['an empty object', {}, 'has no getRemainingTimeInMilliSeconds()'],
    ['an array', [], 'has no getRemainingTimeInMilliSeconds()'],
    [
      'values instead of functions',
      { getRemainingTimeInMilliSeconds: 60_000, getRequestID: 'x', getMemorySize: 128 },
      'has no getRemainingTimeInMilliSeconds(), getRequestID(), getMemorySize()',
    ],
    ['one value', { ...timeLeft, getUserData: { A: 'b' } }, 'has no getUserData()'],
  ])('%s: says what is missing and who must call the handler', (_name, given, message) => {
    const fault = findContextFault(given);
    expect(fault).toBeInstanceOf(ConfigError);
    expect(fault?.message).toContain(`context: ${message}, so this is not an invocation`);
    expect(fault?.hint).toContain('FunctionGraph');
  });

  test.each<[string, () => unknown]>([
    ['NaN', () => Number.NaN],
    ['text', () => '60000'],
    ['nothing', () => undefined],
    [
      'an error',
      () => {
        throw new Error('boom');
      },
    ],
  ])('the time left is %s: says so', (_name, getRemainingTimeInMilliSeconds) => {
    expect(findContextFault({ getRemainingTimeInMilliSeconds })?.message).toBe(
      'context: has a getRemainingTimeInMilliSeconds() that returns no number, so this is not an invocation by FunctionGraph',
    );
  });

  test('its request id is read if it has one', () => {
    expect(readRequestId({ getRequestID: () => 'r1' })).toBe('r1');
    for (const given of [undefined, null, 5, {}, { getRequestID: 'r1' }]) {
      expect(readRequestId(given)).toBeNull();
    }
  });

  test('the time left is all that a context must have', () => {
    expect(findContextFault(timeLeft)).toBeNull();
    expect(
      findContextFault({ ...timeLeft, getRequestID: undefined, getUserData: null }),
    ).toBeNull();
  });
});

describe('the environment', () => {
  const data: Record<string, string> = { SECRET: 'decrypted', BOTH: 'of the function' };
  const context = { getUserData: (name: string) => data[name] };
  const env = readEnvironment(context, { BOTH: 'of the process', PATH: '/bin', EMPTY: '' });

  test("has the function's variables first, then the process's", () => {
    expect(env.SECRET).toBe('decrypted');
    expect(env.BOTH).toBe('of the function');
    expect(env.PATH).toBe('/bin');
    expect(env.EMPTY).toBe('');
    expect(env.MISSING).toBeUndefined();
  });

  test('supports the `in` operator', () => {
    expect(['SECRET', 'BOTH', 'PATH', 'EMPTY', 'MISSING'].filter((name) => name in env)).toEqual([
      'SECRET',
      'BOTH',
      'PATH',
      'EMPTY',
    ]);
  });

  test("has the process's variables where the platform returns nothing", () => {
    const plain = readEnvironment({}, { PATH: '/bin' });
    expect(plain.PATH).toBe('/bin');
    expect('SECRET' in plain).toBe(false);
    const nulls = readEnvironment({ getUserData: () => null }, { PATH: '/bin' });
    expect(nulls.PATH).toBe('/bin');
  });

  test('does not change the environment of the process when it is read', () => {
    const own = { A: '1' };
    const read = readEnvironment(context, own);
    expect(read.SECRET).toBe('decrypted');
    expect(own).toEqual({ A: '1' });
    expect(Object.keys(read)).toEqual(['A']);
  });
});
