// Tests that a table of targets fits the terminal if it can, and never hides which target a line is about.

import { expect, test } from 'vitest';
import { formatTargets } from '../../lib/cli/target-table.ts';

const targetOf = (account: string, projectId: string | null, table = 'container_nodes') => {
  return { account, table, region: 'cn-north-4', projectId };
};
const projectOf = (start: string) => start.padEnd(32, '0');
const more = (count: number) => ({
  header: ['rows', 'state'],
  rows: Array.from({ length: count }, (_, index) => [String(10 ** index), 'up to date']),
  numeric: [0],
});
const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
const two = [targetOf('prod', projectOf('aaaa1111b')), targetOf('prod', projectOf('aaaa1112b'))];

test('without a limit, or if it fits, everything is shown, numbers to the right', () => {
  const whole = formatTargets(two, more(2), null);
  expect(whole).toBe(formatTargets(two, more(2), 200));
  expect(whole).toMatch(/^account {2}table {12}region {6}project {27}rows {2}state$/m);
  expect(whole).toMatch(/0 {5}1 {2}up to date$/m);
});

test('if it does not fit, project ids are shortened, then the one name of the table is left out', () => {
  expect(formatTargets(two, more(2), 75)).toMatch(/container_nodes {2}cn-north-4 {2}aaaa1111… /);
  const narrow = formatTargets(two, more(2), 60);
  expect(narrow).not.toContain('container_nodes');
  expect(widest(narrow)).toBeLessThanOrEqual(60);
});

test('what distinguishes two targets is always shown', () => {
  const alike = [
    targetOf('prod', projectOf('aaaa11112')),
    targetOf('prod', projectOf('aaaa11113')),
  ];
  expect(formatTargets(alike, more(2), 60)).toContain(projectOf('aaaa11112'));
  const tables = [targetOf('prod', null, 'web_nodes'), targetOf('prod', null, 'db_nodes')];
  expect(formatTargets(tables, more(2), 40)).toMatch(/web_nodes .*\(not known yet\)/);
});
