// Tests log lines: their format, their order, that every value can be logged, and that no line contains a secret.

import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, TransientError } from '../../lib/core/errors.ts';
import { RawNumber } from '../../lib/core/exact-json.ts';
import { createLog, type LogOptions } from '../../lib/platform/log.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';

function setUp(more: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const scrubber = createScrubber();
  const log = createLog({
    level: 'info',
    write: (line) => lines.push(line),
    pretty: false,
    colour: false,
    scrubber,
    base: () => ({ service: 'cgs-export' }),
    nowMs: () => Date.parse('2026-11-24T06:00:00.123Z'),
    ...more,
  });
  return { log, lines, scrubber };
}
const parse = (line: string | undefined) => JSON.parse(line ?? '') as Record<string, unknown>;

describe('JSON', () => {
  test('writes one object per line before the call returns', () => {
    const { log, lines } = setUp();
    log('info', 'page stored', { table: 'container_nodes', rows: 200, last: null });
    expect(lines).toEqual([
      '{"level":"info","time":"2026-11-24T06:00:00.123Z","service":"cgs-export","table":"container_nodes","rows":200,"last":null,"message":"page stored"}\n',
    ]);
  });
  test('writes no line below the level', () => {
    const { log, lines } = setUp({ level: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);
    expect(lines.map((line) => parse(line).message)).toEqual(['warn', 'error']);
  });
  test('does not interpret the message as a format, and keeps it beside fields of the same name', () => {
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
  test('an ExportError has code, message and hint', () => {
    const { log, lines } = setUp();
    log('warn', 'x', { error });
    expect(parse(lines[0]).error).toEqual({ code: 'SERVER', message: 'down', hint: 'wait' });
  });
  test('has its stack and cause at debug level', () => {
    const { log, lines } = setUp({ level: 'debug' });
    log('warn', 'x', { error });
    expect(parse(lines[0]).error).toMatchObject({
      code: 'SERVER',
      stack: expect.stringContaining('log.test.ts'),
      cause: { name: 'Error', message: 'socket' },
    });
  });
  test('another error has name and message', () => {
    const { log, lines } = setUp();
    log('error', 'x', { error: new RangeError('too far') });
    expect(parse(lines[0]).error).toEqual({ name: 'RangeError', message: 'too far' });
  });
});

test('no value of a field makes the log throw', () => {
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
  test('writes time, level, message and key=value', () => {
    const { log, lines } = setUp({ pretty: true, base: () => ({}) });
    log('info', 'page stored', { rows: 200, name: 'web 01', list: [1, 'a'], empty: '' });
    expect(lines).toEqual([
      '06:00:00 info  page stored rows=200 name="web 01" list=[1,"a"] empty=""\n',
    ]);
  });
  test('writes colours only if requested', () => {
    const { log, lines } = setUp({ pretty: true, base: () => ({}), colour: true });
    log('error', 'bad');
    expect(lines).toEqual(['06:00:00 \u001b[31merror\u001b[0m bad\n']);
  });
  test('writes one line without control characters for any content', () => {
    const { log, lines } = setUp({ pretty: true, base: () => ({}) });
    const issue = { path: 'a', message: 'b', hint: 'c' };
    const error = new ConfigError([issue, issue]);
    log('error', `line one\nline two \u001b[2J`, { 'k\ney': 'v\u0007\u2028', error });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^06:00:00 error line one line two +\[2J k ey=.*\n$/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u2028]/);
  });
  test('writes a hint below the line', () => {
    const { log, lines } = setUp({ pretty: true, base: () => ({}) });
    log('error', 'refused', { code: 'REFUSED', hint: 'check the key\ncheck the region' });
    expect(lines).toEqual([
      '06:00:00 error refused code=REFUSED\n    check the key\n    check the region\n',
    ]);
  });
  test('writes a stack below the line', () => {
    const { log, lines } = setUp({ pretty: true, base: () => ({}), level: 'debug' });
    log('error', 'bad', { error: new RangeError('too far') });
    expect(lines[0]).toMatch(
      /^06:00:00 error bad error=\{"name":"RangeError","message":"too far"\}\n {4}RangeError: too far\n {4}at /,
    );
  });
});

describe('secrets', () => {
  test('are removed so that the line is still JSON, even if a secret consists of JSON punctuation or digits', () => {
    for (const hidden of ['","message":"', '1234', 'level', 'message', 'y"}\n', 'null,']) {
      const { log, lines, scrubber } = setUp();
      scrubber.add(hidden);
      log('info', `x${hidden}y`, { rows: 123456, gone: null, [hidden]: hidden });
      expect(lines).toHaveLength(1);
      expect(() => JSON.parse(lines[0] ?? '')).not.toThrow();
      expect(lines[0]).not.toContain(hidden);
    }
  });
  test('are removed from the message and from every place in the fields', () => {
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

test('a real stream receives the lines in order', async () => {
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
