// Responsible for asking an engine the questions of lake-oracle.ts with the SQL of `ddl`, and for comparing what it answers.

import type { Dataset } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { asOfExample, type Dialect } from '../../lib/ddl/dialect.ts';
import type { LakeTable } from '../../lib/ddl/lake-table.ts';
import { type Script, writeScript } from '../../lib/ddl/script.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';
import { listProtectionMeasures } from '../../lib/snapshots/protection.ts';
import type { Question } from './lake-question.ts';
import type { Answer } from './lake-truth.ts';
import { datasetOfTable } from './lake-world.ts';

/** As the command makes it for a table of container nodes. */
export function describeNodesTable(table: string, root: string): LakeTable {
  return describeTable(containerNodes, table, root);
}

function describeTable(dataset: Dataset, table: string, root: string): LakeTable {
  return {
    ...{ table, root, columns: dataset.columns },
    changeColumns: changeColumns(dataset),
    measures: listProtectionMeasures(dataset.name),
  };
}

/** `tables`: names of lake-world.ts. */
export function writeLakeScript(dialect: Dialect, tables: readonly string[], root: string): Script {
  const described = tables.map((table) => describeTable(datasetOfTable(table), table, root));
  return writeScript(dialect, described, { root, store: null });
}

/**
 * The query of a table as of a time: the comment of the script without its marks, as a person makes it. `isoTime`: to the second.
 * Throws Error if the script has no such comment.
 */
function readAsOf(text: string, table: string, isoTime: string): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`-- ${table} as of a time`));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('-- '));
  if (start < 0) throw new Error(`the script has no query of ${table} as of a time`);
  const query = lines.slice(start + 1, end).map((line) => line.slice('-- '.length));
  const sql = query.join('\n').replace(/;$/, '');
  if (!sql.includes(asOfExample)) throw new Error(`the query has no time ${asOfExample}`);
  return sql.replaceAll(asOfExample, isoTime);
}

/** The SQL of a question for an engine. `quote`: what the engine writes around names. */
export function readQuestion({ sql, table, asOf }: Question, script: Script, quote = '"'): string {
  const asked = sql.replaceAll('"', quote);
  return asOf === null ? asked : asked.replace('{asOf}', () => readAsOf(script.text, table, asOf));
}

/** What differs, at most three rows of each side; null: nothing. The order of the rows does not count. */
export function findWrongAnswer(question: Question, found: readonly (readonly Answer[])[]) {
  const expected = question.rows.map((row) => JSON.stringify(row)).sort();
  const actual = found.map((row) => JSON.stringify(row)).sort();
  if (JSON.stringify(expected) === JSON.stringify(actual)) return null;
  const [wanted, given] = [new Set(expected), new Set(actual)];
  const { table, name } = question;
  return {
    ...{ table, name, rows: actual.length, expected: expected.length },
    missing: expected.filter((row) => !given.has(row)).slice(0, 3),
    wrong: actual.filter((row) => !wanted.has(row)).slice(0, 3),
  };
}
