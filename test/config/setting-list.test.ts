// Tests the list of settings, and that docs/configuration.md is generated from it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeConfiguration } from '../../docs/generate-configuration.ts';
import { findSetting, listAbove, settings } from '../../lib/config/setting-list.ts';

test('docs/configuration.md is up to date: run `npm run docs`', async () => {
  const file = join(import.meta.dirname, '../../docs/configuration.md');
  expect(await readFile(file, 'utf8')).toBe(describeConfiguration());
});

test('no line of docs/configuration.md is longer than 120 characters', () => {
  const lines = describeConfiguration().split('\n');
  expect(lines.filter((line) => line.length > 120)).toEqual([]);
});

test('each text, number or flag has a hint of its own or of a section that contains it', () => {
  const hasHint = (path: string) => listAbove(path).some(({ hint }) => hint !== undefined);
  const open = settings.filter(({ kind }) => ['text', 'number', 'flag'].includes(kind));
  expect(open.length).toBeGreaterThan(15);
  expect(open.filter(({ path }) => !hasHint(path)).map(({ path }) => path)).toEqual([]);
});

test('finds the setting of a path with numbers', () => {
  expect(findSetting('accounts.0.targets.12.region')?.path).toBe('accounts.*.targets.*.region');
  expect(findSetting('accounts.0.colour')).toBeUndefined();
  expect(listAbove('formats.1').map(({ path }) => path)).toEqual(['formats.*', 'formats', '']);
});
