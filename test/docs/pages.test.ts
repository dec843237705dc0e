// Tests the form of the documents: links, headings, paths, lengths, tables of contents, and that every page can be found.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkNames } from '../../lib/app/check-result.ts';
import { commands } from '../../lib/cli/program.ts';
import type { Dataset } from '../../lib/core/ports.ts';
import { containerClusters } from '../../lib/datasets/container-clusters.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { datasets } from '../../lib/datasets/index.ts';
import { pageOf, pages, parsePage, root, slugOf, tableRows } from './pages.ts';

/** Pages longer than two screens need a table of contents. */
const twoScreens = 90;
const lineLengthMax = 120;

/** Where a relative link leads: the page or file, and its heading if it names one. */
function resolveLink(from: string, target: string): { path: string; slug: string | null } {
  const [path = '', slug = null] = target.split('#') as [string?, string?];
  return { path: path === '' ? from : posix.join(posix.dirname(from), path), slug: slug ?? null };
}

function findBrokenLinks(): string[] {
  return pages.flatMap(({ path: from, links }) =>
    links.flatMap(({ line, target }) => {
      if (/^(https?:|mailto:)/.test(target)) return [];
      const { path, slug } = resolveLink(from, target);
      const where = `${from}:${line} ${target}`;
      if (!existsSync(join(root, path))) return [`${where}: no such file`];
      const page = pages.find((one) => one.path === path);
      if (slug === null) return [];
      if (!page) return [`${where}: only pages have headings`];
      return page.headings.some((heading) => heading.slug === slug)
        ? []
        : [`${where}: no such heading`];
    }),
  );
}

