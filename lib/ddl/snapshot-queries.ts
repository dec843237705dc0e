// Responsible for what the queries of the views `<table>_snapshots` and `<table>_coverage` have in common in every dialect.

import { coverageColumns, type LakeTable, type Measure, snapshotColumns } from './lake-table.ts';
import { wrap } from './sql-layout.ts';

/** Quotes a name as the dialect does. */
type QuoteName = (name: string) => string;

/**
 * The columns of `<table>_snapshots`, a line each. `sources`: the expression of a column; null: the view lacks it; absent: a column
 * with its name.
 */
export function listColumns(
  table: LakeTable,
  sources: Readonly<Record<string, string | null>>,
  quoteName: QuoteName,
): string[] {
  const columns = snapshotColumns(table).flatMap((name) => {
    const source = sources[name];
    if (source === null) return [];
    return [source === undefined ? quoteName(name) : `${source} AS ${quoteName(name)}`];
  });
  return columns.map((column, index) => `  ${column}${index < columns.length - 1 ? ',' : ''}`);
}

/** How an engine without types for JSON reads a member of a manifest, by its path. `time`: of an ISO 8601 text. */
export interface ManifestReader {
  text(path: string): string;
  number(path: string): string;
  time(iso: string): string;
}

/** The sources of listColumns() for a column `manifest` with JSON text, but not snapshot_at and parts. */
export function listManifestSources(
  { measures }: LakeTable,
  { text, number, time }: ManifestReader,
): Record<string, string | null> {
  return {
    account: text('scope.account'),
    region: text('scope.region'),
    project_id: text('scope.projectId'),
    snapshot: text('snapshot'),
    started_at: time(text('startedAt')),
    sealed_at: time(text('sealedAt')),
    verdict: text('verdict'),
    rows: number('rows'),
    rejects: number('rejects'),
    schema_version: number('schemaVersion'),
    ...Object.fromEntries(measures.map((measure) => [measure.name, countMeasure(measure, number)])),
    added: number('changes.added'),
    removed: number('changes.removed'),
    changed: number('changes.changed'),
    is_pruned: null,
    previous_snapshot: text('previous.snapshot'),
  };
}

/** A manifest has counts only of values that at least one row has. */
function countMeasure(
  { counted, value, isRest }: Measure,
  number: ManifestReader['number'],
): string {
  const count = `coalesce(${number(`values.${counted}.${value}`)}, 0)`;
  return isRest ? `${number('rows')} - ${count}` : count;
}

/** Selects one row a snapshot. */
export function selectCoverage(table: LakeTable, quoteName: QuoteName): string {
  const columns = coverageColumns(table).map(({ name, from }) =>
    name === from ? quoteName(name) : `${quoteName(from)} AS ${quoteName(name)}`,
  );
  return ['SELECT', ...wrap(columns), `FROM ${quoteName(`${table.table}_snapshots`)}`].join('\n');
}
