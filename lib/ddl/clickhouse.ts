// Responsible for the SQL of ClickHouse: views that read the files of the store.

import type { Column, ColumnType } from '../core/ports.ts';
import { asOfExample, type Dialect, type StoreAddress } from './dialect.ts';
import { type LakeTable, type Measure, partFields, partitionKeys } from './lake-table.ts';
import { listColumns, selectCoverage } from './snapshot-queries.ts';
import { wrap } from './sql-layout.ts';

const types: Readonly<Record<ColumnType, string>> = {
  string: 'String',
  boolean: 'Bool',
  int32: 'Int32',
  int64: 'Int64',
  timestamp: "DateTime64(6, 'UTC')",
};

export const clickhouse: Dialect = {
  engine: 'clickhouse',
  title: 'ClickHouse (run on 26.9)',
  isRun: true,
  locate(store) {
    if (store.kind === 'file') return store.path;
    const { bucket, prefix, endpoint, pathStyle } = store;
    const [, scheme = 'https://', host = ''] = /^(https?:\/\/)(.*)$/.exec(endpoint) ?? [];
    // Before other names of hosts, ClickHouse does not see a bucket.
    const isInHost = !pathStyle && /^(?:s3|obs)[.-]/.test(host);
    const place = isInHost ? `${scheme}${bucket}.${host}` : `${scheme}${host}/${bucket}`;
    // ClickHouse decodes the address, and accepts nothing but visible ASCII in it.
    const path = prefix.replaceAll(/[^!-~]|%/gu, encodeURIComponent);
    return path === '' ? place : `${place}/${path}`;
  },
  findFault(root) {
    if (root.startsWith('obs://'))
      return 'ClickHouse reads a bucket as https://bucket.endpoint/prefix';
    const found = /[*?{}]|::/.exec(root);
    return found && `ClickHouse gives "${found[0]}" in a path a meaning and cannot escape it`;
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
          sql: `${view('')}\n${selectRows(table, name, table.columns)}\n${settings}`,
        },
        {
          comment: 'What changed between compared snapshots, one row per change.',
          sql: `${view('_changes')}\n${selectRows(table, `${name}_changes`, table.changeColumns)}\n${settings}`,
        },
        {
          comment: 'The manifests, one row per snapshot.',
          sql: `${view('_snapshots')}\n${selectSnapshots(table)}\n${settings}`,
        },
        {
          comment: 'The rows of the newest complete snapshot of each region and project.',
          sql: `${view('_latest')}\n${selectNewest(table, "now64(6, 'UTC') + INTERVAL 24 HOUR")}\n${settings}`,
        },
        {
          comment: 'One row per snapshot, also for empty and drifted snapshots.',
          sql: `${view('_coverage')}\n${selectCoverage(table, quoteName)}`,
        },
        {
          comment:
            'The rows of the newest complete snapshot of each region and project at a time, which is text such as the one below.',
          sql: `${view('_at')}\n${selectNewest(table, "parseDateTime64BestEffort({time:String}, 6, 'UTC')")}\n${settings}`,
        },
      ],
      refresh: [],
      asOf: `SELECT * FROM ${quoteName(`${name}_at`)}(time = '${asOfExample}')`,
    };
  },
};

/** Without it ClickHouse adds the partition keys as columns of its own, and guesses their types. */
const settings = 'SETTINGS use_hive_partitioning = 0';

