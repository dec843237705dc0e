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

test.each([
  [{}, 'seen 2026-11-22 06:00 (2 d 0 h)'],
  [{ first_seen_at: null }, 'seen (not known)'],
  [
    { protect_status: 'closed', protect_status_since: endMs - 3 * hourMs },
    'unprotected 2026-11-24 03:00 (3 h)',
  ],
  [{ protect_status: null, protect_status_since: null }, 'unprotected (not known)'],
  [
    { agent_status: 'offline', agent_status_since: endMs - hourMs, protect_status: 'closed' },
    'unprotected (not known); offline 2026-11-24 05:00 (60 min)',
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
  expect(row).toContain('2026-11-22 06:00 (2 d 0 h)');
  const [both] = show({}, 120, [target, other]);
  expect(both).toMatch(/project/);
  expect(show({})[0]).toMatch(/account +region +project +host_name/);
});

test('the header is printed once', () => {
  const output = openNodeOutput('table', { columns: null, endMs, targets: [target] });
  expect(output.formatRows([])).toBe('');
  expect(output.formatRows([rowOf({})])).toContain('host_name');
  expect(output.formatRows([rowOf({})])).not.toContain('host_name');
});
