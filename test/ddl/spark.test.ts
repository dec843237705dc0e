// Tests where Spark finds a store, and what it cannot quote. test/engines/spark.engines.ts runs the statements.

import { expect, test } from 'vitest';
import { spark } from '../../lib/ddl/spark.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const endpoint = 'https://obs.cn-south-4.myhuaweicloud.com';
const bucket = {
  ...({ kind: 'obs', bucket: 'lake', prefix: 'cgs' } as const),
  ...{ endpoint, region: 'cn-south-4', pathStyle: false },
};

function writeAll(root: string, table = 'container_nodes'): string {
  const { create, refresh, asOf } = spark.write(describeNodesTable(table, root));
  return [...[...create, ...refresh].map(({ sql }) => sql), asOf].join(';\n');
}

test('a folder has a file: address, and a bucket an obs:// address', () => {
  expect(spark.locate({ kind: 'file', path: '/data/lake' })).toBe('file:///data/lake');
  expect(spark.locate(bucket)).toBe('obs://lake/cgs');
  expect(spark.locate({ ...bucket, prefix: '' })).toBe('obs://lake');
});

test('the settings for a bucket are stated', () => {
  const explain = (root: string) => spark.explain(root, bucket).join('\n');
  expect(explain('s3a://lake/cgs')).toContain(`fs.s3a.endpoint ${endpoint}\n`);
  expect(explain('s3a://lake/cgs')).toContain('fs.s3a.endpoint.region cn-south-4\n');
  expect(explain('s3a://lake/cgs')).toContain('fs.s3a.path.style.access false\n');
  expect(explain('obs://lake/cgs')).toContain('fs.obs.endpoint obs.cn-south-4.myhuaweicloud.com\n');
  expect(explain('obs://lake/cgs')).toContain('--location s3a://');
  expect(explain('file:///data/lake')).not.toContain('endpoint');
});

test('quotes in a location are escaped, and names are quoted', () => {
  const text = writeAll("file:///it's", 'order');
  expect(text).toContain("path 'file:///it\\'s/order'");
  expect(text).toContain('CREATE TABLE `order` (');
  expect(text).toContain('REFRESH TABLE `order_changes`');
});

test('a setting of the session that a table needs is set back', () => {
  const statements = writeAll('file:///data').split(';\n');
  const at = (start: string) => statements.findIndex((statement) => statement.startsWith(start));
  expect(at('SET spark.')).toBeGreaterThanOrEqual(0);
  expect(at('RESET spark.')).toBeGreaterThan(at('CREATE TABLE `container_nodes_changes`'));
});

test.each(['*', '?', '[', '{', '\\'])('a location with %s is refused', (character) => {
  expect(spark.findFault(`file:///a${character}b`)).toContain('cannot escape');
});

test('a location with a space and a quote is accepted', () => {
  expect(spark.findFault("file:///it's a lake")).toBeNull();
});
