// Tests which folder may import which, that no files import each other in a circle, and how the code is distributed.

import { basename, dirname, posix } from 'node:path';
import type ts from 'typescript';
import { expect, test } from 'vitest';
import { folderOf, importsOf, parse, parseText, read, sourceFiles } from './sources.ts';

const core = ['core'];
const adapters = ['api', 'store', 'formats', 'datasets'];
const mechanisms = ['reading', 'quota', ...core];
const evidence = ['verification', 'sealing', 'retention', 'snapshots', ...mechanisms];
const application = [
  'app',
  'alerts',
  'reports',
  'runs',
  'config',
  'platform',
  ...adapters,
  ...evidence,
];
/** Arrows point down only. A folder that is not listed here may not exist. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  ...Object.fromEntries(adapters.map((room) => [room, core])),
  quota: core,
  reading: core,
  platform: core,
  simulator: core,
  ddl: core,
  snapshots: ['reading', ...core],
  retention: ['snapshots', ...core],
  sealing: ['retention', 'snapshots', ...mechanisms],
  verification: ['sealing', 'retention', 'snapshots', ...mechanisms],
  config: ['datasets', ...core],
  runs: evidence,
  alerts: evidence,
  reports: evidence,
  app: ['alerts', 'reports', 'runs', 'config', 'platform', ...adapters, ...evidence],
  cli: [...application, 'simulator', 'ddl'],
  functions: application,
  deploy: application,
};

function findWrongImports(path: string, file: ts.SourceFile): string[] {
  const folder = folderOf(path);
  return importsOf(file).flatMap((name) => {
    if (!name.startsWith('.')) return [];
    const to = posix.join(dirname(path), name);
    if (!/^(lib|functions)\//.test(to)) return [`${path} imports a file outside lib: ${name}`];
    const toFolder = folderOf(to);
    if (toFolder === folder) return [];
    return mayImport[folder]?.includes(toFolder) ? [] : [`${path} imports ${toFolder}: ${name}`];
  });
}

test('every folder is known', () => {
  expect([...new Set(sourceFiles.map(folderOf))].filter((folder) => !mayImport[folder])).toEqual(
    [],
  );
});

test('a file imports only its own folder and the folders below it', () => {
  expect(sourceFiles.flatMap((path) => findWrongImports(path, parse(path)))).toEqual([]);
});

/** The script of the page runs in a browser: it has no Node.js, and what it imports is in every page. */
test('the script of the page imports only its own folder, the texts of the page, and types', () => {
  const wrong = sourceFiles.flatMap((path) => {
    const isBrowser = path.startsWith('lib/reports/browser/');
    return importsOf(parse(path)).filter((name) => {
      const to = name.startsWith('.') ? posix.join(dirname(path), name) : name;
      if (!isBrowser) return to.startsWith('lib/reports/browser/');
      return !/^(lib\/reports\/(browser|page)\/|lib\/reports\/figures\.ts$|lib\/core\/text-template\.ts$|@tanstack\/table-core)/.test(
        to,
      );
    });
  });
  expect(wrong).toEqual([]);
});

test('the import rule detects each kind of import', () => {
  const wrong = (path: string, text: string) => findWrongImports(path, parseText(text)).length;
  expect(wrong('lib/api/a.ts', "import type { A } from '../store/file.ts';")).toBe(1);
  expect(wrong('lib/runs/a.ts', "export * from '../datasets/index.ts';")).toBe(1);
  expect(wrong('lib/snapshots/a.ts', "const a = await import('../platform/log.ts');")).toBe(1);
  expect(wrong('lib/core/a.ts', "type A = import('../runs/run.ts').Progress;")).toBe(1);
  expect(wrong('lib/cli/a.ts', "import '../../test/support/virtual-clock.ts';")).toBe(1);
  expect(wrong('lib/app/a.ts', "import '../cli/main.ts';")).toBe(1);
  expect(wrong('lib/cli/a.ts', "import '../simulator/a.ts'; import '../core/errors.ts';")).toBe(0);
});

test('relative imports name the file with its extension', () => {
  const wrong = sourceFiles.flatMap((path) =>
    importsOf(parse(path)).filter((name) => name.startsWith('.') && !name.endsWith('.ts')),
  );
  expect(wrong).toEqual([]);
});

/** Each circle as the files that form it. Imports of types count too. */
function findCircles(importsByFile: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) circles.push([...trail.slice(start), path]);
    if (start >= 0 || finished.has(path)) return;
    for (const next of importsByFile.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of importsByFile.keys()) visit(path, []);
  return circles;
}

test('no files import each other in a circle, not even for types', () => {
  const importsByFile = new Map(
    sourceFiles.map((path) => [
      path,
      importsOf(parse(path))
        .filter((name) => name.startsWith('.'))
        .map((name) => posix.join(dirname(path), name)),
    ]),
  );
  expect(findCircles(importsByFile)).toEqual([]);
  expect(
    findCircles(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['a']],
      ]),
    ),
  ).toHaveLength(1);
});

test('the largest folder holds at most 20 % of the lines of lib', () => {
  const linesByFolder = new Map<string, number>();
  for (const path of sourceFiles.filter((file) => file.startsWith('lib/'))) {
    const lines = read(path).split('\n').length;
    linesByFolder.set(folderOf(path), (linesByFolder.get(folderOf(path)) ?? 0) + lines);
  }
  const total = [...linesByFolder.values()].reduce((sum, lines) => sum + lines, 0);
  const tooLarge = [...linesByFolder].filter(([, lines]) => lines > total / 5);
  expect(tooLarge).toEqual([]);
});

test('a file name means one thing: only commands share names with other files of lib', () => {
  const byName = new Map<string, string[]>();
  for (const path of sourceFiles.filter((file) => /^lib\/(?!cli\/)/.test(file))) {
    byName.set(basename(path), [...(byName.get(basename(path)) ?? []), path]);
  }
  expect([...byName.values()].filter((paths) => paths.length > 1)).toEqual([]);
});
