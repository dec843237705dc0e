// Tests that an engine reads exactly the encoded rows, and that its pruning by column statistics
// loses no row. DuckDB, parquetjs-lite and arrow-rs read files of 0 to 25,000 rows, some with unusual names.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Cell, Row } from '../../lib/core/ports.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { countCases, someCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { anyRow, everyType } from './any-rows.ts';
import { useDuck } from './duck.ts';
import { encodeRows, encodingOptions } from './encoding.ts';
import { createRows, projectId, unusualNames } from './inventory.ts';
import { findDifference, readArrowRs, readParquetjs, writeParquetjs } from './readers.ts';

const { columns } = containerNodes;
const columnIndex = (name: string) => columns.findIndex((column) => column.name === name);
const encode = (rows: readonly Row[]) => encodeRows(parquetEncoder, rows);

const { temp, duck } = useDuck();

async function writeTemp(name: string, rows: readonly Row[]): Promise<string> {
  const path = temp.path(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, await encode(rows));
  return path;
}

/** A valid row with some cells replaced. */
function createRow(cells: Record<string, Cell>): Row {
  const row = [...(createRows(1)[0] as Row)];
  for (const [name, cell] of Object.entries(cells)) row[columnIndex(name)] = cell;
  return row;
}

describe('round trips', () => {
  // 10,000 rows fill one row group, 10,001 rows need a second one.
  test.each(someCases([0, 1, 2, 10_000, 10_001, 25_000]))(
    '%i rows, read with DuckDB',
    async (count) => {
      const rows = createRows(count, count + 1);
      const path = await writeTemp(`duck-${count}.parquet`, rows);
      expect(findDifference(await duck.readRows(`'${path}'`), rows)).toBeNull();
    },
  );

  test.each(someCases([0, 1, 25_000]))('%i rows, read with parquetjs-lite', async (count) => {
    const rows = createRows(count, count + 1);
    const file = await readParquetjs(await encode(rows));
    expect(file.columns).toEqual(columns.map(({ name }) => name));
    expect(file.createdBy).toBe('cgs-export/0.0.0-test');
    expect(findDifference(file.rows, rows)).toBeNull();
  });

  // A file without rows too: arrow-rs checks the type that an empty list of row groups declares.
  test.each(someCases([0, 1, 10_001]))('%i rows, read with arrow-rs', async (count) => {
    const rows = createRows(count, count + 1);
    const file = await readArrowRs(await encode(rows));
    expect(file.rowGroups).toEqual({ 0: [], 1: [1], 10001: [10_000, 1] }[count]);
    expect(file.createdBy).toBe('cgs-export/0.0.0-test');
    expect(file.metadata).toEqual(encodingOptions.metadata);
    const path = temp.path(`arrow-rs-${count}.parquet`);
    writeFileSync(path, file.rewritten);
    expect(findDifference(await duck.readRows(`'${path}'`), rows)).toBeNull();
  });

  test('every unusual name in every string column, read with both', async () => {
    const rows = unusualNames.map((name) =>
      columns.map((column, c): Cell => {
        if (column.type === 'string') return name;
        return (createRow({})[c] as Cell) ?? null;
      }),
    );
    const path = await writeTemp('unusual.parquet', rows);
    expect(findDifference(await duck.readRows(`'${path}'`), rows)).toBeNull();
    expect(findDifference((await readParquetjs(await encode(rows))).rows, rows)).toBeNull();
  });

  test('cells at the limits of their types, read with both', async () => {
    const rows = [
      createRow({ snapshot_at: -62_167_219_200_000, asset: -(2 ** 31), vulnerability: 0 }),
      createRow({ snapshot_at: 253_402_300_799_999, asset: 2 ** 31 - 1, protect_interrupt: null }),
      createRow({ snapshot_at: 0, fetched_at: null, asset: null, protect_interrupt: true }),
    ];
    const path = await writeTemp('limits.parquet', rows);
    expect(findDifference(await duck.readRows(`'${path}'`), rows)).toBeNull();
    expect(findDifference((await readParquetjs(await encode(rows))).rows, rows)).toBeNull();
  });

  test('columns that have only nulls, read with both', async () => {
    const rows = Array.from({ length: 40 }, (_, i) =>
      columns.map(({ name }): Cell => (name === 'host_id' ? `host-${i}` : null)),
    );
    const path = await writeTemp('nulls.parquet', rows);
    expect(findDifference(await duck.readRows(`'${path}'`), rows)).toBeNull();
    expect(findDifference((await readParquetjs(await encode(rows))).rows, rows)).toBeNull();
  });

  test('any well-formed text and any nulls, read with DuckDB', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 80 });
    const row = anyRow(text);
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 60, size: 'max' }), async (rows) => {
        const path = temp.path(`any-${n++}.parquet`);
        const options = { columns: everyType, sortedBy: 'id' };
        writeFileSync(path, await encodeRows(parquetEncoder, rows, options));
        expect(
          findDifference(await duck.readRows(`'${path}'`, everyType), rows, everyType),
        ).toBeNull();
      }),
      { numRuns: countCases(60) },
    );
  });
});

