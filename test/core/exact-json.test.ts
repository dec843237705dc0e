// Tests that JSON is read and written without loss. Method: arbitrary JSON texts with unusual numbers, from this test's own generator,
// are compared with JSON.parse and with their own text.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseBounded,
  parseExact,
  RawNumber,
  stringifyCanonical,
  stringifyExact,
  valuesMax,
} from '../../lib/core/exact-json.ts';

const oddNumbers = [
  '1.0',
  '-0',
  '-0.0',
  '0.1000',
  '1e400',
  '-1E+5',
  '1e-7',
  '0e0',
  '12345678901234567890',
  '9007199254740993',
  '1234567890123456',
  '0.12345678901234567',
  '1.7976931348623157e+308',
  '100000000000000000000000',
];
const plainNumbers = ['0', '7', '-3', '2147483648', '123456789012345', '-99999999999999'];
const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/);
const number = fc.oneof(fc.constantFrom(...oddNumbers, ...plainNumbers), digits);

const oddStrings = ['number:1.0', '_number:', '__number:5', 'number:', '1.0', '"', '\\', '\\"1.0'];
const string = fc.oneof(
  fc.constantFrom(...oddStrings, '', '\u2028', '😀', '\ud800'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const name = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'number:a'), string);

/** A JSON text without spaces whose member names are not repeated and not reordered by JSON.parse. */
const { text } = fc.letrec<{ text: string; array: string; object: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    number,
    string.map((value) => JSON.stringify(value)),
    fc.constantFrom('true', 'false', 'null'),
    tie('array'),
    tie('object'),
  ),
  array: fc.array(tie('text'), { maxLength: 5 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .uniqueArray(fc.tuple(name, tie('text')), { maxLength: 5, selector: ([key]) => key })
    // A JavaScript object always has names like array indices first, so their order cannot be kept.
    .map((members) => members.filter(([key]) => !/^\d+$/.test(key)))
    .map((members) => members.map(([key, value]) => `${JSON.stringify(key)}:${value}`))
    .map((members) => `{${members.join(',')}}`),
}));

/** The value that JSON.parse would return. */
function lower(value: unknown): unknown {
  if (value instanceof RawNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(lower);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: lower(inner), enumerable: true });
  }
  return copy;
}

describe('parseExact', () => {
  test('then stringifyExact returns exactly the same text', () => {
    fc.assert(
      fc.property(text, (json) => {
        expect(stringifyExact(parseExact(json))).toBe(json);
      }),
      { numRuns: 3_000 },
    );
  });

  test('differs from JSON.parse only in the numbers that it keeps as text', () => {
    fc.assert(
      fc.property(text, (json) => {
        const plain: unknown = JSON.parse(json);
        expect(lower(parseExact(json))).toEqual(lower(plain));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(oddNumbers.filter((odd) => String(Number(odd)) !== odd))('keeps %s', (odd) => {
    expect(parseExact(odd)).toEqual(new RawNumber(odd));
    expect(parseExact(`{"a":[${odd}]}`)).toEqual({ a: [new RawNumber(odd)] });
  });

  test.each([...plainNumbers, '1234567890123456', '0.123456789012345'])(
    'returns %s as a number',
    (plain) => {
      expect(parseExact(`[${plain}]`)).toEqual([Number(plain)]);
    },
  );

  test('never mistakes a string for a number, also if it starts with the mark', () => {
    const json = '[1.0,"number:2.0",{"_number:3.0":"_number:4.0"},"__number:5.0","___"]';
    expect(parseExact(json)).toEqual([
      new RawNumber('1.0'),
      'number:2.0',
      { '_number:3.0': '_number:4.0' },
      '__number:5.0',
      '___',
    ]);
  });

  test('leaves a number inside a string as it is', () => {
    expect(parseExact('["1.0","\\"1.0","\\\\",2.50]')).toEqual([
      '1.0',
      '"1.0',
      '\\',
      new RawNumber('2.50'),
    ]);
  });

  test('treats __proto__ like any other member; no prototype changes', () => {
    const value = parseExact('{"__proto__":{"polluted":1.0},"a":1}') as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'a']);
    expect('polluted' in value).toBe(false);
    expect(stringifyExact(value)).toBe('{"__proto__":{"polluted":1.0},"a":1}');
  });

  test('keeps the last of repeated members, like JSON.parse', () => {
    expect(parseExact('{"a":1,"b":2,"a":3}')).toEqual({ a: 3, b: 2 });
    expect(parseExact('{"a":"number:","b":2,"a":3.0}')).toEqual({ a: new RawNumber('3.0'), b: 2 });
  });

  test.each(['', '{', '[1.0', '[1.0,]', '01', '1.', '.5', '+1', 'NaN', '{"a":1.0}}', "['a']", '"'])(
    'throws SyntaxError for %j',
    (json) => {
      expect(() => parseExact(json)).toThrow(SyntaxError);
    },
  );

  test('rejects a string without an end at once, although every escaped quote could start another string', () => {
    const startMs = performance.now();
    expect(() => parseExact(`["${'\\"'.repeat(500_000)}`)).toThrow(SyntaxError);
    // A scan before parsing takes more than a minute.
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });

  test('does not overflow the stack in a long string', () => {
    const [long] = parseExact(`["${'x'.repeat(20_000_000)}",1.0]`) as [string];
    expect(long).toHaveLength(20_000_000);
  });

  test('rejects more than 500 levels, so that later code does not overflow the stack', () => {
    const deep = (levels: number, core: string) =>
      `${'[{"a":'.repeat(levels / 2)}${core}${'}]'.repeat(levels / 2)}`;
    for (const core of ['1', '1.0']) {
      expect(stringifyExact(parseExact(deep(500, core)))).toBe(deep(500, core));
      expect(() => parseExact(deep(502, core))).toThrow(SyntaxError);
      expect(() => parseExact(deep(100_000, core))).toThrow(SyntaxError);
    }
    expect(() => parseExact('['.repeat(100_000))).toThrow(SyntaxError);
  });

  test.each([parseExact, parseBounded])('rejects more than a million values: %o', (parse) => {
    const list = (count: number, one: string) => `[${Array(count).fill(one).join(',')}]`;
    expect(parse(list(valuesMax / 2 - 1, '{}'))).toHaveLength(valuesMax / 2 - 1);
    for (const one of ['{}', '[]', '1', '""', '{"a":1}']) {
      expect(() => parse(list(valuesMax + 1, one)), one).toThrow('values');
    }
    // Characters of a string are not values, however it is escaped.
    const text = JSON.stringify([',[{'.repeat(valuesMax / 2), `\\"${','.repeat(valuesMax)}`]);
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe('stringifyCanonical', () => {
  const shuffled = (value: unknown, random: () => number): unknown => {
    if (Array.isArray(value)) return value.map((inner) => shuffled(inner, random));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([key, inner]) => ({ key, inner, at: random() }));
    members.sort((a, b) => a.at - b.at);
    return Object.fromEntries(members.map(({ key, inner }) => [key, shuffled(inner, random)]));
  };

  test('returns the same text for equal values with members in any order', () => {
    const values = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.double({ min: 0, max: 1 })), (value, stream) => {
        const random = () => stream.next().value as number;
        const canonical = stringifyCanonical(value);
        expect(stringifyCanonical(shuffled(value, random))).toBe(canonical);
        expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 500 },
    );
  });

  test('sorts at every level and leaves out undefined members', () => {
    const value = { b: [{ d: 1, c: undefined }], a: null };
    expect(stringifyCanonical(value)).toBe('{"a":null,"b":[{"d":1}]}');
  });
});
