// Responsible for the SQL of Trino: tables of its Hive connector on the files of the store, and views on them.
// The tables have times as numbers: as a timestamp, Trino would shift them by the setting hive.parquet.time-zone, by default the time
// zone of the server. Manifests are read as lines of text, so that members of later versions do no harm.

import type { Column, ColumnType } from '../core/ports.ts';
import {
  asOfExample,
  type Dialect,
  readAccess,
  type Statement,
  type StoreAddress,
} from './dialect.ts';
import { type LakeTable, partFields, partitionKeys } from './lake-table.ts';
import { listColumns, listManifestSources, selectCoverage } from './snapshot-queries.ts';
import { wrap } from './sql-layout.ts';

const types: Readonly<Record<ColumnType, string>> = {
  string: 'varchar',
  boolean: 'boolean',
  int32: 'integer',
  int64: 'bigint',
  timestamp: 'timestamp(6) with time zone',
};

export const trino: Dialect = {
  engine: 'trino',
  title: 'Trino (run on 476)',
  isRun: true,
  locate(store) {
    if (store.kind === 'file') return `local://${store.path}`;
    return ['s3:/', store.bucket, ...(store.prefix === '' ? [] : [store.prefix])].join('/');
  },
  findFault: (root) =>
    root.startsWith('obs://') ? 'Trino reads a bucket as s3://bucket/prefix' : null,
  explain(root, store) {
    return [
      'Run it in a catalog of the Hive connector, in a schema that exists: trino --catalog hive --schema <schema> --file <file>',
      'Replaces the tables and views with these names in that schema. The files of the store stay as they are.',
      'The file of the catalog needs connector.name, a metastore and these lines:',
      ...(isLocal(root)
        ? [
            '  fs.native-local.enabled=true',
            '  local.location=/',
            '  hive.recursive-directories=true',
          ]
        : listBucketSettings(store)),
    ];
  },
  prepare: () => [],
  write(table) {
    const { table: name } = table;
    const view = (suffix: string) => `CREATE OR REPLACE VIEW ${quoteName(`${name}${suffix}`)} AS`;
    return {
      create: [
        ...createFilesTable(table, name, table.columns),
        {
          comment: `All rows of all snapshots of ${name}.`,
          sql: `${view('')}\n${selectFiles(table, name, table.columns)}`,
        },
        ...createFilesTable(table, `${name}_changes`, table.changeColumns),
        {
          comment: 'What changed between compared snapshots, one row per change.',
          sql: `${view('_changes')}\n${selectFiles(table, `${name}_changes`, table.changeColumns)}`,
        },
        ...createManifestTable(table),
        {
          comment: 'The manifests, one row per snapshot.',
          sql: `${view('_snapshots')}\n${selectSnapshots(table)}`,
        },
        {
          comment: 'The rows of the newest complete snapshot of each region and project.',
          sql: `${view('_latest')}\n${selectNewest(table, "current_timestamp + INTERVAL '24' HOUR")}`,
        },
        {
          comment: 'One row per snapshot, also for empty and drifted snapshots.',
          sql: `${view('_coverage')}\n${selectCoverage(table, quoteName)}`,
        },
      ],
      refresh: listPartitionedTables(table).map((one, index) => ({
        comment:
          index === 0
            ? 'New dates, regions and projects: run these. Trino finds new files in known ones itself.'
            : '',
        sql: `CALL system.sync_partition_metadata(current_schema, ${quoteText(one)}, 'FULL')`,
      })),
      asOf: selectNewest(table, `from_iso8601_timestamp('${asOfExample}')`),
    };
  },
};

/** Trino takes the key from the environment of its server. */
function listBucketSettings(store: StoreAddress | null): string[] {
  const { endpoint, region, pathStyle } = readAccess(store);
  return [
    '  fs.native-s3.enabled=true',
    `  s3.endpoint=${endpoint}`,
    `  s3.region=${region}`,
    ...(pathStyle ? ['  s3.path-style-access=true'] : []),
    '  s3.aws-access-key=${ENV:AWS_ACCESS_KEY_ID}',
    '  s3.aws-secret-key=${ENV:AWS_SECRET_ACCESS_KEY}',
  ];
}

function isLocal(root: string): boolean {
  return root.startsWith('local:');
}

/**
 * On a local path Trino refuses a table whose folder does not exist, as that of the changes before the first change. So there the
 * table of the changes is the whole store, and the view picks the files.
 */
function isWholeStore({ root, table }: LakeTable, folder: string): boolean {
  return isLocal(root) && folder !== table;
}

function listPartitionedTables(table: LakeTable): string[] {
  const { table: name } = table;
  const folders = [name, `${name}_changes`].filter((folder) => !isWholeStore(table, folder));
  return [...folders.map((folder) => `${folder}_files`), `${name}_manifests`];
}

function createFilesTable(
  table: LakeTable,
  folder: string,
  columns: readonly Column[],
): Statement[] {
  const isWhole = isWholeStore(table, folder);
  const declared = [
    ...columns.map(({ name, type }) => {
      return `${quoteName(name)} ${type === 'timestamp' ? 'bigint' : types[type]}`;
    }),
    ...(isWhole ? [] : partitionKeys.map((key) => `${key} varchar`)),
  ];
  const location = isWhole ? table.root : `${table.root}/${folder}`;
  return createTable(`${folder}_files`, declared, [
    "format = 'PARQUET'",
    `external_location = ${quoteText(location)}`,
    ...(isWhole ? [] : [`partitioned_by = ${listTexts(partitionKeys)}`]),
  ]);
}

