// Owns the proof that a log line is one line, whole, in time order, and without a secret.

import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, TransientError } from '../../lib/core/errors.ts';
import { RawNumber } from '../../lib/core/exact-json.ts';
import { createLog, createScrubber, type LogOptions } from '../../lib/platform/log.ts';

function setUp(more: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const scrubber = createScrubber();
  const log = createLog({
    level: 'info',
    write: (line) => lines.push(line),
    pretty: false,
    colour: false,
    scrubber,
    base: { service: 'cgs-export' },
    nowMs: () => Date.parse('2026-11-24T06:00:00.123Z'),
    ...more,
  });
  return { log, lines, scrubber };
}
const parse = (line: string | undefined) => JSON.parse(line ?? '') as Record<string, unknown>;

describe('JSON', () => {
  test('one object a line, written before the call returns', () => {
    const { log, lines } = setUp();
    log('info', 'page stored', { table: 'container_nodes', rows: 200, last: null });
    expect(lines).toEqual([
      '{"level":"info","time":"2026-11-24T06:00:00.123Z","service":"cgs-export","table":"container_nodes","rows":200,"last":null,"message":"page stored"}\n',
    ]);
  });
  test('the level filters', () => {
    const { log, lines } = setUp({ level: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);
    expect(lines.map((line) => parse(line).message)).toEqual(['warn', 'error']);
  });
  test('a message is no format, and fields do not hide it', () => {
    const { log, lines } = setUp();
    log('info', '100 %s %d %% %j', { message: 'mine', level: 1, time: 2 });
    expect(parse(lines[0])).toMatchObject({
      message: '100 %s %d %% %j',
      level: 'info',
      message_: 'mine',
      level_: 1,
      time_: 2,
    });
  });
});

describe('errors as fields', () => {
  const error = new TransientError('SERVER', 'down', 'wait', { cause: new Error('socket') });
  test('code, message and hint', () => {
    const { log, lines } = setUp();
    log('warn', 'x', { error });
    expect(parse(lines[0]).error).toEqual({ code: 'SERVER', message: 'down', hint: 'wait' });
  });
  test('the stack and the cause at debug', () => {
    const { log, lines } = setUp({ level: 'debug' });
    log('warn', 'x', { error });
    expect(parse(lines[0]).error).toMatchObject({
      code: 'SERVER',
      stack: expect.stringContaining('log.test.ts'),
      cause: { name: 'Error', message: 'socket' },
    });
  });
  test('a foreign one has its name', () => {
    const { log, lines } = setUp();
    log('error', 'x', { error: new RangeError('too far') });
    expect(parse(lines[0]).error).toEqual({ name: 'RangeError', message: 'too far' });
  });
});

test('no field makes it throw', () => {
  const cycle: Record<string, unknown> = { name: 'a' };
  cycle.self = cycle;
  let deep: unknown = 'end';
  for (let n = 0; n < 20; n += 1) deep = { deep };
  const { log, lines } = setUp();
  log('info', 'x', {
    cycle,
    deep,
    big: 12345678901234567890n,
    nan: Number.NaN,
    symbol: Symbol('s'),
    call: () => 1,
    bytes: new Uint8Array(3),
    raw: new RawNumber('1.50'),
    when: new Date(Number.NaN),
    map: new Map([['a', 1]]),
    set: new Set([1]),
    undefined: undefined,
    getter: Object.defineProperty({}, 'boom', {
      enumerable: true,
      get() {
        throw new Error('boom');
      },
    }),
    proxy: new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('boom');
        },
      },
    ),
  });
  expect(parse(lines[0])).toMatchObject({
    cycle: { name: 'a', self: '[circular]' },
    big: '12345678901234567890',
    nan: 'NaN',
    symbol: 'Symbol(s)',
    bytes: '[3 bytes]',
    raw: '1.50',
    when: null,
    map: [['a', 1]],
    set: [1],
    getter: { boom: '[not readable]' },
    proxy: '[not readable]',
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything({ withBigInt: true })), (fields) => {
      const one = setUp({ level: 'debug' });
      one.log('debug', 'any', fields);
      expect(one.lines).toHaveLength(1);
      expect(parse(one.lines[0]).message).toBe('any');
    }),
  );
});

