// Responsible for comparing a page with its translation: the same chunks in the same order, and in each the same commands, cells,
// numbers, code marks and links. Not responsible for the words.

import type { Page } from './pages.ts';

type Kind = 'heading' | 'code' | 'table' | 'item' | 'paragraph';

export interface Chunk {
  kind: Kind;
  /** 1-based line of its start. */
  line: number;
  /** Level of a heading, or the info string of a code block. */
  detail: string;
  /** All lines in one, but of code and tables. */
  text: string;
  lines: readonly string[];
}

const names: Record<Kind, string> = {
  heading: 'heading',
  code: 'code block',
  table: 'table',
  item: 'list item',
  paragraph: 'paragraph',
};

/** The page as a list of headings, code blocks, tables, list items and paragraphs. */
export function readChunks({ lines }: Page): Chunk[] {
  const chunks: Chunk[] = [];
  let open: { kind: Kind; line: number; detail: string; lines: string[] } | null = null;
  const close = () => {
    if (open) chunks.push({ ...open, text: open.lines.map((line) => line.trim()).join(' ') });
    open = null;
  };
  for (const [index, content] of lines.entries()) {
    const start = (kind: Kind, detail: string, text: string[]) => {
      close();
      open = { kind, line: index + 1, detail, lines: text };
    };
    const current = open as { kind: Kind; lines: string[] } | null;
    const fence = /^```(.*)$/.exec(content);
    const heading = /^(#{1,6}) (.+)$/.exec(content);
    if (current?.kind === 'code') {
      if (fence) close();
      else current.lines.push(content);
    } else if (fence) start('code', fence[1] ?? '', []);
    else if (heading) {
      start('heading', String(heading[1]?.length), [heading[2] ?? '']);
      close();
    } else if (content.trim() === '') close();
    else if (content.startsWith('|')) {
      if (current?.kind === 'table') current.lines.push(content);
      else start('table', '', [content]);
    } else if (/^(?:[-*]|\d+\.) /.test(content)) start('item', '', [content]);
    else if (current && current.kind !== 'table') current.lines.push(content);
    else start('paragraph', '', [content]);
  }
  close();
  return chunks;
}

/** Code without what a translation may change: comments, and the labels of a diagram. */
function withoutWords(code: string, info: string): string {
  const [language] = info.split(' ');
  if (language === 'mermaid') return code.replaceAll(/"[^"]*"/g, '""');
  if (language === 'sh') return code.replace(/(^|\s)#\s.*$/, '').trimEnd();
  if (language === 'sql') return code.replace(/\s*-- .*$/, '');
  return code;
}

const sort = (texts: readonly string[]) => [...texts].sort();
const readCode = (text: string) => sort([...text.matchAll(/`[^`]+`/g)].map(([span]) => span));
export const withoutLinks = (text: string) => text.replaceAll(/\]\([^)]*\)/g, ']');
const readNumbers = (text: string) =>
  sort(
    [...withoutLinks(text.replaceAll(/`[^`]*`/g, '')).matchAll(/\d+(?:[.,]\d+)*/g)].map(
      ([number]) => number,
    ),
  );
const readTargets = (text: string) =>
  [
    ...text
      .replaceAll(/`[^`]*`/g, '')
      .matchAll(/(!?)\[(?:[^[\]]|!?\[[^\]]*\]\([^)]*\))*\]\(([^)]*)\)/g),
  ].flatMap(([whole, image, target = '']) => [
    ...[...whole.slice(1).matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)].map(([, inner]) => `image ${inner}`),
    `${image ? 'image ' : ''}${target}`,
  ]);

export const cellsOf = (row: string) => row.slice(1, -1).split(/(?<!\\)\|/);

/**
 * Differences as sentences: where, what is expected, and what is there. Empty: the translation is in step. An image must be that of
 * its language if there is one: `a.zh-CN.png` beside `a.png` for `README.zh-CN.md`.
 */
export function compareTranslation(
  original: Page,
  translated: Page,
  isFile: (path: string) => boolean = () => false,
): string[] {
  const [first, second] = [readChunks(original), readChunks(translated)];
  const missing = findOtherStructure(first, second, [original.path, translated.path]);
  // The other differences would only follow from this one.
  if (missing !== null) return [missing];
  const slugs = (page: Page) => page.headings.map(({ slug }) => `#${slug}`);
  const [from, to] = [slugs(original), slugs(translated)];
  const [suffix = ''] = /\.[\w-]+(?=\.md$)/.exec(translated.path) ?? [];
  /** The two pages link to each other, and each to its own headings and images. */
  const translateTarget = (target: string) => {
    if (target === translated.path) return original.path;
    const own = target.replace(/^image (.*)(\.\w+)$/, `$1${suffix}$2`);
    if (own !== target && isFile(own)) return `image ${own}`;
    return target.startsWith('#') ? (to[from.indexOf(target)] ?? target) : target;
  };
  return first.flatMap((chunk, index) => {
    const other = second[index];
    if (!other) return [];
    const [where, there] = [`${original.path}:${chunk.line}`, `${translated.path}:${other.line}`];
    return compareChunks(chunk, other, translateTarget, where, there);
  });
}