/** Paths of this repository that a page names in code marks or in a code block. */
function findMissingPaths(): string[] {
  return pages.flatMap(({ path: page, lines }) =>
    lines.flatMap((text, index) =>
      [...text.matchAll(/(?<![\w./-])((?:lib|test|functions|examples)\/[\w./-]*[\w/])/g)]
        .map(([, path = '']) => path)
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${page}:${index + 1} ${path}`),
    ),
  );
}

function listSources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

describe('links', () => {
  test('every relative link leads to a file and a heading', () => {
    expect(findBrokenLinks()).toEqual([]);
  });

  test('every page can be reached from README.md', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      const page = pages.find((one) => one.path === path);
      for (const { target } of page?.links ?? []) {
        if (!/^https?:/.test(target)) reached.add(resolveLink(path, target).path);
      }
    }
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });

  test('headings of a page differ, so that each has an anchor of its own', () => {
    const repeated = pages.flatMap(({ path, headings }) =>
      headings
        .filter(({ slug }, index) => headings.findIndex((other) => other.slug === slug) !== index)
        .map(({ text }) => `${path} ${text}`),
    );
    expect(repeated).toEqual([]);
  });

  test('every path of this repository that a page names exists', () => {
    expect(findMissingPaths()).toEqual([]);
  });

  test('anchors are those that GitHub makes', () => {
    expect(slugOf('Reserve, send, settle')).toBe('reserve-send-settle');
    expect(slugOf('When is a slot free again?')).toBe('when-is-a-slot-free-again');
    expect(slugOf('`verify` and *evidence*')).toBe('verify-and-evidence');
  });

  test('links and blocks are read as Markdown has them', () => {
    const page = parsePage(
      'x.md',
      '# A\n`[no](link)` [yes](b.md#c)\n\n```sh run\n[no](block)\n```\n| [t](u) |\n',
    );
    expect(page.links.map(({ target }) => target)).toEqual(['b.md#c', 'u']);
    expect(page.blocks).toEqual([{ info: 'sh run', text: '[no](block)', line: 4 }]);
    expect(page.prose.map(({ line }) => line)).toEqual([1, 2, 3]);
  });
});

describe('length', () => {
  test('README.md has at most 130 lines', () => {
    expect(pageOf('README.md').lines.length).toBeLessThanOrEqual(130);
  });

  test(`no line is longer than ${lineLengthMax} characters outside tables and code`, () => {
    const long = pages
      // A line break in Chinese text shows as a space: test/docs/translation.test.ts wants one line for a paragraph.
      .filter(({ path }) => path !== 'README.zh-CN.md')
      .flatMap(({ path, prose }) =>
        prose
          .filter(({ text }) => text.length > lineLengthMax)
          .map(({ line }) => `${path}:${line}`),
      );
    expect(long).toEqual([]);
  });

  test('a page of more than two screens links to all its sections at its start', () => {
    const wrong = pages.flatMap(({ path, lines, headings, links }) => {
      if (lines.length <= twoScreens) return [];
      const sections = headings.filter(({ level, text }) => level === 2 && text !== 'Contents');
      const firstLine = sections[0]?.line ?? 0;
      const contents = links.filter(
        ({ line, target }) => line < firstLine && target.startsWith('#'),
      );
      return sections
        .filter(({ slug }) => !contents.some(({ target }) => target === `#${slug}`))
        .map(({ text }) => `${path} ${text}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('what the documents say of the code', () => {
  test('every name in camelCase that a page mentions is one of the code', () => {
    const code = ['lib', 'functions', 'test', 'serverless.yml', 'cgs-export.example.yml']
      .flatMap((path) => (path.includes('.') ? [path] : listSources(path)))
      .filter((path) => !path.startsWith('test/docs/'))
      .map((path) => readFileSync(join(root, path), 'utf8'))
      .join('\n');
    // Settings of Kubernetes.
    const known = new Set([...(code.match(/\w+/g) ?? []), 'concurrencyPolicy', 'backoffLimit']);
    const unknown = pages.flatMap(({ path, prose, lines }) =>
      [...prose.map(({ text }) => text), ...lines.filter((line) => line.startsWith('|'))].flatMap(
        (text) =>
          [...text.matchAll(/`[^`]*`/g)]
            .flatMap(([span]) => span.match(/\b[a-z]+[A-Z]\w*\b/g) ?? [])
            .filter((name) => !known.has(name))
            .map((name) => `${path} ${name}`),
      ),
    );
    expect(unknown).toEqual([]);
  });

  test('every npm script that a page names exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = pages.flatMap(({ path, lines }) =>
      lines.flatMap((line) =>
        [...line.matchAll(/\bnpm (?:run )?((?<=run )[\w:]+|start|test)\b/g)].map(([, name]) => ({
          path,
          name: name ?? '',
        })),
      ),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ name }) => scripts[name] === undefined)).toEqual([]);
  });

  test('CONTRIBUTING.md lists exactly the folders of lib', () => {
    const listed = tableRows(pageOf('CONTRIBUTING.md'), 'the-house')
      .map(([folder = '']) => /^`lib\/([a-z]+)\/`$/.exec(folder)?.[1])
      .filter((folder) => folder !== undefined);
    const folders = readdirSync(join(root, 'lib'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(listed.sort()).toEqual(folders.sort());
  });

  test('docs/operations.md lists exactly the checks of doctor', () => {
    const [, ...rows] = tableRows(
      pageOf('docs/operations.md'),
      'when-something-does-not-work-run-doctor',
    );
    const listed = rows.flatMap(([names = '']) => [...names.matchAll(/`([a-z-]+)`/g)]);
    expect(listed.map(([, name]) => name).sort()).toEqual([...checkNames].sort());
  });

  test('docs/getting-started.md lists exactly the commands, in the order of the help', () => {
    const [, ...rows] = tableRows(pageOf('docs/getting-started.md'), 'all-commands');
    const listed = rows.map(([name = '']) => name.replaceAll('`', ''));
    expect(listed).toEqual(commands.map(({ name }) => name));
  });

  const sections: [string, Dataset][] = [
    ['columns', containerNodes],
    ['columns-of-clusters', containerClusters],
  ];

  test('docs/format.md has a section for each dataset', () => {
    expect(sections.map(([, dataset]) => dataset)).toEqual(datasets);
  });

  test.each(sections)(
    'docs/format.md, %s: the columns, in order and with types',
    (section, dataset) => {
      const [, ...rows] = tableRows(pageOf('docs/format.md'), section);
      const listed = rows.map(([name = '', type]) => ({ name: name.replaceAll('`', ''), type }));
      expect(listed).toEqual(dataset.columns.map(({ name, type }) => ({ name, type })));
    },
  );

  test.each(sections)(
    'docs/format.md, %s: the values that the dataset knows',
    (section, dataset) => {
      const [, ...rows] = tableRows(pageOf('docs/format.md'), section);
      for (const [column, known] of Object.entries(dataset.knownValues)) {
        const meaning = rows.find(([name]) => name === `\`${column}\``)?.[2] ?? '';
        const values = [...meaning.matchAll(/`([^`]+)`/g)].map(([, value]) => value);
        expect(values.sort(), column).toEqual([...known].sort());
      }
    },
  );
});
