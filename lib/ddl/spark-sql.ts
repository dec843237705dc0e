// Responsible for what the SQL of Spark and of DLI, which is built on Spark, have in common: types, quoting, tables and views.

import type { Column, ColumnType } from '../core/ports.ts';
import { asOfExample, type Statement, type StoreAddress } from './dialect.ts';
import { type LakeTable, type Measure, partFields, partitionKeys } from './lake-table.ts';
import { listColumns, selectCoverage } from './snapshot-queries.ts';
import { wrap } from './sql-layout.ts';

const types: Readonly<Record<ColumnType, string>> = {
  string: 'STRING',
  boolean: 'BOOLEAN',
  int32: 'INT',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMP',
};

/** Where Spark finds a store. */
export function locateForSpark(store: StoreAddress): string {
  if (store.kind === 'file') return `file://${store.path}`;
  return ['obs:/', store.bucket, ...(store.prefix === '' ? [] : [store.prefix])].join('/');
}

/** Why Spark cannot read a store at this location. Null: it can. */
export function findSparkFault(root: string): string | null {
  const found = /[*?{}[\]\\]/.exec(root);
  return found && `Spark gives "${found[0]}" in a path a meaning and cannot escape it`;
}

/** The tables of the rows and of the changes. Dropping them drops no file. `options`: more options of the tables. */
export function createDataTables(table: LakeTable, options: readonly string[]): Statement[] {
  const { table: name } = table;
  return [
    {
      comment: `All rows of all snapshots of ${name}.`,
      sql: dropTable(name),
    },
    { comment: '', sql: createDataTable(table, name, table.columns, options) },
    {
      comment: 'What changed between compared snapshots, one row per change.',
      sql: dropTable(`${name}_changes`),
    },
    { comment: '', sql: createDataTable(table, `${name}_changes`, table.changeColumns, options) },
  ];
}

/**
 * Otherwise Spark refuses a file with a time before 1900, as that of a cluster can be: it does not know whether Spark 2 wrote it, which
 * had another calendar.
 */
const asWritten = "datetimeRebaseMode 'CORRECTED'";

function createDataTable(
  { root }: LakeTable,
  name: string,
  columns: readonly Column[],
  options: readonly string[],
): string {
  const declared = [
    ...columns.map((column) => `${quoteName(column.name)} ${types[column.type]}`),
    ...partitionKeys.map((key) => `${key} STRING`),
  ];
  return [
    `CREATE TABLE ${quoteName(name)} (`,
    ...wrap(declared),
    ')',
    'USING parquet',
    `OPTIONS (${[`path ${quoteText(`${root}/${name}`)}`, asWritten, ...options].join(', ')})`,
    `PARTITIONED BY (${partitionKeys.join(', ')})`,
  ].join('\n');
}

/** The tables that read manifests and tombstones as they are. `options`: more options of a table that has subfolders. */
export function createJsonTables(table: LakeTable, options: readonly string[]): Statement[] {
  const { root, table: name } = table;
  const create = (suffix: string, folder: string, columns: readonly string[]) =>
    [
      `CREATE TABLE ${quoteName(`${name}${suffix}`)} (`,
      ...wrap(columns),
      ')',
      'USING json',
      `OPTIONS (path ${quoteText(`${root}/${folder}/${name}`)}, ${options.join(', ')})`,
    ].join('\n');
  return [
    {
      comment: 'The manifests as they are. For the views below.',
      sql: dropTable(`${name}_manifests`),
    },
    {
      comment: '',
      sql: create('_manifests', '_manifests', describeManifest(table.measures)),
    },
    {
      comment: 'The tombstones of pruned snapshots. For the views below.',
      sql: dropTable(`${name}_tombstones`),
    },
    { comment: '', sql: create('_tombstones', '_pruned', ['`snapshot` STRING']) },
  ];
}

export function createViews(table: LakeTable): Statement[] {
  const { table: name } = table;
  const view = (suffix: string) => `CREATE OR REPLACE VIEW ${quoteName(`${name}${suffix}`)} AS`;
  return [
    {
      comment: 'The manifests, one row per snapshot.',
      sql: `${view('_snapshots')}\n${selectSnapshots(table)}`,
    },
    {
      comment: 'The rows of the newest complete snapshot of each region and project.',
      sql: `${view('_latest')}\n${selectNewest(table, 'current_timestamp() + INTERVAL 24 HOURS')}`,
    },
    {
      comment: 'One row per snapshot, also for empty and drifted snapshots.',
      sql: `${view('_coverage')}\n${selectCoverage(table, quoteName)}`,
    },
  ];
}

/** The statements that make Spark list the files of each table again. */
export function refreshTables({ table }: LakeTable): Statement[] {
  return ['', '_changes', '_manifests', '_tombstones'].map((suffix, index) => ({
    comment:
      index === 0
        ? 'New partitions and files: a new session sees them at once. In a session that has read the tables, run these.'
        : '',
    sql: `REFRESH TABLE ${quoteName(`${table}${suffix}`)}`,
  }));
}

