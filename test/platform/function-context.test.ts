// Tests what is read from a FunctionGraph context: the agency's key, the time left, and variables.

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import {
  type FunctionContext,
  readAgencyKey,
  readEnvironment,
  readTimeLeftMs,
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

  test.each<[string, FunctionContext]>([
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

test('the time left is read again at each call, and is 0 if the platform does not report it', () => {
  let timeLeftMs = 900_000;
  const context = { getRemainingTimeInMilliSeconds: () => timeLeftMs };
  expect(readTimeLeftMs(context)).toBe(900_000);
  timeLeftMs = 5;
  expect(readTimeLeftMs(context)).toBe(5);
  expect(readTimeLeftMs({})).toBe(0);
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
