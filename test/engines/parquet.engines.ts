// Tests that the readers of data lakes on PyPI read our Parquet files: pyarrow, and DataFusion and delta-rs on arrow-rs. A
// file without rows must not make its folder unreadable.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodeRows, encodingOptions } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { createTempDir, findDifference } from '../formats/readers.ts';

interface Answer {
  readers: Record<string, { rows?: Row[]; error?: string }>;
  files: Record<
    string,
    { createdBy: string; metadata: object; sorting: unknown[]; bounds: [string, string][] }
  >;
  plans: Record<string, string>;
}

const temp = createTempDir();
afterAll(() => temp.remove());

/** Writes the files into a new folder and reads it. */
function readFolder(name: string, files: Record<string, Uint8Array>): Answer {
  const folder = temp.path(name);
  mkdirSync(folder);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  const python = join(import.meta.dirname, '../../coverage/python/bin/python');
  const printed = execFileSync(python, [join(import.meta.dirname, 'read.py'), folder], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(printed);
}

const keyIndex = containerNodes.columns.findIndex(({ name }) => name === containerNodes.keyColumn);
const readers = ['pyarrow', 'datafusion', 'deltalake'];
const rows = createRows(12_000, 3);
const empty = await encodeRows(parquetEncoder, []);
const full = await encodeRows(parquetEncoder, rows);

describe('a file without rows', () => {
  const answer = readFolder('empty', { 'empty.parquet': empty });
  test.each(readers)('is an empty table in %s', (reader) => {
    expect(answer.readers[reader]).toEqual({ rows: [] });
  });

  test('has the metadata', () => {
    const { createdBy, metadata } = encodingOptions;
    expect(answer.files['empty.parquet']).toMatchObject({ createdBy, metadata, sorting: [] });
  });
});

describe('a file with rows beside one without', () => {
  const answer = readFolder('both', { 'empty.parquet': empty, 'full.parquet': full });
  test.each(readers)('is read exactly by %s', (reader) => {
    const found = answer.readers[reader];
    expect(found?.error).toBeUndefined();
    expect(findDifference(found?.rows ?? [], rows)).toBeNull();
  });

  test('has metadata, sorting and exact bounds of the key in pyarrow', () => {
    const { createdBy, metadata } = encodingOptions;
    const groups = [rows.slice(0, 10_000), rows.slice(10_000)];
    expect(answer.files['full.parquet']).toEqual({
      createdBy,
      metadata,
      sorting: groups.map(() => [[keyIndex, false, false]]),
      bounds: groups.map((group) => [group[0]?.[keyIndex], group.at(-1)?.[keyIndex]]),
    });
  });

  test('needs no sort in DataFusion, which trusts sorting_columns', () => {
    const plan = answer.plans['full.parquet'];
    expect(plan).toContain('output_ordering=[host_id@0 ASC NULLS LAST]');
    expect(plan).not.toContain('SortExec');
  });
});

test('without the correction, arrow-rs refuses the whole folder', () => {
  const uncorrected = Buffer.from(empty);
  const at = uncorrected.indexOf(Uint8Array.of(0x16, 0x00, 0x19, 0x0c));
  expect(at).toBeGreaterThan(0);
  uncorrected[at + 3] = 0;
  const answer = readFolder('uncorrected', {
    'empty.parquet': uncorrected,
    'full.parquet': full,
  });
  expect(answer.readers.pyarrow?.rows).toHaveLength(rows.length);
  for (const reader of ['datafusion', 'deltalake']) {
    expect([reader, answer.readers[reader]?.error]).toEqual([
      reader,
      expect.stringContaining('Expected list element type of Struct'),
    ]);
  }
});
