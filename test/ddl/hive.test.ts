// Tests what is different for Hive. test/engines/spark.engines.ts runs the statements in Spark with the metastore of Hive.

import { expect, test } from 'vitest';
import { hive } from '../../lib/ddl/hive.ts';
import { writeScript } from '../../lib/ddl/script.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const root = hive.locate({ kind: 'file', path: "/data/it's" });
const place = { root, store: null };
const { text, statements } = writeScript(hive, [describeNodesTable('order', root)], place);

test('says first that the statements were not run in Hive, and how times are stored', () => {
  expect(text.split('\n')[0]).toBe('-- not run');
  expect(text).toContain('from_unixtime(');
});

test('declares external tables with times as numbers and partition keys as strings', () => {
  const [, create = ''] = statements;
  expect(create).toContain('CREATE EXTERNAL TABLE `order` (');
  expect(create).toContain('`snapshot_at` BIGINT');
  expect(create).toContain('PARTITIONED BY (dt STRING, rgn STRING, prj STRING)');
  expect(create).toContain("LOCATION 'file:///data/it\\'s/order'");
  expect(text).not.toContain('TIMESTAMP');
});

test('no statement has a semicolon, at which the command line of Hive would cut it', () => {
  expect(statements.filter((statement) => statement.includes(';'))).toEqual([]);
  expect(hive.findFault('obs://lake/a;b')).toContain('semicolon');
  expect(hive.findFault(root)).toBeNull();
});
