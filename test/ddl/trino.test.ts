// Tests where Trino finds a store, and what differs between a folder and a bucket. test/trino/ddl.trino.ts runs the statements.

import { expect, test } from 'vitest';
import { trino } from '../../lib/ddl/trino.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const endpoint = 'https://obs.cn-south-4.myhuaweicloud.com';
const bucket = {
  ...({ kind: 'obs', bucket: 'lake', prefix: 'cgs' } as const),
  ...{ endpoint, region: 'cn-south-4', pathStyle: false },
};

function write(root: string) {
  const { create, refresh, asOf } = trino.write(describeNodesTable('order', root));
  return { text: [...create.map(({ sql }) => sql), asOf].join(';\n'), refresh };
}

test('a folder has a local: address, and a bucket an s3:// address', () => {
  expect(trino.locate({ kind: 'file', path: '/data/lake' })).toBe('local:///data/lake');
  expect(trino.locate(bucket)).toBe('s3://lake/cgs');
  expect(trino.locate({ ...bucket, prefix: '' })).toBe('s3://lake');
});

test('the settings that the catalog needs are stated', () => {
  expect(trino.explain('local:///data', null)).toContain('  hive.recursive-directories=true');
  const lines = trino.explain('s3://lake/cgs', bucket);
  expect(lines.slice(-5)).toEqual([
    '  fs.native-s3.enabled=true',
    `  s3.endpoint=${endpoint}`,
    '  s3.region=cn-south-4',
    '  s3.aws-access-key=${ENV:AWS_ACCESS_KEY_ID}',
    '  s3.aws-secret-key=${ENV:AWS_SECRET_ACCESS_KEY}',
  ]);
  const pathStyle = trino.explain('s3://lake/cgs', { ...bucket, pathStyle: true });
  expect(pathStyle).toContain('  s3.path-style-access=true');
});

test('in a bucket the changes have their own folder and partitions', () => {
  const { text, refresh } = write('s3://lake/cgs');
  expect(text).toContain("external_location = 's3://lake/cgs/order_changes'");
  expect(text).not.toContain('LIKE');
  expect(refresh.map(({ sql }) => /'(\w+)', 'FULL'/.exec(sql)?.[1])).toEqual([
    'order_files',
    'order_changes_files',
    'order_manifests',
  ]);
});

test('in a folder the changes are picked from the whole store, because their folder can be missing', () => {
  const { text, refresh } = write("local:///it's_50%");
  expect(text).toContain("external_location = 'local:///it''s_50%'\n");
  expect(text).toContain(`LIKE 'local:///it''s\\_50\\%/order\\_changes/%' ESCAPE '\\'`);
  expect(refresh).toHaveLength(2);
});

test('names of tables are quoted, and each location but obs:// can be written', () => {
  expect(write('s3://lake').text).toContain('CREATE OR REPLACE VIEW "order" AS');
  expect(trino.findFault("local:///it's")).toBeNull();
  expect(trino.findFault('obs://lake/cgs')).toContain('s3://');
});
