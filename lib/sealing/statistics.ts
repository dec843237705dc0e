// Responsible for the counts in a manifest: values, unknown values, unknown fields and fields of the wrong type. Pure.

import { parseExact } from '../core/exact-json.ts';
import type { Dataset, Row } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import type { Manifest } from '../snapshots/manifest.ts';

export type Statistics = Pick<Manifest, 'values' | 'unknownValues' | 'unknownFields' | 'mistyped'>;

/** What the manifest has in place of names for which it has no room. */
export const othersName = '(others)';
/** Of all names in a manifest, characters, with 10 for each name: a manifest that grew without limit could not be read again. */
const namesMax = 200_000;
const perName = 10;

/**
 * Counts rows. The result depends on them and their order alone, so that sealing again gives the same manifest. Nulls are not counted.
 * Names for which there is no room are counted together, as `othersName`.
 */
export function createCounter(dataset: Dataset) {
  const { countedColumns, knownValues, fields } = dataset;
  const columnIndex = new Map(dataset.columns.map(({ name }, index) => [name, index]));
  const valueCounts = new Map(
    [...countedColumns, ...Object.keys(knownValues)].map((name) => [name, new Map()]),
  );
  const counted = [...valueCounts].map(([name, counts]) => ({
    counts,
    known: knownValues[name] ?? [],
    index: columnIndex.get(name) ?? -1,
  }));
  const unknownFields = new Set<string>();
  const mistyped = new Map<string, number>();
  let room = namesMax;
  const extraIndex = columnIndex.get(dataset.extraColumn) ?? -1;

  /** `name`, or `othersName` if it is new and there is no room for it. */
  function admit(name: string, isKnown: boolean): string {
    if (isKnown) return name;
    if (name.length + perName > room) return othersName;
    room -= name.length + perName;
    return name;
  }

  function addRow(row: Row): void {
    for (const { counts, known, index } of counted) {
      const value = row[index];
      if (value === null || value === undefined) continue;
      const name = String(value);
      increment(counts, admit(name, counts.has(name) || known.includes(name)));
    }
    const extra = row[extraIndex];
    if (typeof extra !== 'string') return;
    // The extra column holds unknown fields, and known fields whose value had the wrong type.
    for (const field of Object.keys(parseExact(extra) as object)) {
      if (fields.has(field)) increment(mistyped, field);
      else unknownFields.add(admit(field, unknownFields.has(field)));
    }
  }

  return {
    add(rows: readonly Row[]): void {
      for (const row of rows) addRow(row);
    },
    statistics: () => collectStatistics(dataset, valueCounts, { unknownFields, mistyped }),
  };
}

function collectStatistics(
  { countedColumns, knownValues }: Dataset,
  valueCounts: ReadonlyMap<string, ReadonlyMap<string, number>>,
  { unknownFields, mistyped }: { unknownFields: Set<string>; mistyped: Map<string, number> },
): Statistics {
  const sortedCounts = (name: string) => sortCounts(valueCounts.get(name) ?? new Map());
  const unknownValues = Object.entries(knownValues)
    .map(([name, known]): [string, [string, number][]] => [
      name,
      sortedCounts(name).filter(([value]) => !known.includes(value)),
    ])
    .filter(([, unknown]) => unknown.length > 0);
  const values = countedColumns.map((name) => [name, Object.fromEntries(sortedCounts(name))]);
  return {
    values: Object.fromEntries(values),
    unknownValues: Object.fromEntries(
      unknownValues.map(([name, unknown]) => [name, Object.fromEntries(unknown)]),
    ),
    unknownFields: [...unknownFields].sort(compareUtf8),
    mistyped: Object.fromEntries(sortCounts(mistyped)),
  };
}

function increment(counts: Map<string, number>, value: string): void {
  counts.set(value, (counts.get(value) ?? 0) + 1);
}

function sortCounts(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => compareUtf8(a, b));
}
