// Tests that a table of targets fits the terminal if it can, and never hides which target a line is about.

import fc from 'fast-check';
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

test('the region is left out too if all targets have the same one and the lines are still too long', () => {
  const narrow = formatTargets(two, more(2), 40);
  expect(narrow).not.toContain('cn-north-4');
  expect(narrow).toMatch(/^prod {5}aaaa1111… /m);
  expect(widest(narrow)).toBeLessThanOrEqual(40);
});

test('what distinguishes two targets is always shown', () => {
  const projects = (...ids: string[]) => ids.map((id) => targetOf('prod', id));
  const atEnd = projects('1'.padStart(32, '0'), '2'.padStart(32, '0'));
  expect(formatTargets(atEnd, more(2), 60)).toMatch(/ …00000001 /);
  const atBoth = projects(`1${'0'.repeat(31)}`, `2${'0'.repeat(31)}`, `1${'0'.repeat(30)}1`);
  expect(formatTargets(atBoth, more(3), 60)).toMatch(/ 1000…0001 /);
  const middle = projects(
    `${'0'.repeat(14)}12${'0'.repeat(16)}`,
    `${'0'.repeat(14)}13${'0'.repeat(16)}`,
  );
  expect(formatTargets(middle, more(2), 60)).toMatch(/ 0000000000000012… /);
  const zeros = '0'.repeat(32);
  const everywhere = projects(
    zeros,
    ...[15, 16].map((at) => `${zeros.slice(0, at)}1${zeros.slice(at + 1)}`),
  );
  expect(formatTargets(everywhere, more(3), 60)).toContain(zeros);
  const tables = [targetOf('prod', null, 'web_nodes'), targetOf('prod', null, 'db_nodes')];
  expect(formatTargets(tables, more(2), 40)).toMatch(/web_nodes .*\(not known yet\)/);
});

test('a shortened project id never means two projects', () => {
  const hex = fc.string({
    unit: fc.constantFrom('0', '0', '0', '1'),
    minLength: 32,
    maxLength: 32,
  });
  fc.assert(
    fc.property(fc.uniqueArray(hex, { minLength: 2, maxLength: 20 }), (ids) => {
      const text = formatTargets(
        ids.map((id) => targetOf('prod', id)),
        more(ids.length),
        50,
      );
      const shown = text.match(/\S*…\S*|[01]{32}/g);
      expect(new Set(shown).size).toBe(ids.length);
    }),
  );
});

test('a last cell that does not fit is put below its line', () => {
  const state = 'behind since 2026-11-26 06:27, missed slots: 3';
  const cells = {
    header: ['rows', 'state'],
    rows: [
      ['1', state],
      ['2', 'up to date'],
    ],
    numeric: [0],
  };
  const lines = formatTargets(two, cells, 40).split('\n');
  expect(lines).toEqual([
    'account  project    rows  state',
    'prod     aaaa1111…     1',
    `    ${state}`,
    'prod     aaaa1112…     2  up to date',
  ]);
});
