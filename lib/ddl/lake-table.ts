// Responsible for what the SQL of every dialect has in common: the tables and views of one stored table, and their columns.
// Not responsible for any SQL: each dialect writes its own.

import type { Column } from '../core/ports.ts';

/** A number that a manifest has in `values`: the rows of which a column has a value. */
export interface Measure {
  /** The column of `<table>_snapshots` and `<table>_coverage`. */
  name: string;
  /** A counted column of the dataset, and the value. */
  counted: string;
  value: string;
  /** True: the rows with any other value, null included. */
  isRest: boolean;
}

/** One stored table and what belongs to it. */
export interface LakeTable {
  /** `[a-z][a-z0-9_]*`, but it can be a word that SQL reserves: quote it. */
  table: string;
  /** Where the engine finds the store, without `/` at the end: any characters. The folder of the rows is `<root>/<table>`. */
  root: string;
  /** Of the rows, in order. Files of older versions lack some; files of newer ones have others. */
  columns: readonly Column[];
  /** Of `<table>_changes`, in order. */
  changeColumns: readonly Column[];
  /** Empty for a dataset without them: `_coverage` then has `rows`. */
  measures: readonly Measure[];
}

/** The partition keys, which are strings. The files do not have them as columns. */
export const partitionKeys = ['dt', 'rgn', 'prj'] as const;

/** The members of one entry of `parts`, in the manifest and in `<table>_snapshots`. */
export const partFields: readonly Column[] = [
  { name: 'role', type: 'string' },
  { name: 'format', type: 'string' },
  { name: 'key', type: 'string' },
  { name: 'rows', type: 'int64' },
  { name: 'bytes', type: 'int64' },
  { name: 'sha256', type: 'string' },
];

/** The names of the columns of `<table>_snapshots`, in order. An engine that cannot see tombstones leaves out `is_pruned`. */
export function snapshotColumns({ measures }: Pick<LakeTable, 'measures'>): string[] {
  return [
    ...['account', 'region', 'project_id', 'snapshot', 'snapshot_at', 'started_at', 'sealed_at'],
    ...['verdict', 'rows', 'rejects', 'schema_version'],
    ...measures.map(({ name }) => name),
    ...['added', 'removed', 'changed', 'is_pruned', 'previous_snapshot', 'parts'],
  ];
}

/** The columns of `<table>_coverage`, in order, each with the column of `<table>_snapshots` that it shows. */
export function coverageColumns({
  measures,
}: Pick<LakeTable, 'measures'>): { name: string; from: string }[] {
  const same = (name: string) => ({ name, from: name });
  const counts = [
    { name: measures.length > 0 ? 'nodes' : 'rows', from: 'rows' },
    ...measures.map(({ name }) => same(name)),
  ];
  const names = ['account', 'region', 'project_id', 'snapshot', 'snapshot_at', 'verdict'];
  return [...names.map(same), ...counts];
}