function findOtherStructure(
  first: readonly Chunk[],
  second: readonly Chunk[],
  [original, translated]: readonly [string, string],
): string | null {
  const kindOf = (chunk: Chunk | undefined) =>
    chunk?.kind === 'heading' ? `heading ${chunk.detail}` : chunk?.kind;
  const index = first.findIndex((chunk, place) => kindOf(chunk) !== kindOf(second[place]));
  const [chunk, other] =
    index < 0 ? [undefined, second[first.length]] : [first[index], second[index]];
  if (chunk) {
    const place = other
      ? `before ${translated}:${other.line} (${describe(other)})`
      : `at the end of ${translated}`;
    return `add ${place} the ${describe(chunk)} of ${original}:${chunk.line}, or remove it there`;
  }
  if (!other) return null;
  return `remove ${translated}:${other.line} (${describe(other)}): ${original} does not have it`;
}

function describe({ kind, detail, text, lines }: Chunk): string {
  const content = kind === 'code' ? (lines[0] ?? '') : text;
  const level = kind === 'heading' ? ` of level ${detail}` : '';
  return `${names[kind]}${level} "${[...content].slice(0, 40).join('')}"`;
}

function compareChunks(
  chunk: Chunk,
  other: Chunk,
  translateTarget: (target: string) => string,
  where: string,
  there: string,
): string[] {
  if (chunk.kind === 'code') return compareCode(chunk, other, where, there);
  if (chunk.kind === 'table') return compareTables(chunk, other, translateTarget, where, there);
  return compareTexts(chunk.text, other.text, translateTarget, where, there);
}

function compareCode(chunk: Chunk, other: Chunk, where: string, there: string): string[] {
  if (chunk.detail !== other.detail) {
    return [`${there}: write \`\`\`${chunk.detail} as ${where}, not \`\`\`${other.detail}`];
  }
  const length = Math.max(chunk.lines.length, other.lines.length);
  const lines = Array.from({ length }, (_, index) => index);
  const wrong = lines.find((index) => {
    const [mine, its] = [chunk.lines[index], other.lines[index]];
    if (mine === undefined || its === undefined) return true;
    return withoutWords(mine, chunk.detail) !== withoutWords(its, chunk.detail);
  });
  if (wrong === undefined) return [];
  const show = (lines: readonly string[]) => JSON.stringify(lines[wrong] ?? 'no line');
  return [
    `${there}: line ${wrong + 1} of the code block is ${show(other.lines)}, but in ${where} it is ${show(chunk.lines)}`,
  ];
}

function compareTables(
  chunk: Chunk,
  other: Chunk,
  translateTarget: (target: string) => string,
  where: string,
  there: string,
): string[] {
  if (chunk.lines.length !== other.lines.length) {
    return [
      `${there}: the table has ${other.lines.length} lines, but ${where} has ${chunk.lines.length}`,
    ];
  }
  return chunk.lines.flatMap((row, index) => {
    const [mine, its] = [cellsOf(row), cellsOf(other.lines[index] ?? '')];
    const place = `line ${index + 1} of the table`;
    if (mine.length !== its.length) {
      return [`${there}: ${place} has ${its.length} cells, but in ${where} it has ${mine.length}`];
    }
    return mine.flatMap((cell, column) =>
      compareTexts(
        cell,
        its[column] ?? '',
        translateTarget,
        where,
        `${there}, ${place}, column ${column + 1}`,
      ),
    );
  });
}

function compareTexts(
  text: string,
  other: string,
  translateTarget: (target: string) => string,
  where: string,
  there: string,
): string[] {
  const compare = (what: string, expected: readonly string[], found: readonly string[]) =>
    expected.join('\n') === found.join('\n')
      ? []
      : [
          `${there}: the ${what} must be [${expected.join(', ')}] as in ${where}, but they are [${found.join(', ')}]`,
        ];
  return [
    ...compare('links, in this order,', readTargets(text).map(translateTarget), readTargets(other)),
    ...compare('code marks', readCode(text), readCode(other)),
    ...compare('numbers', readNumbers(text), readNumbers(other)),
    ...compare('marks **', [`${text.split('**').length - 1}`], [`${other.split('**').length - 1}`]),
  ];
}

/** Places where `**` stays visible: CommonMark wants no punctuation inside of it before a letter outside, or the other way round. */
export function findVisibleMarks(text: string): string[] {
  const isLetter = (character: string) => /[\p{L}\p{N}]/u.test(character);
  const isSpace = (character: string) => character === '' || /\s/.test(character);
  return [...text.matchAll(/\*\*/g)].flatMap(({ index }, place) => {
    const [before, after] = [text[index - 1] ?? '', text[index + 2] ?? ''];
    const [inner, outer] = place % 2 === 0 ? [after, before] : [before, after];
    const isRendered = !isSpace(inner) && (isLetter(inner) || !isLetter(outer));
    return isRendered ? [] : [text.slice(Math.max(0, index - 12), index + 14)];
  });
}