function explainAccess(root: string, store: StoreAddress | null): string[] {
  if (isUrl(root)) {
    return [
      'Before: give ClickHouse the key that may read the bucket, in its configuration (a file in config.d/ of a server):',
      '  <clickhouse><s3><cgs>',
      `    <endpoint>${escapeXml(root)}/</endpoint>`,
      `    <region>${store?.kind === 'obs' ? store.region : '...'}</region>`,
      '    <access_key_id>...</access_key_id>',
      '    <secret_access_key>...</secret_access_key>',
      '  </cgs></s3></clickhouse>',
    ];
  }
  return [
    'A ClickHouse server reads only files below its user_files_path. clickhouse-local and chdb read all files.',
  ];
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function isUrl(root: string): boolean {
  return /^[a-z0-9]+:\/\//.test(root);
}

/** `pattern`: below the store. `structure`: the columns of the files; not for the format One. */
function readFiles(root: string, pattern: string, format: string, structure: string[]): string {
  const name = isUrl(root) ? 's3' : 'file';
  const start = `${name}(${quoteText(`${root}/${pattern}`)}, '${format}'`;
  if (structure.length === 0) return `${start})`;
  // The structure is a text that contains texts, in several lines for people.
  return `${start}, '\n${wrap(structure).join('\n').replaceAll(/[\\']/g, '\\$&')}\n')`;
}

/** The end of the name of a file with rows or changes. */
const keyPattern = 'dt=[^/]*/rgn=[^/]*/prj=[^/]*/[^/]*$';

/** Columns that a file lacks are null, and others are ignored. */
function selectRows({ root }: LakeTable, folder: string, columns: readonly Column[]): string {
  const names = columns.map(({ name }) => quoteName(name));
  const keys = partitionKeys.map((key) => {
    const place = keyPattern.replace(`${key}=[^/]*`, `${key}=([^/]*)`);
    return `extract(_path, '/${place}') AS ${key}`;
  });
  const structure = columns.map(({ name, type, required }) => {
    return `${quoteName(name)} ${required ? types[type] : `Nullable(${types[type]})`}`;
  });
  const pattern = `${folder}/dt=*/rgn=*/prj=*/*.parquet`;
  return [
    'SELECT',
    ...wrap([...names, ...keys]),
    `FROM ${readFiles(root, pattern, 'Parquet', structure)}`,
  ].join('\n');
}

function selectSnapshots(table: LakeTable): string {
  const { measures, root, table: name } = table;
  const pruned = readFiles(root, `_pruned/${name}/rgn=*/prj=*/*.json`, 'One', []);
  const time = (member: string) =>
    `parseDateTime64BestEffortOrNull(JSONExtractString(manifest, '${member}'), 6, 'UTC')`;
  const number = (...path: string[]) => extractJson(path, 'Int64');
  const change = (member: string) => extractJson(['changes', member], 'Nullable(Int64)');
  const fields = partFields.map(({ name, type }) => `${quoteName(name)} ${types[type]}`);
  const sources: Record<string, string> = {
    account: extractJson(['scope', 'account'], 'String'),
    region: extractJson(['scope', 'region'], 'String'),
    project_id: extractJson(['scope', 'projectId'], 'String'),
    snapshot: extractJson(['snapshot'], 'String'),
    snapshot_at: time('snapshot'),
    started_at: time('startedAt'),
    sealed_at: time('sealedAt'),
    verdict: extractJson(['verdict'], 'String'),
    rows: number('rows'),
    rejects: number('rejects'),
    schema_version: number('schemaVersion'),
    ...Object.fromEntries(measures.map((measure) => [measure.name, countMeasure(measure)])),
    added: change('added'),
    removed: change('removed'),
    changed: change('changed'),
    is_pruned: `toBool(extract(_path, '[^/]*/[^/]*/[^/]*$') IN (SELECT extract(_path, '[^/]*/[^/]*/[^/]*$') FROM ${pruned}))`,
    previous_snapshot: extractJson(['previous', 'snapshot'], 'Nullable(String)'),
    parts: extractJson(['parts'], `Array(Tuple(${fields.join(', ')}))`),
  };
  const pattern = `_manifests/${name}/rgn=*/prj=*/*.json`;
  return [
    'SELECT',
    ...listColumns(table, sources, quoteName),
    `FROM ${readFiles(root, pattern, 'RawBLOB', ['manifest String'])}`,
    // A copy in the wrong place is ignored.
    "WHERE endsWith(_path, concat('/rgn=', region, '/prj=', project_id, '/', snapshot, '.json'))",
  ].join('\n');
}

function countMeasure({ counted, value, isRest }: Measure): string {
  const count = extractJson(['values', counted, value], 'Int64');
  return isRest ? `${extractJson(['rows'], 'Int64')} - ${count}` : count;
}

function extractJson(path: readonly string[], type: string): string {
  return `JSONExtract(manifest, ${path.map(quoteText).join(', ')}, ${quoteText(type)})`;
}

/** Selects the rows of the newest complete snapshots up to a time. `until`: an expression. */
function selectNewest(lakeTable: LakeTable, until: string): string {
  const { table, columns } = lakeTable;
  const isRows = "part -> part.role = 'rows' AND part.format = 'parquet'";
  return [
    selectRows(lakeTable, table, columns),
    `WHERE extract(_path, '[^/]*/${keyPattern}') IN (`,
    `  SELECT arrayFirst(${isRows}, argMax(parts, snapshot)).key`,
    `  FROM ${quoteName(`${table}_snapshots`)}`,
    `  WHERE verdict = 'complete' AND snapshot_at <= ${until}`,
    '  GROUP BY region, project_id',
    ')',
  ].join('\n');
}

function quoteName(name: string): string {
  return `\`${name.replaceAll(/[\\`]/g, '\\$&')}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
