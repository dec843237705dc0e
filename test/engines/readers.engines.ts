// Tests that readers from PyPI read the folder of a table with declared types, exactly as the oracle has its rows.

import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { createTempDir } from '../formats/readers.ts';
import { listRows, readColumns } from '../support/lake-oracle.ts';
import { createLakeWorld, type LakeWorld } from '../support/lake-world.ts';

const temp = createTempDir();
const lake = temp.path('lake');
let world: LakeWorld;
beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
});
afterAll(() => temp.remove());

test.each(['pyarrow', 'pandas', 'polars', 'datafusion', 'deltalake'])('%s', (reader) => {
  const folder = temp.path(reader);
  cpSync(join(lake, 'container_nodes'), folder, { recursive: true });
  const project = '0'.repeat(29).concat('123');
  const columns = containerNodes.columns.map(({ name, type }) => [name, type]);
  const python = join(import.meta.dirname, '../../coverage/python/bin/python');
  const ended = spawnSync(python, [join(import.meta.dirname, 'read_table.py'), reader], {
    ...{ input: JSON.stringify({ folder, columns, read: readColumns, project }), encoding: 'utf8' },
    maxBuffer: 2 ** 28,
  });
  expect(ended.status, ended.stderr).toBe(0);
  const answer: { rows: unknown[][]; found: number } = JSON.parse(ended.stdout);
  const expected = listRows(world, 'container_nodes');
  const sort = (rows: readonly (readonly unknown[])[]) =>
    rows.map((row) => JSON.stringify(row)).sort();
  const [found, wanted] = [sort(answer.rows), sort(expected)];
  expect(found).toHaveLength(wanted.length);
  expect(found.filter((row, index) => row !== wanted[index]).slice(0, 3)).toEqual([]);
  expect(answer.found).toBe(expected.filter((row) => row[2] === project).length);
});
