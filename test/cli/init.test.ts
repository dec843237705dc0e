import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exampleConfig } from '../../lib/config/example.ts';
import { call, createFolder } from './world.ts';

test('writes ./cgs-export.yml, once', async () => {
  const cwd = createFolder();
  const first = await call(['init'], { cwd });
  expect(first.code).toBe(0);
  const path = join(cwd, 'cgs-export.yml');
  expect(first.world.out()).toContain(path);
  expect(readFileSync(path, 'utf8')).toBe(exampleConfig);

  writeFileSync(path, 'mine');
  const second = await call(['init', '--json'], { cwd });
  expect(second.code).toBe(2);
  expect(second.world.json().errors).toMatchObject([
    { message: expect.stringContaining('exists already') },
  ]);
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

test.each(['--out', '--config'])('%s names another file', async (flag) => {
  const { code, world } = await call(['init', flag, 'other.yml', '--json']);
  expect(code).toBe(0);
  const file = join(world.cwd, 'other.yml');
  expect(world.json()).toEqual({ status: 'written', file, errors: [] });
  expect(readFileSync(file, 'utf8')).toBe(exampleConfig);
});

test('--out - prints it and writes nothing', async () => {
  const { code, world } = await call(['init', '--out', '-']);
  expect(code).toBe(0);
  expect(world.out()).toBe(exampleConfig);
  expect(readdirSync(world.cwd)).toEqual([]);
});

test('a folder that is not there: exit 2', async () => {
  const { code, world } = await call(['init', '--out', 'no/such/folder.yml']);
  expect(code).toBe(2);
  expect(world.err()).toContain('ENOENT');
});
