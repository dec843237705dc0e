// Tests the command `init`: what it writes, and that it overwrites nothing.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatSchema } from '../../lib/cli/schema.ts';
import { exampleConfig } from '../../lib/config/example.ts';
import { call, createFolder } from './test-runtime.ts';

test('writes ./cgs-export.yml and never overwrites it', async () => {
  const cwd = createFolder();
  const first = await call(['init'], { cwd });
  expect(first.code).toBe(0);
  const path = join(cwd, 'cgs-export.yml');
  expect(first.runtime.out()).toContain(path);
  expect(readFileSync(path, 'utf8')).toBe(exampleConfig);

  writeFileSync(path, 'mine');
  const second = await call(['init', '--json'], { cwd });
  expect(second.code).toBe(2);
  expect(second.runtime.json().errors).toMatchObject([
    { message: expect.stringContaining('exists already') },
  ]);
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

test('only the owner can read what it writes, whatever the umask', async () => {
  const before = process.umask(0o000);
  try {
    const { code, runtime } = await call(['init']);
    expect(code).toBe(0);
    for (const name of ['cgs-export.yml', 'cgs-export.schema.json']) {
      expect(statSync(join(runtime.cwd, name)).mode & 0o777, name).toBe(0o600);
    }
  } finally {
    process.umask(before);
  }
});

test.each(['--out', '--config'])('%s names another file', async (flag) => {
  const { code, runtime } = await call(['init', flag, 'other.yml', '--json']);
  expect(code).toBe(0);
  const file = join(runtime.cwd, 'other.yml');
  const schema = join(runtime.cwd, 'cgs-export.schema.json');
  expect(runtime.json()).toEqual({ status: 'written', file, schema, errors: [] });
  expect(readFileSync(file, 'utf8')).toBe(exampleConfig);
});

test('writes the JSON Schema that the first line of the configuration names', async () => {
  const cwd = createFolder();
  mkdirSync(join(cwd, 'sub'));
  const { code, runtime } = await call(['init', '--out', 'sub/cgs-export.yml'], { cwd });
  expect(code).toBe(0);
  const [, name = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(exampleConfig) ?? [];
  const schema = join(cwd, 'sub', name);
  expect(readFileSync(schema, 'utf8')).toBe(formatSchema());
  expect(runtime.out()).toContain(`wrote ${schema}`);
});

test('keeps a JSON Schema that exists, and prints how to write it again', async () => {
  const cwd = createFolder();
  const schema = join(cwd, 'cgs-export.schema.json');
  writeFileSync(schema, 'mine');
  const { code, runtime } = await call(['init'], { cwd });
  expect(code).toBe(0);
  expect(readFileSync(schema, 'utf8')).toBe('mine');
  expect(runtime.out()).toContain(`kept ${schema}; \`cgs-export schema\` prints the current one`);
});

test('names the file in the next command, unless it is the default', async () => {
  const other = await call(['init', '--out', 'other.yml']);
  expect(other.runtime.out()).toContain('run `cgs-export plan --config other.yml`');
  const spaced = await call(['init', '--out', 'my 新.yml']);
  expect(spaced.runtime.out()).toContain("run `cgs-export plan --config 'my 新.yml'`");
  const usual = await call(['init']);
  expect(usual.runtime.out()).toContain('run `cgs-export plan`');
  // `plan` rejects an agency: it does not run in a function.
  expect(usual.runtime.out()).toContain('`npx serverless package` checks the file');
  expect(usual.runtime.out()).toContain('export HUAWEICLOUD_SDK_AK=… HUAWEICLOUD_SDK_SK=…');
});

test('--out - prints the configuration and writes nothing', async () => {
  const { code, runtime } = await call(['init', '--out', '-']);
  expect(code).toBe(0);
  expect(runtime.out()).toBe(exampleConfig);
  expect(readdirSync(runtime.cwd)).toEqual([]);
});

test('exits with 2 if the folder does not exist', async () => {
  const { code, runtime } = await call(['init', '--out', 'no/such/folder.yml']);
  expect(code).toBe(2);
  expect(runtime.err()).toContain('ENOENT');
});
