// Tests what a build produces and when it fails, with a small source tree.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../build.mjs');

const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));

async function makeTree(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'build-'));
  roots.push(root);
  for (const [path, content] of Object.entries({
    'package.json': '{"name":"small","version":"1.2.3","type":"module"}',
    'lib/cli/start.ts': await readFile(join(import.meta.dirname, '../lib/cli/start.ts'), 'utf8'),
    'lib/deploy/plugin.cjs': 'module.exports = 1;',
    'lib/core/version.ts': await readFile(
      join(import.meta.dirname, '../lib/core/version.ts'),
      'utf8',
    ),
    'lib/errors.ts': await readFile(join(import.meta.dirname, '../lib/core/errors.ts'), 'utf8'),
    ...files,
  })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

async function failureOf(root: string): Promise<string> {
  const failed = await run(process.execPath, [script, root]).then(
    () => null,
    (error: { stderr: string }) => error.stderr,
  );
  if (failed === null) throw new Error('the build did not fail');
  return failed;
}

const main = `import { VERSION } from '../core/version.ts';
import { ConfigError } from '../errors.ts';
console.log(VERSION, new ConfigError([]).name);`;

test('builds one self-contained file for the CLI and one for each function', async () => {
  const root = await makeTree({
    'lib/cli/main.ts': main,
    'lib/shared.ts': '/*! a licence */ export const shared: number = 42;',
    'functions/collect.ts': `import { createHash } from 'node:crypto';
import { shared } from '../lib/shared.ts';
export const handler = async () => [shared, createHash('sha256').update('').digest('hex').slice(0, 4)];`,
    'functions/notes.md': 'not a function',
  });
  await run(process.execPath, [script, root]);
  const cli = join(root, 'dist/cli.js');
  expect((await run(process.execPath, [cli])).stdout).toBe('1.2.3 ConfigError\n');
  expect((await readFile(cli, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node');
  expect((await stat(cli)).mode & 0o111).toBe(0o111);
  // The root package.json says "module", but require() must load the built file.
  const built = createRequire(import.meta.url)(join(root, 'dist/functions/collect/index.js'));
  expect(await built.handler()).toEqual([42, 'e3b0']);
  expect(await readFile(join(root, 'dist/functions/collect/index.js'), 'utf8')).not.toContain(
    'a licence',
  );
  expect((await readdir(join(root, 'dist/functions'))).sort()).toEqual(['collect']);
  const meta = JSON.parse(await readFile(join(root, 'dist/meta/collect.json'), 'utf8'));
  expect(Object.keys(meta.inputs).sort()).toEqual(['functions/collect.ts', 'lib/shared.ts']);
});

test('removes the files of an earlier build', async () => {
  const root = await makeTree({ 'lib/cli/main.ts': main, 'dist/functions/old/index.js': '' });
  await run(process.execPath, [script, root]);
  expect((await readdir(join(root, 'dist'))).sort()).toEqual([
    ...['cli.js', 'cli.js.LEGAL.txt', 'meta', 'package.json'],
    ...['plugin.js', 'plugin.js.LEGAL.txt', 'sbom.cdx.json'],
  ]);
});

test('fails without the CLI entry point and keeps the earlier build', async () => {
  const root = await makeTree({ 'dist/cli.js': 'old' });
  expect(await failureOf(root)).toContain('lib/cli/main.ts is missing');
  expect(await readFile(join(root, 'dist/cli.js'), 'utf8')).toBe('old');
});

test('fails if a bundle would need a package at run time', async () => {
  // esbuild ignores a require() in try/catch without a warning.
  const optional = `declare const require: (name: string) => unknown;
try { require('no-such-package'); } catch {}`;
  const root = await makeTree({ 'lib/cli/main.ts': main, 'functions/a.ts': optional });
  expect(await failureOf(root)).toContain('functions/a.ts would need no-such-package at run time');
  const unresolved = await makeTree({ 'lib/cli/main.ts': "import 'no-such-package';" });
  expect(await failureOf(unresolved)).toContain('no-such-package');
});

test('fails for import.meta, which CommonJS does not have', async () => {
  const root = await makeTree({ 'lib/cli/main.ts': 'console.log(import.meta.url);' });
  expect(await failureOf(root)).toContain('import.meta');
});
