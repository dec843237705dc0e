// Responsible for the SQL of Hive: external tables on the files of the store, and views on them.
// Times are numbers here: Hive cannot read the times of the files as TIMESTAMP. Manifests are read as lines of text, because the
// reader of JSON has another name in each version of Hive.

import type { Column, ColumnType } from '../core/ports.ts';
import { asOfExample, type Dialect, type Statement } from './dialect.ts';
import { type LakeTable, partFields, partitionKeys } from './lake-table.ts';
import { listColumns, listManifestSources, selectCoverage } from './snapshot-queries.ts';
import { wrap } from './sql-layout.ts';

const types: Readonly<Record<ColumnType, string>> = {
  string: 'STRING',
  boolean: 'BOOLEAN',
  int32: 'INT',
  int64: 'BIGINT',
  timestamp: 'BIGINT',
};

export const hive: Dialect = {
  engine: 'hive',
  title: 'Hive 2.3 or later',
  isRun: false,
  locate(store) {
    if (store.kind === 'file') return `file://${store.path}`;
    return ['obs:/', store.bucket, ...(store.prefix === '' ? [] : [store.prefix])].join('/');
  },
  findFault: (root) =>
    root.includes(';') ? 'the command line of Hive ends a statement at a semicolon' : null,
  explain: () => [
    'The tests run these statements in Spark 3.5.9 with the metastore and the file readers of Hive 2.3, not in Hive itself. For that',
    'they write input_file_name() in place of INPUT__FILE__NAME.',
    'Replaces the tables and views with these names in the current database. The files of the store stay as they are.',
    'All times are BIGINT: microseconds since 1970-01-01 00:00 UTC. As text in the time zone of the session:',
    '  from_unixtime(CAST(snapshot_at DIV 1000000 AS BIGINT))',
  ],
  prepare: () => [],
  write(table) {
    const { table: name } = table;
    return {
      create: [
        ...createTable(`All rows of all snapshots of ${name}.`, table, name, table.columns),
        ...createTable(
          'What changed between compared snapshots, one row per change. Hive creates the folder if it does not exist.',
          table,
          `${name}_changes`,
          table.changeColumns,
        ),
        ...createManifestTable(table),
        ...createView(
          'The manifests, one row per snapshot.',
          `${name}_snapshots`,
          selectSnapshots(table),
        ),
        ...createView(
          'The rows of the newest complete snapshot of each region and project.',
          `${name}_latest`,
          selectNewest(table, '(unix_timestamp(current_timestamp()) + 86400) * 1000000'),
        ),
        ...createView(
          'One row per snapshot, also for empty and drifted snapshots.',
          `${name}_coverage`,
          selectCoverage(table, quoteName),
        ),
      ],
      refresh: [name, `${name}_changes`, `${name}_manifests`].map((one, index) => ({
        comment:
          index === 0
            ? 'New dates, regions and projects: run these. Hive finds new files in known ones itself.'
            : '',
        sql: `MSCK REPAIR TABLE ${quoteName(one)}`,
      })),
      asOf: selectNewest(table, toMicros(quoteText(asOfExample))),
    };
  },
};

function createTable(
  comment: string,
  { root }: LakeTable,
  name: string,
  columns: readonly Column[],
): Statement[] {
  const declared = columns.map((column) => `${quoteName(column.name)} ${types[column.type]}`);
  return createExternal(comment, name, declared, [
    `PARTITIONED BY (${partitionKeys.map((key) => `${key} STRING`).join(', ')})`,
    'STORED AS PARQUET',
    `LOCATION ${quoteText(`${root}/${name}`)}`,
  ]);
}

function createManifestTable({ root, table }: LakeTable): Statement[] {
  const comment = 'The manifests as they are. For the views below.';
  return createExternal(
    comment,
    `${table}_manifests`,
    ['manifest STRING'],
    [
      'PARTITIONED BY (rgn STRING, prj STRING)',
      'STORED AS TEXTFILE',
      `LOCATION ${quoteText(`${root}/_manifests/${table}`)}`,
    ],
  );
}

/** Dropping an external table drops no file. */
function createExternal(
  comment: string,
  name: string,
  columns: readonly string[],
  clauses: readonly string[],
): Statement[] {
  return [
    { comment, sql: `DROP TABLE IF EXISTS ${quoteName(name)}` },
    {
      comment: '',
      sql: [`CREATE EXTERNAL TABLE ${quoteName(name)} (`, ...wrap(columns), ')', ...clauses].join(
        '\n',
      ),
    },
  ];
}