function createManifestTable({ root, table }: LakeTable): Statement[] {
  return createTable(
    `${table}_manifests`,
    ['manifest varchar', 'rgn varchar', 'prj varchar'],
    [
      "format = 'TEXTFILE'",
      `external_location = ${quoteText(`${root}/_manifests/${table}`)}`,
      `partitioned_by = ${listTexts(['rgn', 'prj'])}`,
    ],
  );
}

/** Dropping an external table drops no file. */
function createTable(
  name: string,
  columns: readonly string[],
  properties: readonly string[],
): Statement[] {
  const create = [
    `CREATE TABLE ${quoteName(name)} (`,
    ...wrap(columns),
    ') WITH (',
    ...properties.map((one, index) => `  ${one}${index < properties.length - 1 ? ',' : ''}`),
    ')',
  ].join('\n');
  return [
    {
      comment: 'The files as they are. For the views below.',
      sql: `DROP TABLE IF EXISTS ${quoteName(name)}`,
    },
    { comment: '', sql: create },
  ];
}

/** Instants in UTC, whatever the time zone of the session. */
function selectFiles(table: LakeTable, folder: string, columns: readonly Column[]): string {
  const isWhole = isWholeStore(table, folder);
  const names = columns.map(({ name, type }) => {
    const quoted = quoteName(name);
    return type === 'timestamp' ? `${toInstant(quoted)} AS ${quoted}` : quoted;
  });
  const keys = partitionKeys.map((key) =>
    isWhole ? `regexp_extract("$path", '/${key}=([^/]*)', 1) AS ${key}` : key,
  );
  const files = `FROM ${quoteName(`${folder}_files`)}`;
  // With a pattern that starts with the folder, Trino opens no other files.
  const prefix = quoteText(`${escapePattern(`${table.root}/${folder}/`)}%`);
  return [
    'SELECT',
    ...wrap([...names, ...keys]),
    files,
    ...(isWhole ? [`WHERE "$path" LIKE ${prefix} ESCAPE '\\'`] : []),
  ].join('\n');
}

/** `micros`: since 1970. As bigint, nanoseconds would end in the years 1677 and 2262: a time of a cluster can be out of that. */
function toInstant(micros: string): string {
  return `CAST(from_unixtime_nanos(CAST(${micros} AS decimal(38, 0)) * 1000) AT TIME ZONE 'UTC' AS ${types.timestamp})`;
}

function selectSnapshots(table: LakeTable): string {
  const { table: name } = table;
  const text = (path: string) => `json_extract_scalar(manifest, '$.${path}')`;
  const number = (path: string) => `CAST(${text(path)} AS bigint)`;
  // A file that is not a manifest must not fail the query: its snapshot can be any text.
  const time = (iso: string) => `CAST(try(from_iso8601_timestamp(${iso})) AS ${types.timestamp})`;
  const fields = partFields.map(({ name: field, type }) => `${quoteName(field)} ${types[type]}`);
  const sources: Record<string, string | null> = {
    ...listManifestSources(table, { text, number, time }),
    snapshot_at: `CAST(with_timezone(try(date_parse(${text('snapshot')}, '%Y%m%dT%H%i%sZ')), 'UTC') AS ${types.timestamp})`,
    parts: `CAST(json_extract(manifest, '$.parts') AS array(row(${fields.join(', ')})))`,
  };
  return [
    'SELECT',
    ...listColumns(table, sources, quoteName),
    `FROM ${quoteName(`${name}_manifests`)}`,
    // A copy in the wrong place is ignored.
    `WHERE rgn = ${text('scope.region')} AND prj = ${text('scope.projectId')}`,
    `AND regexp_extract("$path", '[^/]*$') = concat(${text('snapshot')}, '.json')`,
  ].join('\n');
}

/** Selects the rows of the newest complete snapshots up to a time. `until`: an expression. */
function selectNewest(lakeTable: LakeTable, until: string): string {
  const { table, columns } = lakeTable;
  return [
    selectFiles(lakeTable, table, columns),
    `WHERE (dt, rgn, prj, regexp_extract("$path", '[^/]*$')) IN (`,
    '  SELECT',
    "    regexp_extract(key, '/dt=([^/]*)', 1), region, project_id, regexp_extract(key, '[^/]*$')",
    '  FROM (',
    '    SELECT region, project_id, parts,',
    '      row_number() OVER (PARTITION BY region, project_id ORDER BY snapshot DESC) AS place',
    `    FROM ${quoteName(`${table}_snapshots`)}`,
    `    WHERE verdict = 'complete' AND snapshot_at <= ${until}`,
    '  )',
    '  CROSS JOIN UNNEST(parts) AS part(role, format, key, "rows", bytes, sha256)',
    "  WHERE place = 1 AND role = 'rows' AND format = 'parquet'",
    ')',
  ].join('\n');
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function listTexts(texts: readonly string[]): string {
  return `ARRAY[${texts.map(quoteText).join(', ')}]`;
}

/** For LIKE with the escape character `\`. */
function escapePattern(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&');
}
