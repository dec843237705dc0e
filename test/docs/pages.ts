// Responsible for reading the documents: their headings, links and code blocks. Not responsible for what is right in them.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Block {
  /** The whole info string after the fence: `sh run`. */
  info: string;
  text: string;
  /** 1-based line of the fence. */
  line: number;
}

export interface Page {
  /** Relative to the repository, `/` between parts. */
  path: string;
  lines: readonly string[];
  headings: readonly { level: number; text: string; slug: string; line: number }[];
  blocks: readonly Block[];
  /** Lines outside code blocks and tables, with their 1-based numbers. */
  prose: readonly { line: number; text: string }[];
  /** Targets of the links outside code, as written. */
  links: readonly { line: number; target: string }[];
}

const folders = ['docs'];
const ignored = ['node_modules', 'dist', 'coverage', 'demo-out', '.git', '.serverless'];

function listMarkdown(folder: string, deep: boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory())
      return deep && !ignored.includes(entry.name) ? listMarkdown(path, true) : [];
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** The anchor that GitHub makes of a heading: lower case, no punctuation, spaces to hyphens. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/[`*]|\[|\]\([^)]*\)/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

export function parsePage(path: string, text: string): Page {
  const lines = text.replace(/\n$/, '').split('\n');
  const headings: { level: number; text: string; slug: string; line: number }[] = [];
  const blocks: Block[] = [];
  const prose: { line: number; text: string }[] = [];
  const links: { line: number; target: string }[] = [];
  let block: { info: string; line: number; text: string[] } | null = null;
  for (const [index, content] of lines.entries()) {
    const line = index + 1;
    const fence = /^```(.*)$/.exec(content);
    if (block) {
      if (!fence) block.text.push(content);
      else {
        blocks.push({ ...block, text: block.text.join('\n') });
        block = null;
      }
      continue;
    }
    if (fence) {
      block = { info: fence[1] ?? '', line, text: [] };
      continue;
    }
    const heading = /^(#{1,6}) (.+)$/.exec(content);
    if (heading?.[1] && heading[2]) {
      headings.push({ level: heading[1].length, text: heading[2], slug: slugOf(heading[2]), line });
    }
    if (!content.startsWith('|')) prose.push({ line, text: content });
    const plain = content.replaceAll(/`[^`]*`/g, (code) => 'x'.repeat(code.length));
    for (const match of plain.matchAll(/\]\(/g)) {
      // From the original line: the address itself may stand beside code.
      const rest = content.slice(match.index + 2);
      links.push({ line, target: rest.slice(0, rest.indexOf(')')) });
    }
  }
  if (block) throw new Error(`${path}:${block.line}: the code block has no end`);
  return { path, lines, headings, blocks, prose, links };
}

export const pages: readonly Page[] = [
  ...listMarkdown('.', false),
  ...folders.flatMap((folder) => listMarkdown(folder, true)),
].map((path) => parsePage(path, readFileSync(join(root, path), 'utf8')));

export function pageOf(path: string): Page {
  const page = pages.find((one) => one.path === path);
  if (!page) throw new Error(`there is no page ${path}`);
  return page;
}

/** The cells of every table row below a heading, without code marks. `slug` null: of the whole page. */
export function tableRows(page: Page, slug: string | null): string[][] {
  const place = page.headings.findIndex((heading) => heading.slug === slug);
  const start = slug === null ? 0 : (page.headings[place]?.line ?? Number.POSITIVE_INFINITY);
  const level = page.headings[place]?.level ?? 0;
  const next = page.headings.find((heading, index) => index > place && heading.level <= level);
  const end = slug === null ? page.lines.length : (next?.line ?? page.lines.length + 1) - 1;
  return page.lines
    .slice(start, end)
    .filter((line) => line.startsWith('|') && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}
