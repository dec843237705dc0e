// Responsible for the SQL of DuckDB: views that read the files of the store. They stay right in a database file that is opened again.

import type { Column, ColumnType } from '../core/ports.ts';
import { asOfExample, type Dialect, readAccess, type StoreAddress } from './dialect.ts';
import { type LakeTable, type Measure, partFields, partitionKeys } from './lake-table.ts';
import { listColumns, selectCoverage } from './snapshot-queries.ts';
import { wrap } from './sql-layout.ts';

const types: Readonly<Record<ColumnType, string>> = {
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMPTZ',
};

export const duckdb: Dialect = {
  engine: 'duckdb',
  title: 'DuckDB (run on 1.5.6 and 2.0.1)',
  isRun: true,
  locate(store) {
    if (store.kind === 'file') return store.path;
    return ['s3:/', store.bucket, ...(store.prefix === '' ? [] : [store.prefix])].join('/');
  },
  findFault(root) {
    if (root.includes('\\')) return 'DuckDB reads a backslash in a path as an escape character';
    if (/^s3:.*'/.test(root)) return "DuckDB finds no file of a bucket below a prefix with '";
    return root.startsWith('obs://') ? 'DuckDB reads a bucket as s3://bucket/prefix' : null;
  },
  explain: explainAccess,
  prepare: () => [],
  write(table) {
    const { table: name } = table;
    const view = (suffix: string) => `CREATE OR REPLACE VIEW ${quoteName(`${name}${suffix}`)} AS`;
    return {
      create: [
        {
          comment: `All rows of all snapshots of ${name}.`,
          sql: `${view('')}\n${selectRows(table, name, table.columns)}`,
        },
        {
          comment: 'What changed between compared snapshots, one row per change.',
          sql: `${view('_changes')}\n${selectRows(table, `${name}_changes`, table.changeColumns)}`,
        },
        {
          comment: 'The manifests, one row per snapshot.',
          sql: `${view('_snapshots')}\n${selectSnapshots(table)}`,
        },
        {
          comment: 'The rows of the newest complete snapshot of each region and project.',
          sql: `${view('_latest')}\n${selectNewest(table, "now() + INTERVAL '24' HOUR")}`,
        },
        {
          comment: 'One row per snapshot, also for empty and drifted snapshots.',
          sql: `${view('_coverage')}\n${selectCoverage(table, quoteName)}`,
        },
        {
          comment:
            'The rows of the newest complete snapshot of each region and project at a time, which is text such as the one below.',
          sql: `CREATE OR REPLACE MACRO ${quoteName(`${name}_at`)}("time") AS TABLE\n${selectNewest(table, 'CAST("time" AS TIMESTAMPTZ)')}`,
        },
      ],
      refresh: [],
      asOf: `SELECT * FROM ${quoteName(`${name}_at`)}('${asOfExample}')`,
    };
  },
};

function explainAccess(root: string, store: StoreAddress | null): string[] {
  if (!/^[a-z0-9]+:\/\//.test(root)) return [];
  const bucket = root.split('/')[2] ?? '';
  const { endpoint, region, pathStyle } = readAccess(store);
  const options = [
    'TYPE s3',
    `SCOPE ${quoteText(`s3://${bucket}/`)}`,
    "KEY_ID '<access key>'",
    "SECRET '<secret key>'",
    // Without it DuckDB signs for no region at all.
    `REGION ${quoteText(region)}`,
    `ENDPOINT ${quoteText(endpoint.replace(/^https?:\/\//, ''))}`,
    `URL_STYLE '${pathStyle ? 'path' : 'vhost'}'`,
    ...(endpoint.startsWith('http://') ? ['USE_SSL false'] : []),
  ];
  return [
    'Before, in each session: give DuckDB the key that may read the bucket. A temporary key also needs SESSION_TOKEN.',
    '  INSTALL httpfs; LOAD httpfs;',
    `  CREATE OR REPLACE SECRET ${quoteName(bucket)} (${options.join(', ')});`,
  ];
}

/** The end of the name of a file with rows or changes. */
const keyPattern = 'dt=[^/]*/rgn=[^/]*/prj=[^/]*/[^/]*$';

/**
 * Selects the columns and partition keys of all files in a folder. The pattern ends with `*`, because DuckDB creates no view of
 * a folder without files: while there are no changes, it still finds the files of the rows. DuckDB opens only files that meet
 * the condition.
 */
function selectRows(
  { table, root }: LakeTable,
  folder: string,
  columns: readonly Column[],
): string {
  const names = columns.map(({ name }) => quoteName(name));
  const keys = partitionKeys.map((key) => {
    const place = keyPattern.replace(`${key}=[^/]*`, `${key}=([^/]*)`);
    return `regexp_extract(filename, '/${place}', 1) AS ${key}`;
  });
  return [
    'SELECT',
    ...wrap([...names, ...keys]),
    `FROM ${readParquet(root, table, columns)}`,
    `WHERE regexp_matches(filename, '/${folder}/${keyPattern}')`,
  ].join('\n');
}

/** Declares every column: those that a file lacks are null, and others are ignored. */
function readParquet(root: string, table: string, columns: readonly Column[]): string {
  const schema = columns.map(({ name, type }) => {
    const text = quoteText(name);
    return `${text}: {name: ${text}, type: '${types[type]}', default_value: NULL}`;
  });
  return [
    `read_parquet(${quoteText(`${escapeGlob(root)}/${table}*/dt=*/rgn=*/prj=*/*.parquet`)}, filename = true, schema = MAP {`,
    ...wrap(schema),
    '})',
  ].join('\n');
}

function selectSnapshots(table: LakeTable): string {
  const { measures, root, table: name } = table;
  const sources: Record<string, string> = {
    account: 'scope.account',
    region: 'scope.region',
    project_id: 'scope."projectId"',
    snapshot_at: "try_strptime(snapshot || '+00', '%Y%m%dT%H%M%SZ%z')",
    started_at: '"startedAt"',
    sealed_at: '"sealedAt"',
    schema_version: '"schemaVersion"',
    added: 'changes.added',
    removed: 'changes.removed',
    changed: 'changes.changed',
    is_pruned: `regexp_extract(filename, '[^/]*/[^/]*/[^/]*$') IN (SELECT regexp_extract(file, '[^/]*/[^/]*/[^/]*$') FROM glob(${quoteText(`${escapeGlob(root)}/_pruned/${name}/*/*/*.json`)}))`,
    previous_snapshot: 'previous.snapshot',
    ...Object.fromEntries(measures.map((measure) => [measure.name, countMeasure(measure)])),
  };
  return [
    'SELECT',
    ...listColumns(table, sources, quoteName),
    `FROM read_json(${quoteText(`${escapeGlob(root)}/_manifests/${name}/rgn=*/prj=*/*.json`)}, filename = true, hive_partitioning = false, columns = {`,
    ...wrap(describeManifest(measures)),
    '})',
    // A copy in the wrong place is ignored.
    `WHERE ends_with(filename, concat('/rgn=', scope.region, '/prj=', scope."projectId", '/', snapshot, '.json'))`,
  ].join('\n');
}

function countMeasure({ counted, value, isRest }: Measure): string {
  const count = `coalesce("values".${quoteName(counted)}.${quoteName(value)}, 0)`;
  return isRest ? `"rows" - ${count}` : count;
}

function describeManifest(measures: readonly Measure[]): string[] {
  const struct = (fields: readonly string[]) => `STRUCT(${fields.join(', ')})`;
  const parts = partFields.map(({ name, type }) => `${quoteName(name)} ${types[type]}`);
  const members: Record<string, string> = {
    snapshot: 'VARCHAR',
    startedAt: 'TIMESTAMPTZ',
    sealedAt: 'TIMESTAMPTZ',
    verdict: 'VARCHAR',
    rows: 'BIGINT',
    rejects: 'BIGINT',
    schemaVersion: 'BIGINT',
    scope: struct(['account VARCHAR', 'region VARCHAR', '"projectId" VARCHAR']),
    changes: struct(['added BIGINT', 'removed BIGINT', 'changed BIGINT']),
    previous: struct(['snapshot VARCHAR']),
    parts: `${struct(parts)}[]`,
  };
  if (measures.length > 0) {
    members.values = struct(
      measures.map(
        ({ counted, value }) => `${quoteName(counted)} ${struct([`${quoteName(value)} BIGINT`])}`,
      ),
    );
  }
  return Object.entries(members).map(([name, type]) => `${quoteName(name)}: ${quoteText(type)}`);
}

/**
 * Selects the rows of the newest complete snapshots up to a time. `until`: an expression. DuckDB compares `snapshot_at` with the
 * statistics of the files, and so reads no rows of most other snapshots: about half of the CPU time with 2,000 of them.
 */
function selectNewest(lakeTable: LakeTable, until: string): string {
  const { table, columns } = lakeTable;
  return [
    selectRows(lakeTable, table, columns),
    `AND (snapshot_at, regexp_extract(filename, '[^/]*/${keyPattern}')) IN (`,
    '  SELECT newest.snapshot_at, one.part."key" FROM (',
    `    SELECT snapshot_at, parts FROM ${quoteName(`${table}_snapshots`)}`,
    `    WHERE verdict = 'complete' AND snapshot_at <= ${until}`,
    '    QUALIFY row_number() OVER (PARTITION BY region, project_id ORDER BY snapshot DESC) = 1',
    '  ) AS newest, unnest(newest.parts) AS one(part)',
    `  WHERE one.part."role" = 'rows' AND one.part."format" = 'parquet'`,
    ')',
  ].join('\n');
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `[x]` matches the character x. */
function escapeGlob(path: string): string {
  return path.replaceAll(/[[*?]/g, '[$&]');
}
