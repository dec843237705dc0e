// Responsible for cutting a stream of rows into row groups that every format encodes as a whole, and for checking each of
// them before it is encoded.

import type { Column, Row } from '../core/ports.ts';
import { checkRows } from './row-check.ts';

const rowsPerGroup = 10_000;

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
  let firstRow = 0;

  async function encode(): Promise<void> {
    checkRows(group, columns, firstRow);
    firstRow += group.length;
    await encodeGroup(group);
    group.length = 0;
  }

  return {
    async add(rows) {
      for (const row of rows) {
        group.push(row);
        if (group.length === rowsPerGroup) await encode();
      }
    },
    async finish() {
      if (group.length > 0) await encode();
    },
  };
}
