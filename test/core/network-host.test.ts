// Tests which hosts are this host itself, and which are reached without the proxy.

import { describe, expect, test } from 'vitest';
import { isLoopback, usesProxy } from '../../lib/core/network-host.ts';

test.each([
  ['http://localhost', true],
  ['http://127.0.0.1:8080', true],
  ['http://127.1', true],
  ['http://[::1]', true],
  ['http://localhost.example', false],
  ['http://127.example', false],
  ['http://128.0.0.1', false],
  ['http://[::2]', false],
])('%s is loopback: %s', (url, expected) => {
  expect(isLoopback(new URL(url).hostname)).toBe(expected);
});

test('a host name may end in the dot of the DNS root', () => {
  expect(usesProxy('https://obs.example./a', 'obs.example')).toBe(false);
  expect(usesProxy('https://obs.example./a', '.')).toBe(true);
});

test('uses the proxy for https only', () => {
  expect(usesProxy('https://obs.example', null)).toBe(true);
  expect(usesProxy('http://obs.example', null)).toBe(false);
});

describe('NO_PROXY exempts https://obs.example', () => {
  test.each([
    ['obs.example', true],
    ['.example', true],
    ['*.example', true],
    ['a.b, obs.example', true],
    ['a.b obs.example:443', true],
    ['OBS.Example', true],
    ['obs.example.', true],
    ['example.:443', true],
    ['*', true],
    ['obs.example:8443', false],
    ['bs.example', false],
    ['other', false],
    ['.', false],
    ['/8', false],
    ['', false],
  ])('%j: %s', (noProxy, expected) => {
    expect(usesProxy('https://obs.example', noProxy)).toBe(!expected);
    expect(usesProxy(new URL('https://OBS.example:443/a'), noProxy)).toBe(!expected);
  });
});

describe('NO_PROXY exempts an address', () => {
  test.each([
    ['https://10.1.2.3', '10.1.2.3', true],
    ['https://10.1.2.3', '10.0.0.0/8', true],
    ['https://10.1.2.3', '10.1.2.3/32', true],
    ['https://10.1.2.3:8443', '10.1.2.3:8443', true],
    ['https://10.1.2.3', '10.1.2.3:8443', false],
    ['https://11.1.2.3', '10.0.0.0/8', false],
    ['https://10.1.2.3', '10.1.2.0/33', false],
    ['https://obs.example', '10.0.0.0/8', false],
    ['https://[::1]', '::1', true],
    ['https://[::1]', '[::1]', true],
    ['https://[::1]', '0:0:0:0:0:0:0:1', true],
    ['https://[::1]:8443', '[::1]:8443', true],
    ['https://[::1]', '[::1]:8443', false],
    ['https://[fd00::7]', 'fd00::/8', true],
    ['https://[fd00::7]', '[fd00::]/8', true],
    ['https://[fe80::7]', 'fd00::/8', false],
    ['https://[fd00::7]', '0.0.0.0/0', false],
    ['https://10.1.2.3', '::/0', false],
  ])('%s by %j: %s', (url, noProxy, expected) => {
    expect(usesProxy(url, noProxy)).toBe(!expected);
  });
});
