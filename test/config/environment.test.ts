// Tests what environment variables mean without a configuration.

import { describe, expect, test } from 'vitest';
import { logLevelOf } from '../../lib/config/load.ts';
import { failureOf, faultsOf, key, load, minimal } from './loading.ts';

describe('the environment', () => {
  test('reports an invalid log level or proxy with its source', async () => {
    expect(await faultsOf(minimal, { ...key, CGS_EXPORT_LOG_LEVEL: 'loud' })).toEqual([
      'CGS_EXPORT_LOG_LEVEL: is not a log level',
    ]);
    expect(await faultsOf(minimal, { ...key, https_proxy: 'socks5://x' })).toEqual([
      'https_proxy: is not a valid proxy address',
    ]);
    expect((await failureOf(() => logLevelOf({}, 'loud'))).issues[0]?.path).toBe('--log-level');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: 'debug' })).toBe('debug');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: 'loud' }, 'warn')).toBe('warn');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: '' })).toBe('info');
  });

  test.each([
    ['http://user:100%off@proxy:3128', true],
    ['http://100%@proxy:3128', true],
    ['http://user:100%25off@proxy:3128', false],
    ['http://token123@proxy', false],
    ['user:p@proxy:3128', false],
  ])('a %% in the login of %s is a fault: %s', async (proxy, isFault) => {
    const env = { ...key, HTTPS_PROXY: proxy };
    if (!isFault) {
      expect((await load(minimal, env)).proxy.httpsProxy).toContain('proxy');
      return;
    }
    const { issues } = await failureOf(() => load(minimal, env));
    expect(issues[0]?.path).toBe('HTTPS_PROXY');
    expect(issues[0]?.hint).toContain('Write %25');
    expect(JSON.stringify(issues)).not.toContain('100%');
  });

  test('prefers the lower-case name of a proxy variable, as curl does', async () => {
    const env = { ...key, https_proxy: 'http://small:1', HTTPS_PROXY: 'http://capital:1' };
    expect((await load(minimal, env)).proxy.httpsProxy).toBe('http://small:1');
    expect((await load(minimal, { ...env, https_proxy: '' })).proxy.httpsProxy).toBe(
      'http://capital:1',
    );
  });
});
