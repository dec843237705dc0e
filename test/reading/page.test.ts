// Tests how a page is stored and read back, and how its records are recognised in another page.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { parseExact } from '../../lib/core/exact-json.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { decodePage, encodePage, pageHash, toItems } from '../../lib/reading/page.ts';

const key = '_runs/x/pages/000000-ab.gz';
const header = { index: 3, pass: 1, offset: 597, fetchedAtMs: 1_795_500_000_000 };

describe('toItems', () => {
  test('recognises a record by its key, whatever its other fields are', () => {
    const items = toItems(containerNodes, [{ host_id: 'a' }, { host_id: 'a', host_name: 'b' }]);
    expect(items[0]).toEqual({ key: 'a', mark: 'key:a' });
    expect(items[1]).toEqual(items[0]);
  });

  test('recognises a record without a key by its text, to the digit', () => {
    const texts = ['{"x":1.0}', '{"x":1.00}', '{"x":1}', 'null', '"key:a"', '[]', '{"host_id":""}'];
    const items = toItems(containerNodes, texts.map(parseExact));
    expect(items.every((item) => item.key === null)).toBe(true);
    expect(new Set(items.map(({ mark }) => mark)).size).toBe(texts.length);
    const [first, second] = toItems(containerNodes, [{ x: [1] }, { x: [1] }]);
    expect(first).toEqual(second);
  });
});

describe('a stored page', () => {
  const body = '{"total_num":3,"data_list":[{"host_id":"é","n":1.0},"😀\\n"]}';

  test('is read back unchanged, also with line feeds in its body', () => {
    for (const text of [body, `\n${body.replace(',', ',\n')}\n`]) {
      const bytes = encodePage(header, 'overlap', text);
      const page = decodePage(containerNodes, key, bytes);
      expect(page.header).toEqual(header);
      expect(page.from).toBe('overlap');
      expect(page.body).toEqual(containerNodes.parsePage(parseExact(text)));
    }
  });

  test('has the same bytes each time', () => {
    expect(encodePage(header, 'anchor', body)).toEqual(encodePage(header, 'anchor', body));
    expect(pageHash(encodePage(header, 'anchor', body))).toMatch(/^[0-9a-f]{32}$/);
    expect(encodePage({ ...header, fetchedAtMs: 1 }, 'anchor', body)).not.toEqual(
      encodePage(header, 'anchor', body),
    );
  });

  test('is reported by its key if it is truncated', () => {
    const bytes = encodePage(header, 'anchor', body);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        const decode = () => decodePage(containerNodes, key, bytes.subarray(0, length));
        expect(decode).toThrow(CorruptError);
        expect(decode).toThrow(key);
      }),
    );
  });

  test('is rejected if it is not a page', () => {
    for (const bytes of [
      Buffer.from('no gzip'),
      gzipSync('no header'),
      gzipSync('{}\nno body'),
      gzipSync(`${JSON.stringify(header)}\n{"total_num":"x"}`),
    ]) {
      const decode = () => decodePage(containerNodes, key, bytes);
      expect(decode).toThrow(CorruptError);
    }
  });
});