export function selectAsOf(table: LakeTable): string {
  return selectNewest(table, `TIMESTAMP '${asOfExample}'`);
}

function describeManifest(measures: readonly Measure[]): string[] {
  const struct = (fields: readonly string[]) => `STRUCT<${fields.join(', ')}>`;
  const parts = partFields.map(({ name, type }) => `${quoteName(name)}: ${types[type]}`);
  const members: Record<string, string> = {
    snapshot: 'STRING',
    startedAt: 'TIMESTAMP',
    sealedAt: 'TIMESTAMP',
    verdict: 'STRING',
    rows: 'BIGINT',
    rejects: 'BIGINT',
    schemaVersion: 'BIGINT',
    scope: struct(['account: STRING', 'region: STRING', 'projectId: STRING']),
    changes: struct(['added: BIGINT', 'removed: BIGINT', 'changed: BIGINT']),
    previous: struct(['snapshot: STRING']),
    parts: `ARRAY<${struct(parts)}>`,
  };
  if (measures.length > 0) {
    members.values = struct(
      measures.map(
        ({ counted, value }) => `${quoteName(counted)}: ${struct([`${quoteName(value)}: BIGINT`])}`,
      ),
    );
  }
  return Object.entries(members).map(([name, type]) => `${quoteName(name)} ${type}`);
}

/** The last three components of a path: region, project and snapshot. */
const ownPath = "regexp_extract(_metadata.file_path, '[^/]*/[^/]*/[^/]*$', 0)";

function selectSnapshots(table: LakeTable): string {
  const { measures, table: name } = table;
  const sources: Record<string, string> = {
    account: 'scope.account',
    region: 'scope.region',
    project_id: 'scope.projectId',
    // Null if it is not a time. to_timestamp() would fail the query, depending on a setting of the session.
    snapshot_at: `try_cast(regexp_replace(snapshot, '^(....)(..)(..)T(..)(..)(..)Z$', '$1-$2-$3T$4:$5:$6Z') AS TIMESTAMP)`,
    started_at: 'startedAt',
    sealed_at: 'sealedAt',
    schema_version: 'schemaVersion',
    added: 'changes.added',
    removed: 'changes.removed',
    changed: 'changes.changed',
    is_pruned: 'tombstone IS NOT NULL',
    previous_snapshot: 'previous.snapshot',
    ...Object.fromEntries(measures.map((measure) => [measure.name, countMeasure(measure)])),
  };
  return [
    'SELECT',
    ...listColumns(table, sources, quoteName),
    `FROM (SELECT *, ${ownPath} AS own_path FROM ${quoteName(`${name}_manifests`)}) AS manifest`,
    'LEFT JOIN (',
    `  SELECT DISTINCT ${ownPath} AS tombstone FROM ${quoteName(`${name}_tombstones`)}`,
    ') AS pruned ON tombstone = own_path',
    // A copy in the wrong place is ignored.
    "WHERE own_path = concat('rgn=', scope.region, '/prj=', scope.projectId, '/', snapshot, '.json')",
  ].join('\n');
}

function countMeasure({ counted, value, isRest }: Measure): string {
  const count = `coalesce(\`values\`.${quoteName(counted)}.${quoteName(value)}, 0)`;
  return isRest ? `\`rows\` - ${count}` : count;
}

/** Selects the rows of the newest complete snapshots up to a time. `until`: an expression. */
function selectNewest({ table, columns }: LakeTable, until: string): string {
  const names = [...columns.map(({ name }) => quoteName(name)), ...partitionKeys];
  return [
    'SELECT',
    ...wrap(names.map((name) => `stored.${name}`)),
    `FROM (SELECT *, _metadata.file_name AS file_name FROM ${quoteName(table)}) AS stored`,
    'LEFT SEMI JOIN (',
    "  SELECT region, project_id, date_format(to_date(substr(snapshot, 1, 8), 'yyyyMMdd'), 'yyyy-MM-dd') AS dt,",
    "         filter(parts, part -> part.role = 'rows' AND part.format = 'parquet')[0].key AS key",
    '  FROM (',
    '    SELECT *, row_number() OVER (PARTITION BY region, project_id ORDER BY snapshot DESC) AS place',
    `    FROM ${quoteName(`${table}_snapshots`)}`,
    `    WHERE verdict = 'complete' AND snapshot_at <= ${until}`,
    '  ) WHERE place = 1',
    ') AS newest',
    'ON stored.dt = newest.dt AND stored.rgn = newest.region AND stored.prj = newest.project_id',
    "AND stored.file_name = substring_index(newest.key, '/', -1)",
  ].join('\n');
}

function dropTable(name: string): string {
  return `DROP TABLE IF EXISTS ${quoteName(name)}`;
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
