import { expect, test } from 'vitest';
import { formatBytes, formatPlural, formatTable } from '../../lib/cli/format.ts';

test('columns stand below each other', () => {
  const rows = [
    ['table', 'rows', 'now'],
    ['container_nodes', '7', 'due'],
  ];
  expect(formatTable(rows)).toBe('table            rows  now\ncontainer_nodes  7     due');
});

test('sizes', () => {
  const texts = [0, 999, 1_000, 71_234, 9_940_000, 1.2e15].map(formatBytes);
  expect(texts).toEqual(['0 bytes', '999 bytes', '1.0 kB', '71 kB', '9.9 MB', '1200 TB']);
});

test('one is no plural', () => {
  expect([0, 1, 2_000].map((count) => formatPlural(count, 'row'))).toEqual([
    '0 rows',
    '1 row',
    '2,000 rows',
  ]);
});
