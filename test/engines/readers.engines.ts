// Tests that readers from PyPI read the folder of a table with declared types, exactly as the oracle has its rows.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { listRows, readColumns } from '../support/lake-truth.ts';
import {
  clustersTable,
  createLakeWorld,
  type DatasetName,
  datasetOfTable,
  type LakeWorld,
} from '../support/lake-world.ts';

const temp = createTempDir();
const lake = temp.path('lake');
let world: LakeWorld;
beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
});
afterAll(() => temp.remove());

const tables = ['container_nodes', clustersTable];
const python = join(import.meta.dirname, '../../coverage/python/bin/python');

test.each(['pyarrow', 'pandas', 'polars', 'datafusion', 'deltalake'])('%s', (reader) => {
  const project = '0'.repeat(29).concat('123');
  const tasks = tables.map((table) => {
    // delta-rs writes into the folder.
    const folder = temp.path(`${reader}-${table}`);
    cpSync(join(lake, table), folder, { recursive: true });
    const { name, columns } = datasetOfTable(table);
    const read = readColumns(name as DatasetName);
    return { folder, columns: columns.map((one) => [one.name, one.type]), read, project };
  });
  const ended = spawnSync(python, [join(import.meta.dirname, 'read_table.py'), reader], {
    ...{ input: JSON.stringify(tasks), encoding: 'utf8' },
    maxBuffer: 2 ** 28,
  });
  expect(ended.status, ended.stderr).toBe(0);
  const answers: { rows: unknown[][]; found: number }[] = JSON.parse(ended.stdout);
  const sort = (rows: readonly (readonly unknown[])[]) =>
    rows.map((row) => JSON.stringify(row)).sort();
  for (const [index, table] of tables.entries()) {
    const answer = answers[index];
    const expected = listRows(world, table);
    const [found, wanted] = [sort(answer?.rows ?? []), sort(expected)];
    expect(found).toHaveLength(wanted.length);
    expect(found.filter((row, place) => row !== wanted[place]).slice(0, 3)).toEqual([]);
    expect(answer?.found).toBe(expected.filter((row) => row[2] === project).length);
  }
});

test.each(tables)('the Python of docs/query.md reads %s', (table) => {
  const folder = temp.path(`page-${table}`);
  mkdirSync(folder);
  symlinkSync(lake, join(folder, 'demo-out'));
  const [block, ...others] = pageOf('docs/query.md').blocks.filter(
    ({ info }) => info === 'python reader',
  );
  expect(others).toEqual([]);
  const program = `${block?.text.replace('container_nodes', table)}
import json
for read in (table, pa.Table.from_pandas(frame, preserve_index=False), lazy.collect().to_arrow()):
    names = ["project_id", "prj"]
    print(json.dumps([read.num_rows, read.schema.names, list(zip(*(read[name].to_pylist() for name in names)))]))
`;
  const ended = spawnSync(python, ['-c', program], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  expect(ended.status, ended.stderr).toBe(0);
  const expected = listRows(world, table);
  const found: [number, string[], [string, string][]][] = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(found).toHaveLength(3);
  for (const [rows, names, projects] of found) {
    expect(rows).toBe(expected.length);
    expect(names).toEqual(found[0]?.[1]);
    expect(projects.filter(([column, key]) => column !== key)).toEqual([]);
  }
  expect(found[0]?.[1].slice(-3)).toEqual(['dt', 'rgn', 'prj']);
});
