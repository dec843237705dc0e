// Tests where ClickHouse finds a store, and what it cannot quote. test/engines/ddl.engines.ts runs the statements.

import { describe, expect, test } from 'vitest';
import { clickhouse } from '../../lib/ddl/clickhouse.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const endpoint = 'https://obs.cn-south-4.myhuaweicloud.com';
const bucket = { kind: 'obs', bucket: 'lake', prefix: 'cgs', endpoint, pathStyle: false } as const;

function writeAll(root: string): string {
  const { create, asOf } = clickhouse.write(describeNodesTable('container_nodes', root));
  return [...create.map(({ sql }) => sql), asOf].join(';\n');
}

describe('a bucket', () => {
  test('has the address of its endpoint', () => {
    expect(clickhouse.locate(bucket)).toBe('https://lake.obs.cn-south-4.myhuaweicloud.com/cgs');
    expect(clickhouse.locate({ ...bucket, prefix: '', pathStyle: true })).toBe(`${endpoint}/lake`);
  });

  test('is read with s3(), and a folder with file()', () => {
    const root = clickhouse.locate(bucket);
    expect(writeAll(root)).toContain(`s3('${root}/_manifests/container_nodes/`);
    expect(writeAll(root)).not.toContain('file(');
    expect(writeAll('/lake')).not.toContain('s3(');
    expect(clickhouse.explain(root, bucket).join('\n')).toContain('access_key_id');
  });
});

test('quotes and backslashes in a location are escaped', () => {
  expect(writeAll("/a\\b/it's")).toContain("file('/a\\\\b/it\\'s/container_nodes/");
});

test.each(['/a*', '/a?', '/{a}', '/a::b'])('%s is refused: ClickHouse cannot escape it', (root) => {
  expect(clickhouse.findFault(root)).toContain('cannot escape');
});

test('a path with a bracket and a space is accepted', () => {
  expect(clickhouse.findFault('/a [b]')).toBeNull();
});
