// Tests that only the expected footer is corrected. test/formats/parquet.property.test.ts reads corrected files.

import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { declareEmptyRowGroups } from '../../lib/formats/parquet-footer.ts';
import { readArrowRs } from './readers.ts';

/** A file of one column, as the library writes it. */
function writeFile(values: string[]): Uint8Array {
  const bytes = new ByteWriter();
  const file = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: 'root', num_children: 1 },
      { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    ],
  });
  file.write({ columnData: [{ name: 'id', data: values }] });
  file.finish();
  return new Uint8Array(bytes.getBuffer());
}

test('arrow-rs refuses a file without rows as the library writes it', async () => {
  await expect(readArrowRs(writeFile([]))).rejects.toThrow('Expected list element type of Struct');
});

test('changes one byte of a file without rows: the element type of the row groups', () => {
  const bytes = writeFile([]);
  const corrected = bytes.slice();
  declareEmptyRowGroups(corrected);
  const changed = [...bytes.keys()].filter((index) => bytes[index] !== corrected[index]);
  expect(changed.map((index) => [bytes[index], corrected[index]])).toEqual([[0x00, 0x0c]]);
  expect(bytes.subarray((changed[0] ?? 0) - 3, (changed[0] ?? 0) + 1)).toEqual(
    Uint8Array.of(0x16, 0x00, 0x19, 0x00),
  );
});

test('refuses a footer that has another form, so that a new version of the library is noticed', () => {
  const corrected = writeFile([]);
  declareEmptyRowGroups(corrected);
  for (const bytes of [corrected, writeFile(['a'])]) {
    expect(() => declareEmptyRowGroups(bytes)).toThrow('another footer than 0.17.0');
  }
});
