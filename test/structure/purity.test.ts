// Tests that the pure folders use no clock, randomness, process, network or I/O: they get these as arguments.

import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { folderOf, importsOf, parse, parseText, sourceFiles, walk } from './sources.ts';

/** Names of the clock, randomness, I/O and the process. Pure code reaches them through its ports only. */
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

/** True if the identifier refers to a global: not `.name`, `name:` or a declaration. */
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
  // These two read IP addresses. The rest of node:net is I/O.
  const onlyReadsAddresses = !/(?<!import \{ BlockList, isIP \} from )'node:net'/.test(file.text);
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
    const isAllowed = allowedModules.includes(name) || (name === 'node:net' && onlyReadsAddresses);
    if (!name.startsWith('.') && !isAllowed) found.push(`${path} ${name}`);
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

describe('purity', () => {
  const pure = [
    'core',
    'datasets',
    'quota',
    'reading',
    'snapshots',
    'retention',
    'sealing',
    'verification',
    'runs',
  ];
  const pureFiles = sourceFiles.filter((path) => pure.includes(folderOf(path)));

  test('folders that decide are pure', () => {
    expect(pureFiles.length).toBeGreaterThan(5);
    expect(pureFiles.flatMap((path) => findImpurities(path, parse(path)))).toEqual([]);
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
    "import { BlockList, connect } from 'node:net';",
    "import 'undici';",
    "const fs = await import('node:fs');",
  ])('detects %s', (text) => {
    expect(findImpurities('x.ts', parseText(text))).not.toEqual([]);
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
    "import { BlockList, isIP } from 'node:net';",
  ])('accepts %s', (text) => {
    expect(findImpurities('x.ts', parseText(text))).toEqual([]);
  });

  test('only entry points and the configuration read process.env', () => {
    const readers = sourceFiles.filter((path) => readsEnvironment(parse(path)));
    const allowed = /^(lib\/config\/load\.ts|lib\/cli\/main\.ts|functions\/[^/]+\.ts)$/;
    expect(readers.filter((path) => !allowed.test(path))).toEqual([]);
    expect(readsEnvironment(parseText("process['env'].X"))).toBe(true);
    expect(readsEnvironment(parseText('// process.env'))).toBe(false);
  });
});
