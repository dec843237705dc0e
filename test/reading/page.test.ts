import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError, ProtocolError } from '../../lib/core/errors.ts';
import { RawNumber } from '../../lib/core/exact-json.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { decodePage, encodePage, pageHash, parsePageBody, toItem } from '../../lib/reading/page.ts';

const key = '_runs/x/pages/000000-ab.gz';
const header = { index: 3, pass: 1, offset: 597, fetchedAtMs: 1_795_500_000_000 };

describe('parsePageBody', () => {
  test.each([
    ['{"total_num":2,"data_list":[{"host_id":"a"},null]}', 2, [{ host_id: 'a' }, null]],
    ['{"data_list":[],"total_num":7,"request_id":"x"}', 7, []],
    ['{"total_num":0}', 0, []],
    ['{"total_num":0,"data_list":null}', 0, []],
    ['{"total_num":1,"data_list":[1.0]}', 1, [new RawNumber('1.0')]],
  ])('%s', (text, totalNum, records) => {
    expect(parsePageBody(text)).toEqual({ totalNum, records });
  });

  test.each([
    'null',
    '[]',
    '"text"',
    '5',
    '1.5',
    '{}',
    '{"total_num":"2","data_list":[]}',
    '{"total_num":-1,"data_list":[]}',
    '{"total_num":1.5,"data_list":[]}',
    '{"total_num":2.0,"data_list":[]}',
    '{"total_num":9007199254740993,"data_list":[]}',
    '{"total_num":null,"data_list":[]}',
    '{"total_num":2}',
    '{"total_num":2,"data_list":null}',
    '{"total_num":0,"data_list":{}}',
    '<html>',
    '{"total_num":2,"data_list":[',
    `{"total_num":1,"data_list":[${'['.repeat(5_000)}${']'.repeat(5_000)}]}`,
  ])('%.60s is no page', (text) => {
    expect(() => parsePageBody(text)).toThrow(ProtocolError);
    expect(() => parsePageBody(text)).toThrow(expect.objectContaining({ code: 'NOT_A_PAGE' }));
  });

  test('says no word of what was sent', () => {
    expect(() => parsePageBody('{"total_num":2,"secret"')).not.toThrow(/secret/);
  });
});

describe('toItem', () => {
  test('a record with a key is known by it, whatever else changes', () => {
    const items = [{ host_id: 'a' }, { host_id: 'a', host_name: 'b' }].map((record) =>
      toItem(containerNodes, record),
    );
    expect(items[0]).toEqual({ key: 'a', mark: 'key:a' });
    expect(items[1]).toEqual(items[0]);
  });

  test('a record without one is known by its text, to the digit', () => {
    const marks = ['{"x":1.0}', '{"x":1.00}', '{"x":1}', 'null', '"key:a"', '[]', '{"host_id":""}']
      .map((text) => parsePageBody(`{"total_num":1,"data_list":[${text}]}`).records[0])
      .map((record) => toItem(containerNodes, record));
    expect(marks.every((item) => item.key === null)).toBe(true);
    expect(new Set(marks.map(({ mark }) => mark)).size).toBe(marks.length);
    expect(toItem(containerNodes, { x: [1] })).toEqual(toItem(containerNodes, { x: [1] }));
  });
});

describe('a stored page', () => {
  const body = '{"total_num":3,"data_list":[{"host_id":"é","n":1.0},"😀\\n"]}';

  test('comes back as it was, line feeds in its body too', () => {
    for (const text of [body, `\n${body.replace(',', ',\n')}\n`]) {
      const bytes = encodePage(header, text);
      const page = decodePage(key, pageHash(bytes), bytes);
      expect(page.header).toEqual(header);
      expect(page.body).toEqual(parsePageBody(text));
    }
  });

  test('is the same bytes each time', () => {
    expect(encodePage(header, body)).toEqual(encodePage(header, body));
    expect(pageHash(encodePage(header, body))).toMatch(/^[0-9a-f]{16}$/);
    expect(encodePage({ ...header, fetchedAtMs: 1 }, body)).not.toEqual(encodePage(header, body));
  });

  test('any byte changed, any cut: found, and named', () => {
    const bytes = encodePage(header, body);
    const hash = pageHash(bytes);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
        const altered = Uint8Array.from(bytes);
        altered[index] = (altered[index] ?? 0) ^ change;
        expect(() => decodePage(key, hash, altered)).toThrow(CorruptError);
        expect(() => decodePage(key, hash, bytes.subarray(0, index))).toThrow(key);
      }),
    );
  });

  test('whole, but nothing that this program wrote: found all the same', () => {
    for (const bytes of [
      Buffer.from('no gzip'),
      gzipSync('no header'),
      gzipSync('{}\nno body'),
      gzipSync(`${JSON.stringify(header)}\n{"total_num":"x"}`),
    ]) {
      expect(() => decodePage(key, pageHash(bytes), bytes)).toThrow(CorruptError);
    }
  });
});
