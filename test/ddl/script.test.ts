// Tests how a script is put together: comments, the order of statements, and the first line of a dialect that no test runs.

import { expect, test } from 'vitest';
import type { Dialect } from '../../lib/ddl/dialect.ts';
import { writeScript } from '../../lib/ddl/script.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const dialect: Dialect = {
  engine: 'some',
  title: 'Some engine',
  isRun: true,
  locate: () => '/lake',
  findFault: () => null,
  explain: () => ['Before: sign in.'],
  prepare: () => [{ comment: '', sql: 'SET a = 1' }],
  write: ({ table }) => ({
    create: [{ comment: 'First.\nSecond.', sql: `CREATE ${table}` }],
    refresh: [{ comment: 'New files.', sql: `REFRESH ${table}` }],
    asOf: `SELECT *\nFROM ${table}`,
  }),
};
const place = { root: '/lake', store: null };
const tables = ['a', 'b'].map((table) => describeNodesTable(table, '/lake'));

test('all statements in order: prepare, create, refresh; the query as of a time is a comment', () => {
  const { statements, text } = writeScript(dialect, tables, place);
  expect(statements).toEqual(['SET a = 1', 'CREATE a', 'CREATE b', 'REFRESH a', 'REFRESH b']);
  expect(text).toBe(`-- Tables and views of a cgs-export store for Some engine.
-- Store: /lake
-- Before: sign in.

SET a = 1;

-- First.
-- Second.
CREATE a;

-- First.
-- Second.
CREATE b;

-- New files.
REFRESH a;

-- New files.
REFRESH b;

-- a as of a time: remove the comment marks and replace the time, which is UTC.
-- SELECT *
-- FROM a;

-- b as of a time: remove the comment marks and replace the time, which is UTC.
-- SELECT *
-- FROM b;
`);
});

test('an engine that finds new files itself has a comment instead of a statement', () => {
  const write: Dialect['write'] = (table) => ({ ...dialect.write(table), refresh: [] });
  const { statements, text } = writeScript({ ...dialect, write }, tables, place);
  expect(statements).toEqual(['SET a = 1', 'CREATE a', 'CREATE b']);
  expect(text).toContain('-- New partitions and files: each query finds them.');
});

test('the first line of a dialect that no test runs says so', () => {
  const { text } = writeScript({ ...dialect, isRun: false }, tables, place);
  expect(text.split('\n')[0]).toBe('-- not run');
});

test('a line break in a location does not end a comment', () => {
  const { text } = writeScript(dialect, tables, { root: '/a\nDROP TABLE x', store: null });
  expect(text).toContain('-- Store: /a DROP TABLE x\n');
});