describe('metadata', () => {
  const duckTypes = {
    string: 'VARCHAR',
    boolean: 'BOOLEAN',
    int32: 'INTEGER',
    int64: 'BIGINT',
    timestamp: 'TIMESTAMP WITH TIME ZONE',
  };

  test.each([0, 3])(
    'DESCRIBE of %i rows lists every column in order with its type',
    async (count) => {
      const path = await writeTemp(`describe-${count}.parquet`, createRows(count));
      const described = await duck.query(`DESCRIBE SELECT * FROM '${path}'`);
      expect(described.map(([name, type]) => [name, type])).toEqual(
        columns.map(({ name, type }) => [name, duckTypes[type]]),
      );
    },
  );

  test('the columns of every type have the types that they should have', async () => {
    const path = temp.path('every-type.parquet');
    const options = { columns: everyType, sortedBy: 'id' };
    const digits = ['-9223372036854775808', '9223372036854775807', '9007199254740993', null];
    const rows = digits.map((total, i): Row => [`${i}`, null, null, null, total, null]);
    writeFileSync(path, await encodeRows(parquetEncoder, rows, options));
    const described = await duck.query(`DESCRIBE SELECT * FROM '${path}'`);
    expect(described.map(([name, type]) => [name, type])).toEqual(
      everyType.map(({ name, type }) => [name, duckTypes[type]]),
    );
    const [statistics] = await duck.query(
      `SELECT stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata('${path}') WHERE path_in_schema = 'total'`,
    );
    expect(statistics).toEqual([digits[0], digits[1], 1]);
    const found = await duck.query(`SELECT id FROM '${path}' WHERE total = 9007199254740993`);
    expect(found).toEqual([['2']]);
  });

  test('only host_id is required; timestamps are UTC microseconds', async () => {
    const path = await writeTemp('schema.parquet', createRows(1));
    const schema = await duck.query(
      `SELECT name, repetition_type, logical_type FROM parquet_schema('${path}') WHERE num_children IS NULL`,
    );
    expect(schema.filter(([, kind]) => kind === 'REQUIRED').map(([name]) => name)).toEqual([
      'host_id',
    ]);
    expect(schema[0]?.[2]).toMatch(/Timestamp.*isAdjustedToUTC=1.*MICROS/);
  });

  test('the statistics of every column in every row group match its cells', async () => {
    const rows = createRows(12_000, 5);
    const path = await writeTemp('statistics.parquet', rows);
    const groups = [rows.slice(0, 10_000), rows.slice(10_000)];
    const found = await duck.query(
      `SELECT row_group_id, path_in_schema, stats_null_count, stats_min_value, stats_max_value, row_group_num_rows, compression
       FROM parquet_metadata('${path}') ORDER BY row_group_id, column_id`,
    );
    expect(found).toHaveLength(2 * columns.length);
    for (const [group, name, nulls, min, max, size, compression] of found) {
      const cells = groups[group as number]?.map((row) => row[columnIndex(name as string)] as Cell);
      expect([name, nulls]).toEqual([name, cells?.filter((cell) => cell === null).length]);
      expect([name, size]).toEqual([name, cells?.length]);
      expect(compression).toBe('GZIP');
      if (columns[columnIndex(name as string)]?.type !== 'string') continue;
      const texts =
        cells
          ?.filter((cell) => cell !== null)
          .map(String)
          .sort(compareUtf8) ?? [];
      if (texts.length === 0) {
        expect([min, max], name as string).toEqual([null, null]);
        continue;
      }
      const [first = '', last = ''] = [texts[0], texts.at(-1)];
      // A shortened minimum may be lower and a shortened maximum higher, but not the reverse.
      expect(compareUtf8(min as string, first), `${name} min`).toBeLessThanOrEqual(0);
      expect(compareUtf8(max as string, last), `${name} max`).toBeGreaterThanOrEqual(0);
    }
  });

  test('a project id of 32 characters is complete in the statistics', async () => {
    const path = await writeTemp('exact.parquet', createRows(50));
    const found = await duck.query(
      // The flags are written only where they are false.
      `SELECT stats_min_value, stats_max_value, min_is_exact IS DISTINCT FROM false, max_is_exact IS DISTINCT FROM false
       FROM parquet_metadata('${path}') WHERE path_in_schema = 'project_id'`,
    );
    expect(found).toEqual([[projectId, projectId, true, true]]);
  });

  test('the file names createdBy', async () => {
    const path = await writeTemp('created.parquet', createRows(1));
    expect(
      await duck.query(`SELECT created_by, num_rows FROM parquet_file_metadata('${path}')`),
    ).toEqual([['cgs-export/0.0.0-test', 1]]);
  });
});

