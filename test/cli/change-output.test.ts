// Tests how changes look as a table, as CSV and as NDJSON.

import { expect, test } from 'vitest';
import { openChangeOutput } from '../../lib/cli/change-output.ts';
import type { Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';

const columns = changeColumns(containerNodes);

function createChange(cells: Record<string, string | null>): Row {
  const plain = { host_id: 'h1', host_name: 'web-1', change: 'added', after: '{}' };
  const row: Record<string, string | null> = { ...plain, ...cells };
  return columns.map(({ name, type }) => (type === 'timestamp' ? 0 : (row[name] ?? null)));
}

function changed(
  values: Record<string, [unknown, unknown]>,
  cells: Record<string, string> = {},
): Row {
  const side = (index: 0 | 1) =>
    JSON.stringify(
      Object.fromEntries(Object.entries(values).map(([name, pair]) => [name, pair[index]])),
    );
  const names = JSON.stringify(Object.keys(values));
  return createChange({
    change: 'changed',
    changed_columns: names,
    before: side(0),
    after: side(1),
    ...cells,
  });
}

const table = (rows: readonly Row[], width: number | null = null) => {
  const output = openChangeOutput('table', containerNodes, columns, width);
  const counts = { added: 1_234, removed: 0, changed: 2 };
  return (
    output.start + output.openTarget('a → b') + output.formatRows(rows) + output.closeTarget(counts)
  );
};

test('the table shows what changed, and how many rows', () => {
  const rows = [
    createChange({}),
    changed(
      { agent_status: ['online', 'offline'], asset: [null, 5], group_name: ['', 'x'] },
      { host_id: 'h22' },
    ),
  ];
  expect(table(rows).split('\n')).toEqual([
    'a → b',
    '  added    h1   web-1',
    '  changed  h22  web-1  agent_status: online → offline; asset: null → 5; group_name: "" → x',
    '  1,234 added, 0 removed, 2 changed',
    '',
  ]);
});

test('the table leaves out the status as it was sent where it says the same', () => {
  const same = { agent_status: ['online', 'offline'], agent_status_raw: ['online', 'offline'] };
  const other = {
    agent_status: ['online', 'not_installed'],
    agent_status_raw: ['online', 'not_register'],
  };
  const only = { agent_status_raw: ['not_installed', 'not_register'] };
  const rows = [same, other, only].map((values) =>
    changed(values as unknown as Record<string, [unknown, unknown]>),
  );
  const lines = table(rows).split('\n');
  expect(lines[1]).toMatch(/web-1 {2}agent_status: online → offline$/);
  expect(lines[2]).toMatch(
    /agent_status: online → not_installed; agent_status_raw: online → not_r/,
  );
  expect(lines[3]).toMatch(/web-1 {2}agent_status_raw: not_installed → not_register$/);
});

test('the table escapes control characters, and cuts long values between characters', () => {
  const text = table([
    changed({ host_name: ['a\u001b[2J\nb', '😀'.repeat(60)] }, { host_name: '\u0007' }),
  ]);
  expect(text).toContain('host_name: a\\u001b[2J\\u000ab → ');
  expect(text).toContain(`${'😀'.repeat(39)}…`);
  expect(text).toContain('\\u0007');
  expect(text.split('\n')).toHaveLength(4);
});

test('the lines of the table fit the width', () => {
  const values = {
    agent_status: ['online', 'offline'],
    host_status: ['ACTIVE', 'SHUTOFF'],
  } as const;
  const rows = [changed(values as unknown as Record<string, [unknown, unknown]>)];
  const lines = table(rows, 60).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain('host_status: ACTIVE → SHUTOFF');
});

test('CSV has one header for all targets, and keeps values as they are stored', () => {
  const output = openChangeOutput('csv', containerNodes, columns, 80);
  expect(output.start).toBe(`\ufeff${columns.map(({ name }) => name).join(',')}\r\n`);
  expect(output.openTarget('x') + output.closeTarget({ added: 0, removed: 0, changed: 0 })).toBe(
    '',
  );
  const text = output.formatRows([createChange({ host_name: '=1\u001b' })]);
  expect(text).toContain(",h1,'=1\u001b,added,");
});

test('NDJSON has every column of every row', () => {
  const output = openChangeOutput('ndjson', containerNodes, columns, 80);
  const text =
    output.start + output.formatRows([createChange({}), createChange({ host_id: 'h2' })]);
  const lines = text.split('\n');
  expect(lines).toHaveLength(3);
  expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual(columns.map(({ name }) => name));
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({
    host_id: 'h2',
    host_name: 'web-1',
    before: null,
  });
});
