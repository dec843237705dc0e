// Tests the external sort against a sort in memory, with batches from one reading up, and with failing temporary files.

import { expect, test } from 'vitest';
import type { Appended, Cell, Scratch } from '../../lib/core/ports.ts';
import { openSorter, type SortSize } from '../../lib/sealing/row-sorter.ts';
import type { Reading } from '../../lib/sealing/sorted-block.ts';
import { unusualNames } from '../formats/inventory.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { createTestScratch } from '../support/test-scratch.ts';

function makeReadings(random: () => number): Reading[] {
  const below = (end: number) => Math.floor(random() * end);
  const names = ['a', 'b', 'é', '😀', 'Ａ', '\uffff', '\u{10ffff}', 'aa', 'n'];
  return Array.from({ length: below(120) }, (_, index) => {
    const key = `${names[below(names.length)]}${below(4) === 0 ? '' : below(40)}`;
    const cells = [null, 0, 5, true, false, 'same', unusualNames[below(unusualNames.length)] ?? ''];
    const row: Cell[] = [1_790_000_000_000, 'same', key, index, cells[below(cells.length)] ?? null];
    return { key, row, isPosition: below(2) === 0 };
  });
}

async function sortAll(scratch: Scratch, size: SortSize | undefined, readings: readonly Reading[]) {
  const sorter = openSorter({ scratch, keyIndex: 2, size });
  try {
    for (let start = 0; start < readings.length; start += 7) {
      await sorter.add(readings.slice(start, start + 7));
    }
    const sorted: Reading[] = [];
    for await (const some of sorter.sorted()) sorted.push(...some);
    return sorted;
  } finally {
    await sorter.remove();
  }
}

const seeds = countCases(120);

test(`sorts by the UTF-8 bytes of the key, equal keys as they were added: ${seeds} seeds`, async () => {
  let spilled = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const readings = makeReadings(random);
    const size = { batch: 1 + Math.floor(random() * 40), block: 1 + Math.floor(random() * 6) };
    const scratch = createTestScratch();
    const expected = readings
      .map((reading, index) => ({ reading, index, bytes: Buffer.from(reading.key) }))
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes) || a.index - b.index)
      .map(({ reading }) => reading);
    expect(await sortAll(scratch, size, readings), `seed ${seed}`).toEqual(expected);
    // Only if one batch is not enough.
    expect(scratch.opened() > 0, `seed ${seed}`).toBe(readings.length > size.batch);
    expect(scratch.opened(), `seed ${seed}`).toBeLessThanOrEqual(8);
    expect(scratch.left(), `seed ${seed}`).toBe(0);
    if (scratch.opened() > 0) spilled += 1;
  }
  expect(spilled).toBeGreaterThan(countCases(60));
});

test('keeps 20,000 readings in memory, and needs 8 files for one more', async () => {
  const readings = Array.from({ length: 20_001 }, (_, index) => {
    const key = String((index * 7_919) % 20_001);
    return { key, row: [0, 'x', key], isPosition: true };
  });
  const few = createTestScratch();
  expect(await sortAll(few, undefined, readings.slice(1))).toHaveLength(20_000);
  expect(few.opened()).toBe(0);
  const many = createTestScratch();
  const sorted = await sortAll(many, undefined, readings);
  expect(sorted.map(({ key }) => key)).toEqual(readings.map(({ key }) => key).sort());
  expect(many.opened()).toBe(8);
});

test('removes each file when all of it has been read', async () => {
  const scratch = createTestScratch();
  const sorter = openSorter({ scratch, keyIndex: 2, size: { batch: 800, block: 10 } });
  await sorter.add(
    Array.from({ length: 8_000 }, (_, index) => {
      const key = String((index * 7_919) % 8_000).padStart(4, '0');
      return { key, row: [0, 'x', key], isPosition: true };
    }),
  );
  const left: number[] = [];
  for await (const _readings of sorter.sorted()) left.push(scratch.left());
  expect(left).toEqual([7, 6, 5, 4, 3, 2, 1, 0, 0]);
});

test('holds few readings at once if they are large', async () => {
  const characters = 2 ** 20;
  const scratch = createTestScratch();
  let appended = 0;
  const counted: Scratch = {
    async open() {
      const file = await scratch.open();
      const { append } = file;
      return Object.assign(file, {
        append(bytes: Uint8Array) {
          appended += 1;
          return append(bytes);
        },
      });
    },
  };
  const readings = Array.from({ length: 60 }, (_, index) => {
    const key = String((index * 7) % 60).padStart(2, '0');
    return { key, row: [0, key.repeat(characters / 2), key], isPosition: true };
  });
  const sorted = await sortAll(counted, undefined, readings);
  expect(sorted.map(({ key }) => key)).toEqual(readings.map(({ key }) => key).sort());
  // Batches of 24 readings, and blocks of one.
  expect(appended).toBe(60);
  expect(scratch.opened()).toBe(8);
});

test('throws the error of any call to the temporary file, and deletes it', async () => {
  const readings = makeReadings(createRandom(3));
  expect(readings.length).toBeGreaterThan(30);
  let failures = 0;
  for (let failing = 0; ; failing += 1) {
    let calls = 0;
    const scratch = createTestScratch();
    const countCall = () => {
      calls += 1;
      if (calls - 1 === failing) throw new Error('disk');
    };
    const counted: Scratch = {
      async open() {
        countCall();
        const file = await scratch.open();
        const { append, read } = file;
        return Object.assign(file, {
          append: async (bytes: Uint8Array) => {
            countCall();
            return append(bytes);
          },
          read: async (appended: Appended) => {
            countCall();
            return read(appended);
          },
        });
      },
    };
    const sorted = sortAll(counted, { batch: 10, block: 3 }, readings);
    const failed = await sorted.then(
      () => false,
      (error: Error) => error.message === 'disk',
    );
    expect(scratch.left()).toBe(0);
    if (!failed) break;
    failures += 1;
  }
  expect(failures).toBeGreaterThan(20);
});
