// Tests how nodes look in the table: which columns, since when, and what is left out on a narrow terminal.

import { expect, test } from 'vitest';
import { openNodeOutput } from '../../lib/cli/node-output.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

const endMs = Date.UTC(2026, 10, 24, 6);
const hourMs = 3_600_000;
const target = {
  ...{ account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: 'a'.repeat(32) },
  ...{ isFiltered: false, dataset: 'container_nodes' },
};
const other = { ...target, projectId: 'b'.repeat(32) };

const rowOf = (cells: Record<string, string | number | null>) => {
  const all: Record<string, string | number | null> = {
    ...{ account: 'prod', region: 'cn-south-4', project_id: target.projectId },
    ...{ host_id: 'h1', host_name: 'web-1', agent_status: 'online', protect_status: 'opened' },
    ...{ first_seen_at: endMs - 48 * hourMs, private_ip: '10.0.0.1', ...cells },
  };
  return containerNodes.columns.map(({ name }) => all[name] ?? null);
};

const show = (
  cells: Record<string, string | number | null>,
  columns: number | null = null,
  targets = [target],
) => {
  const output = openNodeOutput('table', { columns, endMs, targets });
  return output
    .formatRows([rowOf(cells)])
    .trimEnd()
    .split('\n') as [string, string];
};

const weekMs = 7 * 24 * hourMs;

test.each([
  [{}, '2026-11-22 06:00 (2 d) first seen'],
  [{ first_seen_at: null }, '(not known) first seen'],
  [{ first_seen_at: endMs - weekMs + 60_000 }, '2026-11-17 06:01 (6 d) first seen'],
  [{ first_seen_at: endMs - weekMs }, '2026-11-17 (7 d) first seen'],
  [
    { protect_status: 'closed', protect_status_since: endMs - 3 * hourMs },
    '2026-11-24 03:00 (3 h) unprotected',
  ],
  [{ protect_status: null, protect_status_since: null }, '(not known) unprotected'],
  [
    { agent_status: 'offline', agent_status_since: endMs - hourMs, protect_status: 'closed' },
    '(not known) unprotected; 2026-11-24 05:00 (60 min) offline',
  ],
])('since of %j: %s', (cells, expected) => {
  expect(show(cells)[1]).toContain(`  ${expected}  10.0.0.1`);
});

test('null is -, an empty name is ""', () => {
  expect(show({ host_name: '', private_ip: null })[1]).toMatch(/ "" +h1 .* -$/);
});

test('on a narrow terminal, what all targets have in common is left out', () => {
  const [header, row] = show({}, 120);
  expect(header).not.toContain('project');
  expect(row).toContain('2026-11-22 06:00 (2 d) first seen');
  const [both] = show({}, 120, [target, other]);
  expect(both).toMatch(/project/);
  expect(show({})[0]).toMatch(/account +region +project +host_name/);
});

test('at 100 columns, the dates and ages are still shown', () => {
  const since = { protect_status: 'closed', protect_status_since: endMs - 3 * hourMs };
  const [, row] = show({ ...since, host_id: 'b'.repeat(36), host_name: 'n'.repeat(30) }, 100);
  expect(row).toMatch(/ 2026-11-24 03:00 \(3 h\)/);
  expect(row.length).toBeLessThanOrEqual(100);
});

test.each([
  [80, [target]],
  [80, [target, { ...other, account: 'test', region: 'cn-north-4' }]],
  [100, [target, { ...other, account: 'test', region: 'cn-north-4' }]],
])('at %i columns, the start of the id, the time and the age are whole', (columns, targets) => {
  const ids = { host_id: '0f6a1c5e-77aa-4b62-9d1f-0a53c9a0f1d2', host_name: 'n'.repeat(30) };
  const minuteMs = 60_000;
  for (const [ageMs, shown] of [
    [60 * 24 * hourMs, ' 2026-09-25 (60 d)'],
    [47 * hourMs, ' 2026-11-22 07:00 (47 h)'],
    [119 * minuteMs, ' 2026-11-24 04:01 (119 min)'],
  ] as const) {
    const since = { protect_status: 'closed', protect_status_since: endMs - ageMs };
    for (const private_ip of [null, '192.168.100.200']) {
      const [header, row] = show({ ...since, ...ids, private_ip }, columns, targets);
      expect(row).toContain(' 0f6a1c5e');
      expect(row).toContain(shown);
      expect(row.length).toBeLessThanOrEqual(columns);
      if (private_ip === null) expect(header).not.toContain('private_ip');
      if (targets.length > 1) expect(header).toContain('region');
    }
  }
});

test('the header is printed once', () => {
  const output = openNodeOutput('table', { columns: null, endMs, targets: [target] });
  expect(output.formatRows([])).toBe('');
  expect(output.formatRows([rowOf({})])).toContain('host_name');
  expect(output.formatRows([rowOf({})])).not.toContain('host_name');
});

test('what the first stored snapshot already shows began on or before it', () => {
  const output = openNodeOutput('table', { columns: null, endMs, targets: [target] });
  const since = endMs - 48 * hourMs;
  expect(output.formatRows([rowOf({})], since)).toContain(
    '  ≤ 2026-11-22 06:00 (2 d) first seen  ',
  );
  expect(output.formatRows([rowOf({})], since - 1)).toContain(
    '  2026-11-22 06:00 (2 d) first seen  ',
  );
});
