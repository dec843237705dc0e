// Tests where ClickHouse finds a store, and what it cannot quote. test/engines/ddl.engines.ts runs the statements.

import { describe, expect, test } from 'vitest';
import { clickhouse } from '../../lib/ddl/clickhouse.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const endpoint = 'https://obs.cn-south-4.myhuaweicloud.com';
const bucket = {
  ...({ kind: 'obs', bucket: 'lake', prefix: 'cgs' } as const),
  ...{ endpoint, region: 'cn-south-4', pathStyle: false },
};

function writeAll(root: string): string {
  const { create, asOf } = clickhouse.write(describeNodesTable('container_nodes', root));
  return [...create.map(({ sql }) => sql), asOf].join(';\n');
}

describe('a bucket', () => {
  test('has the address of its endpoint', () => {
    expect(clickhouse.locate(bucket)).toBe('https://lake.obs.cn-south-4.myhuaweicloud.com/cgs');
    expect(clickhouse.locate({ ...bucket, prefix: '', pathStyle: true })).toBe(`${endpoint}/lake`);
  });

  test('of another host has its bucket in the path, where ClickHouse sees it', () => {
    const store = { ...bucket, endpoint: 'https://storage.example.com' };
    expect(clickhouse.locate(store)).toBe('https://storage.example.com/lake/cgs');
  });

  test('has an encoded prefix, because ClickHouse decodes it', () => {
    expect(clickhouse.locate({ ...bucket, prefix: 'my lake/100%é+[b]' })).toBe(
      'https://lake.obs.cn-south-4.myhuaweicloud.com/my%20lake/100%25%C3%A9+[b]',
    );
    expect(clickhouse.findFault(clickhouse.locate({ ...bucket, prefix: '{a}' }))).not.toBeNull();
  });

  test('needs a section of the configuration with its address, region and key', () => {
    const lines = clickhouse.explain('https://lake.s3.example.com/a&b', bucket).join('\n');
    expect(lines).toContain('<endpoint>https://lake.s3.example.com/a&amp;b/</endpoint>');
    expect(lines).toContain('<region>cn-south-4</region>');
    expect(clickhouse.explain('https://lake.s3.example.com/x', null).join('\n')).toContain(
      '<region>...</region>',
    );
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
