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

/** A package in node_modules whose first file only passes on what another one exports. */
const barrel = (name: string, source: string) => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({
    name,
    version: '3.2.1',
    license: 'MIT',
    module: 'index.js',
    sideEffects: false,
  }),
  [`node_modules/${name}/LICENSE`]: `MIT, of ${name}`,
  [`node_modules/${name}/index.js`]: "export { value } from './value.js';",
  [`node_modules/${name}/value.js`]: source,
});
const lockOf = (...names: string[]) => ({
  'package-lock.json': JSON.stringify({
    packages: Object.fromEntries(
      names.map((name) => [`node_modules/${name}`, { version: '3.2.1', integrity: 'sha512-q83v' }]),
    ),
  }),
});

test('adds the notices in the source files of packages to their licences', async () => {
  const source = `// Copyright 2016 Zed,
// who allows all.
/*
 * (c) 2017 Young. Unused code: only what is not called is left out.
 */
/* No notice: copyright is a word here. */
const text = '/* Copyright 1999 Nobody, in a text */';
export const value = [1, text];`;
  const root = await makeTree({
    'lib/cli/main.ts': "import { value } from 'zed'; console.log(value[0]);",
    ...barrel('zed', source),
    ...lockOf('zed'),
  });
  await run(process.execPath, [script, root]);
  const legal = await readFile(join(root, 'dist/cli.js.LEGAL.txt'), 'utf8');
  expect(legal).toContain('zed@3.2.1 (MIT)\n\nMIT, of zed\n');
  expect(legal).toContain('// Copyright 2016 Zed,\n// who allows all.\n');
  expect(legal).toContain('(c) 2017 Young');
  expect(legal).not.toMatch(/No notice|Nobody/);
});

test('connects each package in the list to those that it imports, and states its hash', async () => {
  const root = await makeTree({
    'lib/cli/main.ts': "import { value } from 'outer'; console.log(value);",
    ...barrel('outer', "import { value as inner } from 'inner'; export const value = [inner];"),
    ...barrel('inner', 'export const value = [Date.now()];'),
    ...lockOf('outer', 'inner'),
  });
  await run(process.execPath, [script, root]);
  const { metadata, components, dependencies } = JSON.parse(
    await readFile(join(root, 'dist/sbom.cdx.json'), 'utf8'),
  ) as {
    metadata: { component: { 'bom-ref': string } };
    components: { 'bom-ref': string; name: string; hashes: object[] }[];
    dependencies: { ref: string; dependsOn?: string[] }[];
  };
  const refOf = (wanted: string) => components.find(({ name }) => name === wanted)?.['bom-ref'];
  const importsOf = (from?: string) => dependencies.find(({ ref }) => ref === from)?.dependsOn;
  expect(importsOf(metadata.component['bom-ref'])).toEqual([refOf('outer')]);
  expect(importsOf(refOf('outer'))).toEqual([refOf('inner')]);
  for (const { hashes } of components) {
    expect(hashes).toEqual([{ alg: 'SHA-512', content: 'abcdef' }]);
  }
});

test('fails if package-lock.json does not know a package of a bundle', async () => {
  const root = await makeTree({
    'lib/cli/main.ts': "import { value } from 'zed'; console.log(value);",
    ...barrel('zed', 'export const value = [1];'),
    ...lockOf('other'),
  });
  expect(await failureOf(root)).toContain('package-lock.json has no hash of zed@3.2.1');
});

test('gives the files the same modes with every umask, so that every user can read them', async () => {
  const root = await makeTree({ 'lib/cli/main.ts': main, 'functions/collect.ts': '' });
  await run('sh', ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, script, root]);
  const dist = join(root, 'dist');
  const entries = await readdir(dist, { recursive: true });
  expect(entries).toContain('functions/collect/index.js');
  for (const entry of entries) {
    const { mode } = await stat(join(dist, entry));
    const isOpen = entry === 'cli.js' || (await stat(join(dist, entry))).isDirectory();
    expect((mode & 0o777).toString(8), entry).toBe(isOpen ? '755' : '644');
  }
});

test.each([
  'cli.js',
  'plugin.js',
  ...['collect', 'prune', 'report', 'verify'].map((name) => `functions/${name}/index.js`),
])('%s calls nothing that Node.js will remove', async (file) => {
  const flags = ['--throw-deprecation', '--pending-deprecation'];
  const path = join(import.meta.dirname, '../dist', file);
  const load = `process.argv[2] = '--help'; require(${JSON.stringify(path)})`;
  const { stderr } = await run(process.execPath, [...flags, '-e', load, 'cgs-export']);
  expect(stderr).toBe('');
});