describe('pretty', () => {
  test('time, level, message, key=value', () => {
    const { log, lines } = setUp({ pretty: true, base: {} });
    log('info', 'page stored', { rows: 200, name: 'web 01', list: [1, 'a'], empty: '' });
    expect(lines).toEqual([
      '06:00:00 info  page stored rows=200 name="web 01" list=[1,"a"] empty=""\n',
    ]);
  });
  test('colour only if asked for', () => {
    const { log, lines } = setUp({ pretty: true, base: {}, colour: true });
    log('error', 'bad');
    expect(lines).toEqual(['06:00:00 \u001b[31merror\u001b[0m bad\n']);
  });
  test('one line, and no control characters, whatever is in it', () => {
    const { log, lines } = setUp({ pretty: true, base: {} });
    const issue = { path: 'a', message: 'b', hint: 'c' };
    const error = new ConfigError([issue, issue]);
    log('error', `line one\nline two \u001b[2J`, { 'k\ney': 'v\u0007\u2028', error });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^06:00:00 error line one line two +\[2J k ey=.*\n$/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u2028]/);
  });
  test('a stack goes below', () => {
    const { log, lines } = setUp({ pretty: true, base: {}, level: 'debug' });
    log('error', 'bad', { error: new RangeError('too far') });
    expect(lines[0]).toMatch(
      /^06:00:00 error bad error=\{"name":"RangeError","message":"too far"\}\n {4}RangeError: too far\n {4}at /,
    );
  });
});

describe('scrub', () => {
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
    ['in a URI, small letters', encodeURIComponent(secret).replace(/%../g, (x) => x.toLowerCase())],
    ['in a form', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64url', Buffer.from(secret).toString('base64url')],
  ])('%s', (_name, text) => {
    expect(scrubbed(`<${text}>`)).toBe('<[redacted]>');
  });
  test('inside base64 of more than itself', () => {
    for (const before of ['', 'u', 'us', 'use']) {
      const text = Buffer.from(`${before}${secret}tail`).toString('base64');
      expect(scrubbed(text)).toContain('[redacted]');
    }
  });
  test('shorter than 4 characters is left, the rest of the text too', () => {
    const scrubber = createScrubber();
    scrubber.add('abc');
    scrubber.add('');
    expect(scrubber.scrub('abc and more')).toBe('abc and more');
    scrubber.add('a.c*');
    expect(scrubber.scrub('abc a.c* aXcc')).toBe('abc [redacted] aXcc');
  });
  test('of two secrets, one inside the other, nothing is left', () => {
    const scrubber = createScrubber();
    scrubber.add('short');
    scrubber.add('short-and-long');
    expect(scrubber.scrub('short-and-long short')).toBe('[redacted] [redacted]');
  });
  test('a line stays JSON even if a secret is made of its punctuation or digits', () => {
    for (const hidden of ['","message":"', '1234', 'level', 'message', 'y"}\n', 'null,']) {
      const { log, lines, scrubber } = setUp();
      scrubber.add(hidden);
      log('info', `x${hidden}y`, { rows: 123456, gone: null, [hidden]: hidden });
      expect(lines).toHaveLength(1);
      expect(() => JSON.parse(lines[0] ?? '')).not.toThrow();
      expect(lines[0]).not.toContain(hidden);
    }
  });
  test('no secret in a line, wherever in the fields it stands', () => {
    const anySecret = fc.string({ unit: 'binary', minLength: 5 }).map((text) => `Zq7${text}`);
    fc.assert(
      fc.property(anySecret, fc.boolean(), (hidden, pretty) => {
        const { log, lines, scrubber } = setUp({ level: 'debug', pretty });
        scrubber.add(hidden);
        const error = new TransientError('X', hidden, hidden, { cause: new Error(hidden) });
        log('error', `a ${hidden} b`, { hidden, list: [hidden], [hidden]: { [hidden]: error } });
        for (const line of lines) {
          expect(line).not.toContain(hidden);
          expect(line).not.toContain(JSON.stringify(hidden).slice(1, -1));
        }
      }),
    );
  });
});

test('a real stream takes the lines in order', async () => {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString());
      done();
    },
  });
  const { log } = setUp({ write: (line) => void stream.write(line) });
  for (let n = 0; n < 5; n += 1) log('info', String(n));
  expect(chunks.map((line) => parse(line).message)).toEqual(['0', '1', '2', '3', '4']);
});
