// Responsible for cutting a stream of rows into row groups that every format encodes as a whole, and for checking each of
// them before it is encoded.

import type { Column, Row } from '../core/ports.ts';
import { countCharacters } from '../core/row-size.ts';
import { checkRows } from './row-check.ts';

export const rowsPerGroup = 10_000;
/** A row group ends with the row that reaches this size: in a group of usual rows 4 MB. */
const charactersPerGroup = 8 * 2 ** 20;

/** Collects rows until a row group is full. The last row group may be smaller; there is none without rows. */
export interface RowGroups {
  /** Adds rows, and encodes each row group that they fill. */
  add(rows: readonly Row[]): Promise<void>;
  /** Encodes the rows that are left. */
  finish(): Promise<void>;
}

/** `encodeGroup` must not keep the array: it is empty when its promise has resolved. */
export function openRowGroups(
  columns: readonly Column[],
  encodeGroup: (group: readonly Row[]) => Promise<void>,
): RowGroups {
  const group: Row[] = [];
  let characters = 0;
  let firstRow = 0;

  async function encode(): Promise<void> {
    checkRows(group, columns, firstRow);
    firstRow += group.length;
    await encodeGroup(group);
    group.length = 0;
    characters = 0;
  }

  return {
    async add(rows) {
      for (const row of rows) {
        group.push(row);
        characters += countCharacters(row);
        if (group.length === rowsPerGroup || characters >= charactersPerGroup) await encode();
      }
    },
    async finish() {
      if (group.length > 0) await encode();
    },
  };
}
