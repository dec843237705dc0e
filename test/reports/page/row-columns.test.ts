// Tests what the cells of the lists show.

import { expect, test } from 'vitest';
import type { NodeAtEnd, ShownChange } from '../../../lib/reports/figures.ts';
import {
  rowChoices,
  rowColumns,
  type Table,
  type TableRows,
} from '../../../lib/reports/page/row-columns.ts';

const target = {
  account: 'prod',
  table: 'container_nodes',
  region: 'cn-north-4',
  projectId: '0f1e',
};
const node: NodeAtEnd = {
  ...target,
  hostId: 'id-1',
  hostName: 'web-1',
  protectStatus: 'closed',
  agentStatus: 'offline',
  unprotected: { since: '2026-11-01T06:00:00Z', days: 24.04, onOrBefore: false },
  offline: { since: null, days: null, onOrBefore: false },
};
const change: ShownChange = {
  ...target,
  snapshotAt: '2026-11-02T06:00:00Z',
  hostId: 'id-1',
  hostName: null,
  change: 'changed',
  columns: ['agent_status', 'version'],
  protectStatus: ['opened', 'opened'],
  agentStatus: ['online', null],
};

function show<Name extends Table>(
  table: Name,
  row: TableRows[Name],
  language: 'en' | 'zh' = 'en',
): Record<string, string> {
  return Object.fromEntries(
    rowColumns[table].map(({ name, cell }) => {
      const { main, detail } = cell(row, language);
      return [name, detail === undefined ? main : `${main} | ${detail}`];
    }),
  );
}

test('a node', () => {
  const row = node;
  expect(show('nodes', row)).toEqual({
    node: 'web-1 | id-1',
    target: 'prod / cn-north-4 | 0f1e',
    protection: 'closed',
    unprotectedSince: '2026-11-01 06:00 | 24 days',
    agent: 'offline',
    offlineSince: 'not known',
  });
  expect(show('nodes', { ...row, protectStatus: null, unprotected: null }, 'zh')).toMatchObject({
    protection: '无值',
    unprotectedSince: '',
    agent: '离线 | offline',
    offlineSince: '未知',
  });
});

test('a state that can have begun before the first snapshot', () => {
  const unprotected = { since: '2026-09-28T00:00:00Z', days: 59.58, onOrBefore: true };
  expect(show('nodes', { ...node, unprotected }).unprotectedSince).toBe(
    'on or before\n2026-09-28 00:00 | at least 59.5 days',
  );
  expect(show('nodes', { ...node, unprotected }, 'zh').unprotectedSince).toBe(
    '2026-09-28 00:00\n或更早 | 至少59.5天',
  );
});

test.each([
  [0, false, '2026-11-26 23:20 | less than 0.1 days', '2026-11-26 23:20 | 不足0.1天'],
  [0.19, false, '2026-11-26 23:20 | 0.1 days', '2026-11-26 23:20 | 0.1天'],
  [0, true, 'on or before\n2026-11-26 23:20', '2026-11-26 23:20\n或更早'],
])('%d days, of which the beginning is open: %s', (days, onOrBefore, inEnglish, inChinese) => {
  const unprotected = { since: '2026-11-26T23:20:00Z', days, onOrBefore };
  expect(show('nodes', { ...node, unprotected }).unprotectedSince).toBe(inEnglish);
  expect(show('nodes', { ...node, unprotected }, 'zh').unprotectedSince).toBe(inChinese);
});

test('a change', () => {
  const row = change;
  expect(show('changes', row)).toEqual({
    time: '2026-11-02 06:00',
    node: 'no name | id-1',
    target: 'prod / cn-north-4 | 0f1e',
    change: 'changed',
    columns: 'agent_status, version',
    protection: 'opened',
    agent: 'online → no value',
  });
  expect(show('changes', row, 'zh')).toMatchObject({
    protection: '开启 | opened',
    agent: '在线 → 无值 | online → 无值',
  });
  const added: ShownChange = { ...row, change: 'added', protectStatus: [null, 'closed'] };
  expect(show('changes', added).protection).toBe('closed');
  const renamed: ShownChange = { ...row, hostName: 'web-1-v2', hostNameBefore: 'web-1' };
  expect(show('changes', renamed).node).toBe('web-1 → web-1-v2 | id-1');
  expect(show('changes', { ...renamed, hostNameBefore: null }).node).toBe(
    'no name → web-1-v2 | id-1',
  );
});

test('another table is named with its target', () => {
  const row = { ...node, table: 'prod_nodes' };
  expect(show('nodes', row).target).toBe('prod / prod_nodes / cn-north-4 | 0f1e');
});

test('the choices tell unprotected from offline', () => {
  const matching = (row: NodeAtEnd) =>
    rowChoices.nodes.filter(({ matches }) => matches(row)).map(({ title }) => title);
  expect(matching({ ...node, offline: null })).toEqual(['reasonAll', 'reasonUnprotected']);
  expect(matching({ ...node, unprotected: null })).toEqual(['reasonAll', 'reasonOffline']);
});
