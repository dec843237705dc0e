// Tests how numbers, tables and snapshots look in text for people.

import { expect, test } from 'vitest';
import {
  describeSnapshots,
  describeTarget,
  escapeControls,
  fitLines,
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
} from '../../lib/cli/format.ts';
import { formatTable } from '../../lib/cli/text-table.ts';
import type { Sealed } from '../../lib/snapshots/catalog.ts';

test('aligns the columns of a table', () => {
  const rows = [
    ['table', 'rows', 'now'],
    ['container_nodes', '7', 'due'],
  ];
  expect(formatTable(rows)).toBe('table            rows  now\ncontainer_nodes  7     due');
});

test('breaks long lines at spaces, indents the rest of a line, and loses no word', () => {
  const word = 'x'.repeat(70);
  const text = `short\n  ${'some words '.repeat(12)}end\n\n${word} y\n`;
  expect(fitLines(text, null)).toBe(text);
  const lines = fitLines(text, 60).split('\n');
  expect(lines.slice(0, 4)).toEqual([
    'short',
    `  ${'some words '.repeat(5).trim()}`,
    `    ${'some words '.repeat(5).trim()}`,
    '    some words some words end',
  ]);
  expect(lines.slice(4)).toEqual(['', word, '  y', '']);
});

test('escapes the characters that change the direction of text', () => {
  const marks = ['\u061c', '\u200e', '\u200f', '\u202a', '\u202e', '\u2066', '\u2069'];
  for (const mark of marks) {
    const escaped = `a\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}b`;
    expect(escapeControls(`a${mark}b`)).toBe(escaped);
  }
  // Letters of scripts that are written from right to left stay, and so does what joins an emoji.
  for (const text of ['שלום', 'سلام', '👩\u200d💻']) expect(escapeControls(text)).toBe(text);
});

test('escapes control characters in a table and in the name of a target', () => {
  expect(formatTable([['a\u001b[2Jb\n', 'c']])).toBe('a\\u001b[2Jb\\u000a  c');
  const target = { account: 'a\rb', table: 't', region: 'r', projectId: null };
  expect(describeTarget(target)).toBe('a\\u000db t r (project not known)');
});

test('formats sizes with a unit', () => {
  const texts = [0, 999, 1_000, 71_234, 9_940_000, 1.2e15].map(formatBytes);
  expect(texts).toEqual(['0 bytes', '999 bytes', '1.0 kB', '71 kB', '9.9 MB', '1200 TB']);
});

test('uses the singular for one', () => {
  expect([0, 1, 2_000].map((count) => formatPlural(count, 'row'))).toEqual([
    '0 rows',
    '1 row',
    '2,000 rows',
  ]);
});

test('rounds waits up and keeps them short', () => {
  const texts = [1, 1_000, 118_001, 121_000, 7_200_000, 7_260_000, 200_000_000].map(formatDuration);
  expect(texts).toEqual(['1 s', '1 s', '119 s', '3 min', '2 h', '2 h 1 min', '2 d 7 h']);
});

test('chooses the unit after a wait was rounded up', () => {
  const texts = [119_001, 7_140_001, 172_740_001].map(formatDuration);
  expect(texts).toEqual(['2 min', '2 h', '2 d 0 h']);
});

test('never shows an age as longer than it is', () => {
  const texts = [999, 118_999, 123_000, 903_000, 7_259_999, 200_000_000].map(formatAge);
  expect(texts).toEqual(['0 s', '118 s', '2 min', '15 min', '2 h', '2 d 7 h']);
});

test('groups the digits of counts', () => {
  expect([0, 999, 1_000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
});

test('names the role of a part that does not hold rows', () => {
  const part = { key: 'k', rows: 1, bytes: 1, sha256: 'a' };
  const manifest = {
    ...{
      table: 't',
      snapshot: 's',
      scope: { account: 'a\u001b[31m\nb', region: 'r', projectId: 'p' },
      verdict: 'complete',
    },
    ...{ rows: 2, rejects: 1, evidence: { pages: 1, requests: 1 } },
    parts: [
      { role: 'rows', format: 'ndjson', ...part },
      { role: 'rejects', format: 'ndjson', ...part },
    ],
  };
  const sealed = { manifest, manifestKey: 'm', manifestSha256: 'b' } as unknown as Sealed;
  const lines = describeSnapshots([sealed], 'file:/lake').split('\n');
  expect(lines).toEqual([
    'a\\u001b[31m\\u000ab t s  r p',
    '  2 rows, 1 reject  (1 page, 1 request)',
    '  complete: no page that was read shows a missed record (limit: docs/design/known-limits.md)',
    '  ndjson    k  1 byte',
    '  rejects   k  1 byte',
    '  manifest  m  sha256 b',
    'in file:/lake',
    '',
  ]);
});
