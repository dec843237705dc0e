import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import {
  type FunctionContext,
  readAgencyKey,
  readEnvironment,
  timeLeftOf,
} from '../../lib/platform/function-context.ts';

describe("the agency's key", () => {
  test('is asked for at each call: the platform renews it', () => {
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
  ])('%s: a fault of the configuration, without a word of what there was', (_name, context) => {
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

test('time left is read anew each time; a platform that tells none leaves none', () => {
  let timeLeftMs = 900_000;
  const timeLeft = timeLeftOf({ getRemainingTimeInMilliSeconds: () => timeLeftMs });
  expect(timeLeft()).toBe(900_000);
  timeLeftMs = 5;
  expect(timeLeft()).toBe(5);
  expect(timeLeftOf({})()).toBe(0);
});

describe('the environment', () => {
  const data: Record<string, string> = { SECRET: 'decrypted', BOTH: 'of the function' };
  const context = { getUserData: (name: string) => data[name] };
  const env = readEnvironment(context, { BOTH: 'of the process', PATH: '/bin', EMPTY: '' });

  test("is the function's variables, then the process's", () => {
    expect(env.SECRET).toBe('decrypted');
    expect(env.BOTH).toBe('of the function');
    expect(env.PATH).toBe('/bin');
    expect(env.EMPTY).toBe('');
    expect(env.MISSING).toBeUndefined();
  });

  test('knows which there are', () => {
    expect(['SECRET', 'BOTH', 'PATH', 'EMPTY', 'MISSING'].filter((name) => name in env)).toEqual([
      'SECRET',
      'BOTH',
      'PATH',
      'EMPTY',
    ]);
  });

  test("is the process's where the platform gives nothing", () => {
    const plain = readEnvironment({}, { PATH: '/bin' });
    expect(plain.PATH).toBe('/bin');
    expect('SECRET' in plain).toBe(false);
    const nulls = readEnvironment({ getUserData: () => null }, { PATH: '/bin' });
    expect(nulls.PATH).toBe('/bin');
  });

  test('is not changed by what is asked of it', () => {
    const own = { A: '1' };
    const read = readEnvironment(context, own);
    expect(read.SECRET).toBe('decrypted');
    expect(own).toEqual({ A: '1' });
    expect(Object.keys(read)).toEqual(['A']);
  });
});
