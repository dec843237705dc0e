// Tests that readers from PyPI read the folder of a table with declared types, exactly as the oracle has its rows.

import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
  const python = join(import.meta.dirname, '../../coverage/python/bin/python');
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