function createView(comment: string, name: string, query: string): Statement[] {
  return [
    { comment, sql: `DROP VIEW IF EXISTS ${quoteName(name)}` },
    { comment: '', sql: `CREATE VIEW ${quoteName(name)} AS\n${query}` },
  ];
}

/** Microseconds of a time such as 2026-11-24T12:00:00.123Z; a fraction has three digits. */
function toMicros(iso: string): string {
  const seconds = `unix_timestamp(concat(substr(${iso}, 1, 10), ' ', substr(${iso}, 12, 8), ' Z'), 'yyyy-MM-dd HH:mm:ss X')`;
  return `(${seconds} * 1000000 + coalesce(CAST(substr(${iso}, 21, 3) AS BIGINT), 0) * 1000)`;
}

function selectSnapshots(table: LakeTable): string {
  const { table: name } = table;
  const text = (path: string) => `get_json_object(manifest, '$.${path}')`;
  const number = (path: string) => `CAST(${text(path)} AS BIGINT)`;
  const sources: Record<string, string | null> = {
    ...listManifestSources(table, { text, number, time: toMicros }),
    snapshot_at: `unix_timestamp(regexp_replace(${text('snapshot')}, 'T', ''), 'yyyyMMddHHmmssX') * 1000000`,
    parts: 'parts',
  };
  const fields = partFields.flatMap(({ name: field, type }) => {
    const value = `get_json_object(manifest, concat('$.parts[', place, '].${field}'))`;
    return [quoteText(field), type === 'int64' ? `CAST(${value} AS BIGINT)` : value];
  });
  return [
    'SELECT',
    ...listColumns(table, sources, quoteName),
    'FROM (',
    '  SELECT rgn, prj, file_name, manifest, collect_list(named_struct(',
    ...wrap(fields).map((line) => `  ${line}`),
    '  )) AS parts',
    '  FROM (',
    `    SELECT rgn, prj, regexp_extract(INPUT__FILE__NAME, '[^/]*$', 0) AS file_name, manifest FROM ${quoteName(`${name}_manifests`)}`,
    '  ) AS one',
    // A manifest names at most four parts: see the kinds of parts in docs/format.md.
    "  LATERAL VIEW explode(array('0', '1', '2', '3')) places AS place",
    "  WHERE get_json_object(manifest, concat('$.parts[', place, '].key')) IS NOT NULL",
    '  GROUP BY rgn, prj, file_name, manifest',
    ') AS manifests',
    // A copy in the wrong place is ignored.
    `WHERE rgn = ${text('scope.region')} AND prj = ${text('scope.projectId')}`,
    `AND file_name = concat(${text('snapshot')}, '.json')`,
  ].join('\n');
}

/** Selects the rows of the newest complete snapshots up to a time. `until`: an expression, in microseconds. */
function selectNewest({ table, columns }: LakeTable, until: string): string {
  const names = [...columns.map(({ name }) => quoteName(name)), ...partitionKeys];
  return [
    'SELECT',
    ...wrap(names.map((name) => `stored.${name}`)),
    'FROM (',
    `  SELECT *, regexp_extract(INPUT__FILE__NAME, '[^/]*$', 0) AS file_name FROM ${quoteName(table)}`,
    ') AS stored',
    'LEFT SEMI JOIN (',
    "  SELECT region, project_id, regexp_extract(part.key, '/dt=([^/]*)', 1) AS dt,",
    "    regexp_extract(part.key, '[^/]*$', 0) AS file_name",
    '  FROM (',
    '    SELECT region, project_id, parts,',
    '      row_number() OVER (PARTITION BY region, project_id ORDER BY snapshot DESC) AS place',
    `    FROM ${quoteName(`${table}_snapshots`)}`,
    `    WHERE verdict = 'complete' AND snapshot_at <= ${until}`,
    '  ) AS ordered',
    '  LATERAL VIEW explode(parts) exploded AS part',
    "  WHERE place = 1 AND part.role = 'rows' AND part.format = 'parquet'",
    ') AS newest',
    'ON stored.dt = newest.dt AND stored.rgn = newest.region AND stored.prj = newest.project_id',
    'AND stored.file_name = newest.file_name',
  ].join('\n');
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
