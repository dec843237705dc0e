// Tests the table of network faults: which pass by themselves, and that the hint of each helps.

import { describe, expect, test } from 'vitest';
import { describeNetworkFault } from '../../lib/core/network-fault.ts';

const place = { origin: 'https://hss.example', settings: "the target's endpoint", proxy: null };
const faultOf = (code: string) => describeNetworkFault(code, place);

describe('a fault that can pass by itself', () => {
  test.each([
    ['ECONNREFUSED', 'connection refused'],
    ['ECONNRESET', 'connection lost'],
    ['EPIPE', 'connection lost'],
    ['ETIMEDOUT', 'no connection in time'],
    ['ENETUNREACH', 'no route to the host'],
    ['EHOSTUNREACH', 'no route to the host'],
    ['EAI_AGAIN', 'the DNS does not answer'],
    ['HPE_INVALID_CONSTANT', 'the answer is not HTTP'],
    ['EMSGSIZE', 'the answer is longer than expected'],
    ['Z_DATA_ERROR', 'the answer is damaged'],
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'the connection failed'],
    ['ERR_SSL_UNEXPECTED_EOF_WHILE_READING', 'the connection failed'],
    ['PROXY_502', 'the proxy failed'],
    ['PROXY_429', 'the proxy failed'],
    ['PROXY_ENDED', 'the proxy failed'],
    ['ESOMETHING_NEW', 'the connection failed'],
  ])('%s is "%s"', (code, words) => {
    const fault = faultOf(code);
    expect(fault).toMatchObject({ code: 'NETWORK', retry: 'soon', isLoginRefused: false });
    expect(fault.reason).toBe(`${words} (${code})`);
  });
});

describe('a fault that needs a person', () => {
  test.each([
    ['HPE_HEADER_OVERFLOW', 'HEADERS_TOO_LARGE', 'never', /proxy in between/],
    ['ENOTFOUND', 'HOST_NOT_FOUND', 'briefly', /target's endpoint.*DNS/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_GET_CRL', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['CERT_UNTRUSTED', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['INVALID_CA', 'CERTIFICATE_REFUSED', 'never', /NODE_EXTRA_CA_CERTS/],
    ['CERT_HAS_EXPIRED', 'CERTIFICATE_REFUSED', 'never', /clock of this host/],
    ['CERT_NOT_YET_VALID', 'CERTIFICATE_REFUSED', 'never', /clock of this host/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'CERTIFICATE_REFUSED', 'never', /another host name/],
    ['HOSTNAME_MISMATCH', 'CERTIFICATE_REFUSED', 'never', /another host name/],
    ['EPROTO', 'TLS_FAILED', 'never', /plain http/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS_FAILED', 'never', /plain http/],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'TLS_FAILED', 'never', /plain http/],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'TLS_FAILED', 'never', /plain http/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'TLS_FAILED', 'never', /plain http/],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'TLS_FAILED', 'never', /plain http/],
    ['PROXY_407', 'PROXY_REFUSED', 'never', /%25/],
    ['PROXY_403', 'PROXY_REFUSED', 'never', /does not connect to https:\/\/hss.example/],
    ['PROXY_NaN', 'PROXY_REFUSED', 'never', /does not connect/],
  ])('%s is %s, tried again: %s', (networkCode, code, retry, hint) => {
    const fault = faultOf(networkCode);
    expect(fault).toMatchObject({ code, retry, isLoginRefused: networkCode === 'PROXY_407' });
    expect(fault.hint).toMatch(hint);
    expect(fault.reason).toContain(networkCode);
  });
});

describe('a fault of the proxy names the proxy, not the server', () => {
  const ofProxy = (code: string) =>
    describeNetworkFault(code, { ...place, proxy: 'proxy.corp:3128' });

  test.each([
    ['ENOTFOUND', 'HOST_NOT_FOUND', 'no connection to the proxy proxy.corp:3128: there is no such'],
    ['EAI_AGAIN', 'NETWORK', 'no connection to the proxy proxy.corp:3128: the DNS does not answer'],
    ['ECONNREFUSED', 'NETWORK', 'no connection to the proxy proxy.corp:3128: connection refused'],
    ['ETIMEDOUT', 'NETWORK', 'no connection to the proxy proxy.corp:3128: no connection in time'],
    ['CERT_HAS_EXPIRED', 'CERTIFICATE_REFUSED', 'no connection to the proxy proxy.corp:3128: the'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'CERTIFICATE_REFUSED', 'no connection to the proxy proxy.corp'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'CERTIFICATE_REFUSED', 'no connection to the proxy proxy.c'],
    ['EPROTO', 'TLS_FAILED', 'no connection to the proxy proxy.corp:3128: the TLS connection'],
    ['PROXY_502', 'NETWORK', 'the proxy proxy.corp:3128 failed'],
  ])('%s is %s', (networkCode, code, reason) => {
    const fault = ofProxy(networkCode);
    expect(fault.code).toBe(code);
    expect(fault.reason).toContain(reason);
    expect(fault.hint).toContain('proxy.corp:3128');
    expect(fault.hint).not.toContain('hss.example');
    expect(fault.hint).not.toContain('endpoint');
  });

  test.each(['ENOTFOUND', 'ECONNREFUSED'])('the hint for %s names the settings', (code) => {
    expect(ofProxy(code).hint).toMatch(/HTTPS_PROXY.*NO_PROXY/);
  });

  test('that refuses a host names both', () => {
    const { reason, hint } = ofProxy('PROXY_403');
    expect(reason).toBe('the proxy proxy.corp:3128 refused the connection (PROXY_403)');
    expect(hint).toMatch(/proxy\.corp:3128 does not connect to https:\/\/hss\.example/);
  });
});

test('no hint says that something was retried: doctor retries nothing', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'PROXY_502', 'EPROTO', 'CERT_UNTRUSTED']) {
    expect(faultOf(code).hint).not.toMatch(/retries did not help|retried/i);
  }
});
