// Tests that the rows of a stored part are read as they were written, and that no row of a damaged part is ever given.

import { readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { StoreError, UnusableObjectError } from '../../lib/core/errors.ts';
import type { Column, Row } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { openScratch } from '../../lib/platform/scratch.ts';
import type { Part } from '../../lib/snapshots/manifest.ts';
import { openCellOrder, openPartRows } from '../../lib/snapshots/part-rows.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { createTempDir, findDifference } from '../formats/readers.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const { columns, keyColumn } = containerNodes;
const key = 'container_nodes/part.parquet';

async function createPart(rows: readonly Row[], more: Partial<Part> = {}) {
  const bytes = await encodeRows(parquetEncoder, rows);
  const store = createMemoryStore({ nowMs: () => 0 });
  await store.put(key, bytes);
  const part: Part = {
    ...{ role: 'rows', format: 'parquet', key, rows: rows.length },
    ...{ bytes: bytes.length, sha256: sha256(bytes), ...more },
  };
  const scratch = createTestScratch();
  const read = async (wanted: readonly Column[] = columns) => {
    const options = { store, scratch, decoder: parquetDecoder, columns: wanted, keyColumn };
    const opened = await openPartRows(part, options);
    const given: Row[] = [];
    try {
      for await (const batch of opened.readBatches()) given.push(...batch);
      return { given, columns: opened.columns };
    } finally {
      await opened.close();
      await opened.close();
    }
  };
  return { bytes, store, scratch, read };
}

test.each([0, 1, 777, 20_001])(
  'gives %i rows in stored order, and removes its file',
  async (count) => {
    const rows = createRows(count, count + 3);
    const { read, scratch } = await createPart(rows);
    const found = await read();
    expect(findDifference(found.given, rows)).toBeNull();
    expect(found.columns).toEqual(columns);
    expect([scratch.opened(), scratch.left()]).toEqual([1, 0]);
  },
);

const seeds = countCases(60);

test(`one byte that differs, anywhere, is found before the first row: ${seeds} seeds`, async () => {
  const rows = createRows(50);
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const { bytes, store, read, scratch } = await createPart(rows);
    const changed = Buffer.from(bytes);
    const at = Math.floor(random() * changed.length);
    changed[at] = (changed[at] as number) ^ (1 + Math.floor(random() * 255));
    await store.put(key, changed);
    await expect(read(), `seed ${seed}`).rejects.toMatchObject({
      ...{ code: 'CORRUPT', key },
      message: `${key}: was altered: its hash differs from the one in its manifest`,
    });
    expect(scratch.left(), `seed ${seed}`).toBe(0);
  }
});

describe('refuses', () => {
  test('a part that is missing', async () => {
    const { store, read } = await createPart(createRows(3));
    await store.delete(key);
    await expect(read()).rejects.toMatchObject({
      ...{ code: 'CORRUPT', message: `${key}: is missing: a manifest names it` },
    });
  });

  test('a link in the place of the part', async () => {
    const { store, read } = await createPart(createRows(3));
    store.read = async () => {
      throw new UnusableObjectError(key, new StoreError('STORE_UNUSABLE', 'it is a link', ''));
    };
    await expect(read()).rejects.toMatchObject({
      ...{ code: 'CORRUPT', key },
      message: `${key}: is not the object that was sealed: it is a link`,
    });
  });

  test('a part that is too long or too short', async () => {
    const { store, bytes, read } = await createPart(createRows(3));
    await store.put(key, Buffer.concat([bytes, Buffer.from('more')]));
    await expect(read()).rejects.toThrow(`more than the ${bytes.length} bytes`);
    await store.put(key, bytes.subarray(0, 20));
    await expect(read()).rejects.toThrow('has 20 bytes, but its manifest says');
  });

  test('rows that are not sorted, or that are there twice', async () => {
    const [a, b] = createRows(2) as [Row, Row];
    await expect((await createPart([b, a])).read()).rejects.toThrow(
      'is not sorted: host_id in row 2 is before that of row 1',
    );
    await expect((await createPart([a, a])).read()).rejects.toThrow(
      'is not sorted: host_id in row 2 is the same as in row 1',
    );
  });

  test('another number of rows than the manifest says', async () => {
    const { read } = await createPart(createRows(3), { rows: 4 });
    await expect(read()).rejects.toThrow('has 3 rows, but its manifest says 4');
    const { read: readFew } = await createPart(createRows(3), { rows: 2 });
    await expect(readFew()).rejects.toThrow('has more than the 2 rows that its manifest says');
  });

  test('bytes of the right hash that are not Parquet', async () => {
    const text = Buffer.from('not Parquet, but long enough');
    const { store, read } = await createPart([], { bytes: text.length, sha256: sha256(text) });
    await store.put(key, text);
    await expect(read()).rejects.toMatchObject({ code: 'CORRUPT', key });
    await expect(read()).rejects.toThrow('cannot be read as parquet');
  });

  test('a part without the key column', async () => {
    const { read } = await createPart(createRows(3));
    await expect(read(columns.filter(({ name }) => name !== keyColumn))).rejects.toThrow(
      'has no column host_id',
    );
  });
});

test('a temporary file that another program changed is a ScratchError', async () => {
  const { bytes, store } = await createPart(createRows(100));
  const part: Part = {
    ...{ role: 'rows', format: 'parquet', key, rows: 100 },
    ...{ bytes: bytes.length, sha256: sha256(bytes) },
  };
  const folder = createTempDir();
  const host = { identity: 'test', name: 'test', boot: null, isGone: () => false };
  const clock = { nowMs: () => 0 };
  const scratch = openScratch({ parent: folder.path(''), host, clock, onExit: () => {} });
  const open = async () => {
    const file = await scratch.open();
    const finish = async () => {
      await file.finish();
      writeFileSync(file.path ?? '', Buffer.alloc(bytes.length));
    };
    return Object.create(file, { finish: { value: finish } });
  };
  const options = { store, scratch: { open }, decoder: parquetDecoder, columns, keyColumn };
  try {
    await expect(openPartRows(part, options)).rejects.toMatchObject({ code: 'TEMP_FAILED' });
    expect(readdirSync(folder.path(''))).toEqual([]);
  } finally {
    folder.remove();
  }
});

test('a column that a part lacks is null, and the cells are in the order that was asked for', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, type: 'string' }) as const);
  if (!a || !b || !c) throw new Error('not reached');
  expect(openCellOrder([a, b, c], [c, a])(['of c', 'of a'])).toEqual(['of a', null, 'of c']);
  expect(openCellOrder([a, b], [a, b])(['of a', 'of b'])).toEqual(['of a', 'of b']);
});
