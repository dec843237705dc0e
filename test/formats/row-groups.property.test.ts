// Tests that the bytes depend on the sequence of rows only, and that a writer passes them on row group by row group.

import { constants, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Column, Row } from '../../lib/core/ports.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { openRowGroups } from '../../lib/formats/row-groups.ts';
import { countCases } from '../support/cases.ts';
import { encodeRows, encodingOptions } from './encoding.ts';

const columns: Column[] = [
  { name: 'id', type: 'string', required: true },
  { name: 'at', type: 'timestamp' },
  { name: 'count', type: 'int32' },
];
const rows: Row[] = Array.from({ length: 30_001 }, (_, i) => [
  `host-${String(i).padStart(6, '0')}`,
  i % 7 === 0 ? null : i * 1_000,
  i % 3,
]);
const shape = { columns, sortedBy: 'id' };

test.each([
  [[], []],
  [[1], [1]],
  [[10_000], [10_000]],
  [
    [9_999, 2],
    [10_000, 1],
  ],
  [
    [25_000, 0, 5_001],
    [10_000, 10_000, 10_000, 1],
  ],
])('rows given in batches of %j are encoded in groups of %j', async (batches, sizes) => {
  const found: Row[][] = [];
  const groups = openRowGroups(columns, async (group) => void found.push([...group]));
  let start = 0;
  for (const size of batches) {
    await groups.add(rows.slice(start, start + size));
    start += size;
  }
  await groups.finish();
  expect(found.map((group) => group.length)).toEqual(sizes);
  expect(found.flat()).toEqual(rows.slice(0, start));
});

test('a group of large rows ends with the row that makes it 8 Mi characters', async () => {
  const large = Array.from(
    { length: 20 },
    (_, i): Row => [String(i % 10).repeat(2 ** 20), null, 1],
  );
  const sizes: number[] = [];
  const groups = openRowGroups(columns, async (group) => void sizes.push(group.length));
  await groups.add(large.slice(0, 3));
  await groups.add(large.slice(3));
  await groups.finish();
  expect(sizes).toEqual([8, 8, 4]);
});

describe.each([parquetEncoder, ndjsonEncoder])('$format', (encoder) => {
  test('any division of large rows into batches gives the same bytes', async () => {
    const large = rows
      .slice(0, 60)
      .map(([id, ...rest], i): Row => [`${id}${'x'.repeat((i % 7) * 90_000)}`, ...rest]);
    const whole = await encodeRows(encoder, large, shape);
    for (const sizes of [[1], [7, 1, 30], [59]]) {
      expect(whole.equals(await encodeRows(encoder, large, shape, sizes))).toBe(true);
    }
  });

  test('any division into batches gives the same bytes', async () => {
    const batch = fc.oneof(
      fc.constantFrom(0, 1, 499, 500, 501, 9_999, 10_000, 10_001),
      fc.nat({ max: 12_000 }),
    );
    const given = {
      count: fc.nat({ max: rows.length }),
      sizes: fc.array(batch, { maxLength: 12 }),
    };
    await fc.assert(
      fc.asyncProperty(fc.record(given), async ({ count, sizes }) => {
        const some = rows.slice(0, count);
        const whole = await encodeRows(encoder, some, shape);
        expect(whole.equals(await encodeRows(encoder, some, shape, sizes))).toBe(true);
      }),
      { numRuns: countCases(25) },
    );
  });

  test('names the row of the whole object, and writes nothing of its row group', async () => {
    const faulty = rows.with(20_003, ['id', 0.5, 1]);
    const chunks: Uint8Array[] = [];
    const sink = (bytes: Uint8Array) => void chunks.push(bytes);
    const writer = encoder.open({ ...encodingOptions, ...shape, sink });
    await expect(writer.write(faulty)).rejects.toMatchObject({
      code: 'ROW_INVALID',
      message: 'row 20003, column at: not whole milliseconds between the years 0000 and 9999',
    });
    // What zlib may hold back is written here.
    await writer.end().catch(() => {});
    const bytes = Buffer.concat(chunks);
    const text =
      encoder.format === 'ndjson'
        ? gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
        : '';
    expect(text).not.toContain('host-020000');
    const whole = await encodeRows(encoder, rows, shape);
    // The first two row groups are the same as those of a file without the fault.
    expect(bytes.length).toBeGreaterThan(whole.length / 3);
    expect(bytes.length).toBeLessThan(whole.length);
    expect(bytes.equals(whole.subarray(0, bytes.length))).toBe(true);
  });

  test('calls the sink once at a time, and holds no more than a row group', async () => {
    let open = 0;
    let taken = 0;
    const sink = async (bytes: Uint8Array) => {
      expect(++open).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      taken += bytes.length;
      open--;
    };
    const writer = encoder.open({ ...encodingOptions, ...shape, sink });
    await writer.write(rows.slice(0, 20_000));
    const after = taken;
    await writer.write(rows.slice(20_000));
    await writer.end();
    expect(after).toBeGreaterThan(taken / 3);
    expect([open, taken]).toEqual([0, (await encodeRows(encoder, rows, shape)).length]);
  });

  test.each([1, 2])('an error of the sink in its call %i ends the encoding', async (call) => {
    const failure = new Error('disk full');
    let calls = 0;
    const sink = () => {
      if (++calls >= call) throw failure;
    };
    const write = async () => {
      const writer = encoder.open({ ...encodingOptions, ...shape, sink });
      for (let start = 0; start < rows.length; start += 5_000) {
        await writer.write(rows.slice(start, start + 5_000));
      }
      await writer.end();
    };
    await expect(write()).rejects.toBe(failure);
    expect(calls).toBe(call);
  });
});