describe('the footer', () => {
  test.each([0, 3])('of %i rows has the metadata, also if it is empty', async (count) => {
    const rows = createRows(count);
    for (const metadata of [
      {},
      { snapshot: '20261124T060000Z', verdict: 'drifted' },
      { a: '节点\u0016\u0000\u0019\u0000' },
    ]) {
      const bytes = await encodeRows(parquetEncoder, rows, { metadata });
      expect((await readArrowRs(bytes)).metadata).toEqual(metadata);
      const path = temp.path('metadata.parquet');
      writeFileSync(path, bytes);
      const found = await duck.query(
        `SELECT decode(key), decode(value) FROM parquet_kv_metadata('${path}')`,
      );
      expect(Object.fromEntries(found)).toEqual(metadata);
    }
  });

  test.each(['host_id', 'host_name'])('says that every row group ascends by %s', async (name) => {
    const rows = createRows(10_001, 3);
    const bytes = await encodeRows(parquetEncoder, rows, { sortedBy: name });
    const sorting = { column_idx: columnIndex(name), descending: false, nulls_first: false };
    expect((await readParquetjs(bytes)).sorting).toEqual([[sorting], [sorting]]);
  });
});

describe('readers that prune', () => {
  // In UTF-8, emoji come after full-width forms; in UTF-16, before them. Bounds in the wrong order hide rows.
  const random = createRandom(81);
  const probes = countCases(400);
  const names = Array.from({ length: probes }, (_, i) => {
    const first = [0x1f600, 0xff21, 0x4e00, 0x61, 0x20bb7][i % 5] as number;
    return `${String.fromCodePoint(first + Math.floor(random() * 24))}-node-${i}`;
  });
  const rows = names.map((name, i) =>
    createRow({ host_id: `host-${String(i).padStart(4, '0')}`, host_name: name }),
  );
  async function countLost(path: string): Promise<number> {
    let lost = 0;
    for (const name of names) {
      const found = await duck.query(`SELECT host_id FROM '${path}' WHERE host_name = ?`, [name]);
      if (found.length !== 1) lost++;
    }
    return lost;
  }

  test(`${probes} equality probes find ${probes} rows where emoji and full width share a row group`, async () => {
    expect(await countLost(await writeTemp('probes.parquet', rows))).toBe(0);
  });

  test('the same probes lose rows in a file of parquetjs-lite, which orders by UTF-16', async () => {
    const path = temp.path('probes-parquetjs.parquet');
    await writeParquetjs(path, rows);
    expect(await countLost(path)).toBeGreaterThan(0);
  });

  test('a partitioned directory can be queried by its partition keys and by its columns', async () => {
    await writeTemp(`lake/t/dt=2026-11-24/rgn=cn-south-4/prj=${projectId}/a.parquet`, rows);
    const other = projectId.replaceAll('0', '9');
    await writeTemp(
      `lake/t/dt=2026-11-25/rgn=cn-north-1/prj=${other}/b.parquet`,
      createRows(30).map((row) => row.with(columnIndex('project_id'), other)),
    );
    const lake = `read_parquet('${temp.path('lake/t/**/*.parquet')}', hive_partitioning = true)`;
    expect(
      await duck.query(
        `SELECT dt::VARCHAR, rgn, prj, typeof(dt), typeof(prj), count(*) FROM ${lake} GROUP BY ALL ORDER BY 1`,
      ),
    ).toEqual([
      ['2026-11-24', 'cn-south-4', projectId, 'DATE', 'VARCHAR', probes],
      ['2026-11-25', 'cn-north-1', other, 'DATE', 'VARCHAR', 30],
    ]);
    for (const key of ['prj', 'project_id']) {
      const found = await duck.query(`SELECT count(*) FROM ${lake} WHERE ${key} = ?`, [other]);
      expect([key, found]).toEqual([key, [[30]]]);
    }
  });
});

test('equal rows give equal bytes', async () => {
  const [a, b] = [await encode(createRows(10_500, 3)), await encode(createRows(10_500, 3))];
  expect(Buffer.compare(a, b)).toBe(0);
  const other = await encode(createRows(10_500, 4));
  expect(Buffer.compare(a, other)).not.toBe(0);
});
