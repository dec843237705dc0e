// Tests that a scrubber removes secrets in every form in which they can appear in a text.

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createScrubber } from '../../lib/platform/scrubber.ts';

describe('a secret', () => {
  const secret = 'p"ss/wörd +%&';
  const scrubbed = (text: string) => {
    const scrubber = createScrubber();
    scrubber.add(secret);
    return scrubber.scrub(text);
  };
  test.each([
    ['as it is', secret],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(secret)).slice(3, -3)],
    ['in a URI', encodeURIComponent(secret)],
    [
      'in a URI with lower-case hex',
      encodeURIComponent(secret).replace(/%../g, (x) => x.toLowerCase()),
    ],
    ['in a form', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64url', Buffer.from(secret).toString('base64url')],
  ])('is removed %s', (_name, text) => {
    expect(scrubbed(`<${text}>`)).toBe('<[redacted]>');
  });
  test('is removed from the base64 of a longer text', () => {
    for (const before of ['', 'u', 'us', 'use']) {
      const text = Buffer.from(`${before}${secret}tail`).toString('base64');
      expect(scrubbed(text)).toContain('[redacted]');
    }
  });
  test('shorter than 4 characters is not removed; special characters of a pattern match only themselves', () => {
    const scrubber = createScrubber();
    scrubber.add('abc');
    scrubber.add('');
    expect(scrubber.scrub('abc and more')).toBe('abc and more');
    scrubber.add('a.c*');
    expect(scrubber.scrub('abc a.c* aXcc')).toBe('abc [redacted] aXcc');
  });
  test('of several lines, a private key, is removed line by line, however its line breaks are written', () => {
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const [, line = ''] = privateKey.split('\n');
    expect(line).toHaveLength(64);
    for (const lineBreak of ['\n', '\\n', '\r\n', '\\r\\n', ' ']) {
      const scrubber = createScrubber();
      scrubber.add(privateKey.replaceAll('\n', lineBreak));
      const texts = [
        line,
        privateKey,
        privateKey.replaceAll('\n', '\\n'),
        JSON.stringify(privateKey),
      ];
      texts.push(Buffer.from(line).toString('base64'), encodeURIComponent(line));
      for (const text of texts) {
        expect(scrubber.scrub(`<${text}>`)).toContain('[redacted]');
        expect(scrubber.scrub(`<${text}>`)).not.toContain(line);
      }
      expect(scrubber.scrub('a PRIVATE KEY')).toBe('a PRIVATE KEY');
    }
  });
  test('inside another secret is removed, alone and as a part', () => {
    const scrubber = createScrubber();
    scrubber.add('short');
    scrubber.add('short-and-long');
    expect(scrubber.scrub('short-and-long short')).toBe('[redacted] [redacted]');
  });
});
