// Owns the rules of the house that no compiler knows: who may import whom, what the core may not touch, what each file owes.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

function listFiles(folder: string): string[] {
  // What .gitignore names: not ours to judge.
  const ignored = ['node_modules', 'dist', 'coverage', 'demo-out', '.git', '.serverless'];
  ignored.push('cgs-export.yml');
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (ignored.includes(entry.name)) return [];
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

const everything = listFiles('.');
const ours = everything.filter((path) => /^(lib|functions)\/.*\.ts$/.test(path));
const library = ours.filter((path) => path.startsWith('lib/'));

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

const parsed = new Map(
  ours.map((path) => [path, ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true)]),
);

function parse(path: string): ts.SourceFile {
  return parsed.get(path) ?? ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
}

function* walk(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* walk(child);
}

/** Every module that a file names, in import, export … from, import() or require(). */
function importsOf(file: ts.SourceFile): string[] {
  const names: string[] = [];
  for (const node of walk(file)) {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      names.push(node.moduleSpecifier.text);
    } else if (ts.isCallExpression(node)) {
      const isImport =
        node.expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(node.expression) && node.expression.text === 'require');
      const [argument] = node.arguments;
      if (isImport && argument) names.push(argument.getText(file).replaceAll(/['"]/g, ''));
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      names.push(node.argument.literal.getText(file).replaceAll(/['"]/g, ''));
    }
  }
  return names;
}

/** The room of a file: `lib/api/sign.ts` → `api`, `functions/collect.ts` → `functions`. */
function layerOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'lib' ? second : top;
}

const core = ['core'];
const adapters = ['api', 'store', 'formats', 'datasets'];
const evidence = ['snapshots', 'reading', 'quota', ...core];
const application = ['app', 'alerts', 'runs', 'config', 'platform', ...adapters, ...evidence];
/** Arrows point down only. Rooms that are not listed here do not exist. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  ...Object.fromEntries(adapters.map((room) => [room, core])),
  quota: core,
  reading: core,
  platform: core,
  simulator: core,
  snapshots: ['reading', 'quota', ...core],
  config: ['datasets', ...core],
  runs: evidence,
  alerts: evidence,
  app: ['alerts', 'runs', 'config', 'platform', ...adapters, ...evidence],
  cli: [...application, 'simulator'],
  functions: application,
  deploy: application,
};

function findWrongImports(path: string, file: ts.SourceFile): string[] {
  const layer = layerOf(path);
  return importsOf(file).flatMap((name) => {
    if (!name.startsWith('.')) return [];
    const to = posix.join(dirname(path), name);
    if (!/^(lib|functions)\//.test(to)) return [`${path} reaches out of lib: ${name}`];
    const toLayer = layerOf(to);
    if (toLayer === layer) return [];
    return mayImport[layer]?.includes(toLayer) ? [] : [`${path} imports ${toLayer}: ${name}`];
  });
}

/** Clock, randomness, I/O and the process: the core has them through its ports only. */
const bannedNames = new Set([
  'process',
  'fetch',
  'console',
  'performance',
  'globalThis',
  'global',
  'crypto',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'randomUUID',
  'randomBytes',
  'randomInt',
  'getRandomValues',
  'require',
]);
const allowedModules = ['node:crypto', 'node:zlib', 'node:buffer', 'node:util', 'valibot'];

/** True if the identifier is a name of its own, not `.name`, `name:` or a declaration. */
function isFree(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isImportSpecifier(parent)) return true;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !(
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent)
  );
}

function findImpurities(path: string, file: ts.SourceFile): string[] {
  const found: string[] = [];
  const report = (node: ts.Node, what: string) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
    found.push(`${path}:${line + 1} ${what}`);
  };
  for (const node of walk(file)) {
    if (ts.isPropertyAccessExpression(node)) {
      const text = node.getText(file).replaceAll(/\s/g, '');
      if (text === 'Date.now' || text === 'Math.random') report(node, text);
    } else if (ts.isNewExpression(node) && node.expression.getText(file) === 'Date') {
      if (!node.arguments?.length) report(node, 'new Date()');
    } else if (ts.isCallExpression(node) && node.expression.getText(file) === 'Date') {
      report(node, 'Date()');
    } else if (ts.isIdentifier(node) && bannedNames.has(node.text) && isFree(node)) {
      report(node, node.text);
    }
  }
  for (const name of importsOf(file)) {
    if (!name.startsWith('.') && !allowedModules.includes(name)) found.push(`${path} ${name}`);
  }
  return found;
}

