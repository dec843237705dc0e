// Tests what is different for DLI. test/engines/spark.engines.ts runs the statements in Spark.

import { expect, test } from 'vitest';
import { dli } from '../../lib/ddl/dli.ts';
import { writeScript } from '../../lib/ddl/script.ts';
import { describeNodesTable } from '../support/lake-answers.ts';

const root = 'obs://lake/cgs';
const place = { root, store: null };
const script = writeScript(dli, [describeNodesTable('container_nodes', root)], place);

test('says first that the statements were not run on DLI', () => {
  expect(script.text.split('\n')[0]).toBe('-- not run');
  expect(script.text).toContain('on Spark 3.5.9, not on DLI');
});

test('declares columns and partition keys, and finds partitions with MSCK REPAIR TABLE', () => {
  expect(script.text).toContain(
    "OPTIONS (path 'obs://lake/cgs/container_nodes', datetimeRebaseMode 'CORRECTED')",
  );
  expect(script.text).toContain('PARTITIONED BY (dt, rgn, prj)');
  expect(script.statements).toContain('MSCK REPAIR TABLE `container_nodes`');
  // A console stops at the first statement that fails.
  const last = script.statements.slice(-2);
  expect(last).toEqual([
    'MSCK REPAIR TABLE `container_nodes_changes`',
    'REFRESH TABLE `container_nodes_changes`',
  ]);
});

test('says for another place that DLI reads OBS only', () => {
  const folder = dli.locate({ kind: 'file', path: '/data' });
  expect(dli.explain(folder, null).join('\n')).toContain('DLI reads only OBS');
  expect(dli.explain(root, null).join('\n')).not.toContain('DLI reads only OBS');
  expect(dli.findFault('obs://lake/[a]')).toContain('cannot escape');
});
