// Tests docs/design/bad-input.md: each row names files and tests that exist.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/design/bad-input.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && line !== header())
  .map((line) => line.slice(2, -2).split(' | '));

function header(): string {
  return '| Input | Test | Mechanism |';
}

function pathsIn(cell: string): string[] {
  return [...cell.matchAll(/`((?:lib|test)\/[^`]+)`/g)].map(([, path = '']) => path);
}

describe('the table of inputs', () => {
  test('has rows of three cells', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((cells) => cells.length !== 3)).toEqual([]);
  });

  test.each(rows)('%s', (_input, tests = '', mechanism = '') => {
    expect(pathsIn(tests)).not.toEqual([]);
    expect(pathsIn(mechanism)).not.toEqual([]);
    for (const path of pathsIn(tests + mechanism))
      expect(existsSync(join(root, path)), path).toBe(true);
    const sources = pathsIn(tests).map((path) => readFileSync(join(root, path), 'utf8'));
    for (const [, name = ''] of tests.matchAll(/"([^"]+)"/g)) {
      // `…` is for what the test fills in.
      const parts = name.split('…').map((part) => part.trim());
      const isIn = (source: string) => parts.every((part) => source.includes(part));
      expect(sources.some(isIn), name).toBe(true);
    }
  });
});