function readsEnvironment(file: ts.SourceFile): boolean {
  return [...walk(file)].some(
    (node) =>
      (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) &&
      /^process\s*(\.|\?\.|\[)\s*['"]?env/.test(node.getText(file)),
  );
}

/** True if nothing of the file is left when types are erased. */
function isPureTypes(file: ts.SourceFile): boolean {
  return file.statements.every(
    (statement) =>
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      (ts.isImportDeclaration(statement) && statement.importClause?.isTypeOnly === true),
  );
}

const source = (text: string) => ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true);

describe('arrows point one way', () => {
  test('every layer is known', () => {
    expect([...new Set(ours.map(layerOf))].filter((layer) => !mayImport[layer])).toEqual([]);
  });

  test('a file imports only its own room and the rooms below it', () => {
    expect(ours.flatMap((path) => findWrongImports(path, parse(path)))).toEqual([]);
  });

  test('the rule sees what it should', () => {
    const wrong = (path: string, text: string) => findWrongImports(path, source(text)).length;
    expect(wrong('lib/api/a.ts', "import type { A } from '../store/file.ts';")).toBe(1);
    expect(wrong('lib/runs/a.ts', "export * from '../datasets/index.ts';")).toBe(1);
    expect(wrong('lib/snapshots/a.ts', "const a = await import('../platform/log.ts');")).toBe(1);
    expect(wrong('lib/core/a.ts', "type A = import('../runs/run.ts').Progress;")).toBe(1);
    expect(wrong('lib/cli/a.ts', "import '../../test/support/world.ts';")).toBe(1);
    expect(wrong('lib/app/a.ts', "import '../cli/main.ts';")).toBe(1);
    expect(wrong('lib/cli/a.ts', "import '../simulator/a.ts'; import '../core/errors.ts';")).toBe(
      0,
    );
  });

  test('relative imports name their file, ending and all', () => {
    const wrong = ours.flatMap((path) =>
      importsOf(parse(path)).filter((name) => name.startsWith('.') && !name.endsWith('.ts')),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the core touches nothing', () => {
  const pure = ['core', 'datasets', 'quota', 'reading', 'snapshots', 'runs'];
  const core = library.filter((path) => pure.includes(layerOf(path)));

  test('no clock, randomness, timer, process, network, console or I/O in core, datasets, quota, reading, snapshots and runs', () => {
    expect(core.length).toBeGreaterThan(5);
    expect(core.flatMap((path) => findImpurities(path, parse(path)))).toEqual([]);
  });

  test.each([
    'Date.now()',
    'Date\n  .now()',
    'const now = Date.now;',
    'new Date()',
    'new Date',
    'Date()',
    'Math.random()',
    'setTimeout(() => {}, 1)',
    'process.exit()',
    'const { env } = process;',
    'fetch("x")',
    'globalThis.fetch("x")',
    'console.log(1)',
    'crypto.randomUUID()',
    "import { randomUUID as id } from 'node:crypto'; id();",
    "import fs from 'node:fs';",
    "import 'undici';",
    "const fs = await import('node:fs');",
  ])('%s is seen', (text) => {
    expect(findImpurities('x.ts', source(text))).not.toEqual([]);
  });

  test.each([
    'new Date(0).toISOString()',
    'Date.UTC(2026, 10, 24)',
    'Date.parse("2026-11-24")',
    'source.fetch(page); clock.setTimeout(1);',
    'interface A { fetch(): void; process: string }',
    'const a = { console: 1 };',
    '// Date.now() in a comment\n"process.env"',
    "import { createHash } from 'node:crypto';",
  ])('%s is fine', (text) => {
    expect(findImpurities('x.ts', source(text))).toEqual([]);
  });

  test('the environment is read by the configuration; entry points hand it in', () => {
    const readers = ours.filter((path) => readsEnvironment(parse(path)));
    const allowed = /^(lib\/config\/load\.ts|lib\/cli\/main\.ts|functions\/[^/]+\.ts)$/;
    expect(readers.filter((path) => !allowed.test(path))).toEqual([]);
    expect(readsEnvironment(source("process['env'].X"))).toBe(true);
    expect(readsEnvironment(source('// process.env'))).toBe(false);
  });
});

/** Files whose proof lies elsewhere, and where. */
const provedElsewhere: Record<string, string> = {
  'lib/core/errors.ts':
    'declarations; the test of whoever throws one reads its code, message and hint',
  'lib/core/version.ts': 'test/build.test.ts: what a build puts in',
  'lib/config/text.ts': 'test/config/load.test.ts, through loadConfig',
  'lib/config/schema.ts': 'test/config/load.test.ts, through loadConfig',
  'lib/config/values.ts': 'test/config/load.test.ts, through loadConfig',
  'lib/config/rules.ts': 'test/config/load.test.ts, through loadConfig',
  'lib/config/environment.ts': 'test/config/load.test.ts, through loadConfig',
  'lib/deploy/bundle.ts': 'test/deploy/plugin.test.ts, as `serverless package` runs it',
  'lib/deploy/settings-schema.ts': 'test/deploy/plugin.test.ts, as Serverless checks it',
  'lib/datasets/index.ts': 'a list; test/datasets/container-nodes.test.ts',
  'lib/simulator/access.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/responses.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/iam-endpoint.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/listing.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/simulator-options.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/wire.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/random.ts': 'test/simulator/nodes.test.ts: the same seed, the same nodes',
  'lib/runs/failure.ts': 'test/runs/collect.test.ts, as later invocations see it',
  'lib/runs/open-run.ts': 'test/runs/collect.test.ts, as later invocations see it',
  'lib/runs/invocation.ts': 'test/runs/collect.test.ts: how a timer and a command differ',
  'lib/runs/work.ts': 'test/runs/collect.test.ts, through collect',
  'lib/runs/read-page.ts': 'test/runs/run.test.ts, through advanceRun',
  'lib/runs/run-state.ts': 'test/runs/run.test.ts, through advanceRun',
  'lib/platform/memory.ts': 'test/bench/export.bench.ts: a peak, not a result',
  'functions/collect.ts': 'test/e2e/function.test.ts, as the platform runs it',
};

function testOf(path: string): string {
  return path.startsWith('lib/')
    ? path.replace(/^lib\/(.*)\.ts$/, 'test/$1.test.ts')
    : path.replace(/\.ts$/, '.test.ts').replace(/^/, 'test/');
}

describe('what each file owes', () => {
  test('a first line that says what it owns', () => {
    const wrong = ours.filter((path) => !/^\/\/ \S.{20,}/.test(read(path).split('\n')[0] ?? ''));
    expect(wrong).toEqual([]);
  });

  test('a test that mirrors it, or a reason', () => {
    const owing = ours.filter((path) => !isPureTypes(parse(path)));
    const tests = new Set(everything.filter((path) => path.endsWith('.test.ts')));
    const untested = owing.filter((path) => !provedElsewhere[path] && !tests.has(testOf(path)));
    expect(untested).toEqual([]);
    const stale = Object.keys(provedElsewhere).filter(
      (path) => !owing.includes(path) || tests.has(testOf(path)),
    );
    expect(stale).toEqual([]);
  });

  test('a name that says something, in kebab-case', () => {
    const empty = ['utils', 'util', 'types', 'helpers', 'helper', 'common', 'misc', 'index'];
    const wrong = ours.filter((path) => {
      const name = basename(path, '.ts');
      if (path === 'lib/datasets/index.ts') return false;
      return empty.includes(name) || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name);
    });
    expect(wrong).toEqual([]);
  });

  test('no classes but errors and values of JSON', () => {
    const classes = ours.flatMap((path) =>
      [...walk(parse(path))]
        .filter((node) => ts.isClassDeclaration(node) || ts.isClassExpression(node))
        .map((node) => `${path} ${node.name?.text}`),
    );
    const allowed = /^(lib\/core\/errors\.ts \w+Error|lib\/core\/exact-json\.ts RawNumber)$/;
    expect(classes.filter((name) => !allowed.test(name))).toEqual([]);
  });
});

describe('the tree', () => {
  test('package.json names exact versions, of packages from the registry only', () => {
    const manifest = JSON.parse(read('package.json'));
    const versions = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
    }) as [string, string][];
    expect(versions.length).toBeGreaterThan(5);
    const exact = /^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
    expect(versions.filter(([, version]) => !exact.test(version))).toEqual([]);
  });

  // Put together here, so that this file does not find itself.
  const strays: readonly (readonly [what: string, pattern: RegExp, example: string])[] = [
    ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY/, `${'-----'}BEGIN RSA PRIVATE KEY-----`],
    ['an access key', /\bAKIA[0-9A-Z]{16}\b/, `"${'AKIA'}${'Q7'.repeat(8)}"`],
    // A secret key of this cloud is 40 letters and digits; a git commit is 40 of small hex.
    [
      'a secret key',
      /\b(?![0-9a-f]{40}\b)(?=[A-Za-z]*\d)(?=[A-Z\d]*[a-z])[A-Za-z\d]{40}\b/,
      `sk: ${'aB3d'.repeat(10)}`,
    ],
    ['a path of a machine', /(?<![\w.])\/(work|root|Users)\/\w/, `from ${'/'}work/main`],
    ['a home folder', /(?<![\w.])\/home\/[a-z]/, `cd ${'/'}home/someone`],
  ];

  test.each(strays)('%s would be found', (_what, pattern, example) => {
    expect(example).toMatch(pattern);
  });

  test('holds no secret and no path or host of one machine', () => {
    const found = everything
      .filter((path) => path !== 'package-lock.json' && statSync(join(root, path)).size < 1_000_000)
      .flatMap((path) => {
        const text = read(path);
        return strays.flatMap(([what, pattern]) => {
          const match = pattern.exec(text);
          return match ? [`${path}:${text.slice(0, match.index).split('\n').length} ${what}`] : [];
        });
      });
    expect(found).toEqual([]);
  });

  test('package-lock.json takes packages from the public registry', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string }>;
    };
    const hosts = Object.values(packages).flatMap(({ resolved }) =>
      resolved === undefined ? [] : [new URL(resolved).host],
    );
    expect([...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org')).toEqual([]);
  });
});
