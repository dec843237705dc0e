// Tests which requests go through the proxy, what a refusing proxy means, and that a slow address is not given up.

import { request as sendHttps } from 'node:https';
import { connect, getDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readNetworkCode, readProxy } from '../../lib/core/network-code.ts';
import { allowSlowConnections, openConnections } from '../../lib/platform/connections.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startSlowServer } from '../support/slow-server.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

interface ProxySettings {
  httpsProxy: string | null;
  noProxy: string | null;
}

/** Sends a GET and returns the network code of its failure. */
async function failureOf(address: string, proxy: ProxySettings) {
  return readNetworkCode(await errorOf(address, proxy));
}

async function errorOf(address: string, proxy: ProxySettings) {
  const agent = await openConnections(proxy)(address);
  onTestFinished(() => agent.destroy());
  return new Promise<Error>((resolve, reject) => {
    const request = sendHttps(`${address}/v5`, { agent });
    request.once('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    request.on('error', resolve);
    request.end();
  });
}

describe('a proxy', () => {
  test('gets https requests, with the user and password of its URL', async () => {
    const proxy = await startConnectProxy();
    await failureOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(proxy.connects).toEqual(['cgs.example:443']);
    expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
  });

  test.each([
    ['token123', 'token123:'],
    ['us%25er:p%40ss%3A', 'us%er:p@ss:'],
    ['', null],
  ])('gets the login of %j', async (userInfo, login) => {
    const proxy = await startConnectProxy();
    const url = proxy.url.replace('user:pass', userInfo);
    await failureOf('https://cgs.example', { httpsProxy: url, noProxy: null });
    const header = login === null ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
    expect(proxy.logins).toEqual([header]);
  });

  test.each([407, 403, 502])('that answers %i is not taken for the server', async (status) => {
    const proxy = await startConnectProxy(`HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\n{}`);
    const code = await failureOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(code).toBe(`PROXY_${status}`);
    expect(proxy.connects).toHaveLength(1);
  });

  test.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\n'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ])('that answers %s is a fault of the network', async (_name, answer) => {
    const proxy = await startConnectProxy(answer);
    const code = await failureOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(code).toMatch(/^PROXY_/);
  });

  test.each([
    ['does not resolve', 'http://me:word@nosuchproxy.invalid:3128', 'nosuchproxy.invalid:3128'],
    ['has no open port', 'http://me:word@127.0.0.1:1', '127.0.0.1:1'],
    ['has no open port for https', 'https://me:word@127.0.0.1:1', '127.0.0.1:1'],
  ])('that %s is named by the error', async (_name, httpsProxy, host) => {
    const error = await errorOf('https://cgs.example', { httpsProxy, noProxy: null });
    expect(readNetworkCode(error)).toMatch(/^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED)$/);
    expect(readProxy(error)).toBe(host);
  });

  test('that answers with a refusal is named by the error', async () => {
    const proxy = await startConnectProxy('HTTP/1.1 403 No\r\n\r\n');
    const error = await errorOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(readProxy(error)).toBe(new URL(proxy.url).host);
  });

  test('is not named by an error of a server that is reached without it', async () => {
    const settings = { httpsProxy: 'http://127.0.0.1:1', noProxy: 'localhost' };
    const error = await errorOf('https://localhost:1', settings);
    expect(readNetworkCode(error)).toBe('ECONNREFUSED');
    expect(readProxy(error)).toBeNull();
  });

  test('is not named by an error of the server behind it', async () => {
    // It answers that the connection is open, then ends it: as a server behind it that speaks no TLS.
    const proxy = await startConnectProxy('HTTP/1.1 200 OK\r\n\r\nnot TLS');
    const error = await errorOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(readProxy(error)).toBeNull();
  });

  test('is not used for hosts in NO_PROXY and for plain http', async () => {
    const proxy = await startConnectProxy();
    await failureOf('https://localhost:1', {
      httpsProxy: proxy.url,
      noProxy: 'localhost,.example',
    });
    const agent = await openConnections({ httpsProxy: proxy.url, noProxy: null })(
      'http://127.0.0.1:1',
    );
    expect('proxy' in agent).toBe(false);
    expect(proxy.connects).toEqual([]);
  });

  test('is the given one, whatever the environment says', async () => {
    const proxy = await startConnectProxy();
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY']) vi.stubEnv(name, proxy.url);
    vi.stubEnv('NO_PROXY', '*');
    await failureOf('https://localhost:1', { httpsProxy: null, noProxy: null });
    expect(proxy.connects).toEqual([]);
    await failureOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    expect(proxy.connects).toEqual(['cgs.example:443']);
  });

  test('causes no warning of Node', async () => {
    const proxy = await startConnectProxy();
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    await failureOf('https://cgs.example', { httpsProxy: proxy.url, noProxy: null });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a host name with several addresses', () => {
  /** As from a name with an A and an AAAA record. Nothing listens on the second one. */
  async function connectTo(port: number, afterMs: number, accept: () => void) {
    const lookup = (_host: string, _options: unknown, callback: (...results: unknown[]) => void) =>
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
    const socket = connect({ host: 'two.example', port, lookup: lookup as never });
    setTimeout(accept, afterMs);
    try {
      return await new Promise<string>((resolve) => {
        socket.once('connect', () => resolve('connected'));
        socket.once('error', (error) => resolve(readNetworkCode(error) ?? String(error)));
      });
    } finally {
      socket.destroy();
    }
  }

  test('is reached although the first address needs longer than 250 ms', async () => {
    const before = getDefaultAutoSelectFamilyAttemptTimeout();
    onTestFinished(async () => {
      const { setDefaultAutoSelectFamilyAttemptTimeout } = await import('node:net');
      setDefaultAutoSelectFamilyAttemptTimeout(before);
    });
    const first = await startSlowServer();
    expect(await connectTo(first.port, 400, first.accept)).not.toBe('connected');
    allowSlowConnections();
    const second = await startSlowServer();
    expect(await connectTo(second.port, 400, second.accept)).toBe('connected');
  });
});
