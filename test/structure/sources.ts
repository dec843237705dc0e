// Responsible for reading the project's own sources in tests: files, imports and syntax trees.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '../..');

/** The names and paths in .gitignore, and the repository's own data. A `*` is only at the start of a name. */
const ignored = ['.git', ...readFileSync(join(root, '.gitignore'), 'utf8').split('\n')]
  .filter((line) => line !== '')
  .map((line) => line.replace(/\/$/, ''));

function isIgnored(path: string): boolean {
  const name = posix.basename(path);
  return ignored.some((one) =>
    one.startsWith('*') ? name.endsWith(one.slice(1)) : one === name || one === path,
  );
}

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (isIgnored(path)) return [];
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

/** Paths of all files, relative to the root. */
export const projectFiles = listFiles('.');
/** The sources of lib and functions. */
export const sourceFiles = projectFiles.filter((path) => /^(lib|functions)\/.*\.ts$/.test(path));

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

const parsed = new Map<string, ts.SourceFile>();

export function parse(path: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known) return known;
  const file = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
  parsed.set(path, file);
  return file;
}

/** A syntax tree of `text`, for tests of the rules themselves. */
export function parseText(text: string): ts.SourceFile {
  return ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true);
}

export function* walk(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* walk(child);
}

/** Every module that a file names, in import, export … from, import() or require(). */
export function importsOf(file: ts.SourceFile): string[] {
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

/** The folder of a source: `lib/api/sign.ts` → `api`, `functions/collect.ts` → `functions`. */
export function folderOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'lib' ? second : top;
}
