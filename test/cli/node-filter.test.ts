// Tests which conditions `nodes` understands, and which rows meet them.

import { expect, test } from 'vitest';
import { type NodeFilters, openNodeTests } from '../../lib/cli/node-filter.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

const { columns } = containerNodes;
const rowOf = (cells: Record<string, string | number | boolean>) =>
  columns.map(({ name }) => cells[name] ?? null);
const isShown = (filters: NodeFilters, cells: Record<string, string | number | boolean>) =>
  openNodeTests(columns, filters).isShown(rowOf(cells));

test.each([
  ['host_name=a=b', { host_name: 'a=b' }, true],
  ['host_name=a', { host_name: 'A' }, false],
  ['host_name=', { host_name: '' }, true],
  ['host_name=', {}, false],
  ['host_name=null', {}, true],
  ['host_name=null', { host_name: '' }, false],
  ['asset=-3', { asset: -3 }, true],
  ['asset=0', {}, false],
  ['protect_interrupt=true', { protect_interrupt: true }, true],
  ['protect_interrupt=false', {}, false],
  ['first_seen_at=2026-11-24T06:00:00Z', { first_seen_at: Date.UTC(2026, 10, 24, 6) }, true],
  ['first_seen_at=2026-11-24T06:00:00.000Z', { first_seen_at: Date.UTC(2026, 10, 24, 6) }, true],
])('%s and %j: %j', (where, cells, expected) => {
  expect(isShown({ where: [where] }, cells)).toBe(expected);
});

test('no protection status means unprotected; only `offline` means offline', () => {
  expect(isShown({ unprotected: true }, {})).toBe(true);
  expect(isShown({ unprotected: true }, { protect_status: 'opened' })).toBe(false);
  expect(isShown({ offline: true }, {})).toBe(false);
  expect(isShown({ offline: true }, { agent_status: 'offline' })).toBe(true);
});

test('all conditions must hold', () => {
  const filters = { unprotected: true, where: ['host_name=a', 'asset=1'] };
  expect(isShown(filters, { host_name: 'a', asset: 1 })).toBe(true);
  expect(isShown(filters, { host_name: 'a', asset: 2 })).toBe(false);
  expect(isShown(filters, { host_name: 'a', asset: 1, protect_status: 'opened' })).toBe(false);
});

test.each([
  ['host_name', '"host_name" has no ='],
  ['hostname=a', 'there is no column "hostname"; did you mean "host_name"?'],
  ['asset=one', '"one" cannot be a value of asset'],
  ['asset=', '"" cannot be a value of asset'],
  ['protect_interrupt=yes', '"yes" cannot be a value of protect_interrupt'],
  ['first_seen_at=30d', '"30d" cannot be a value of first_seen_at'],
  ['first_seen_at=2026-13-24T06:00:00Z', 'cannot be a value of first_seen_at'],
])('%s is refused', (where, message) => {
  expect(() => openNodeTests(columns, { where: [where] })).toThrow(message);
});
