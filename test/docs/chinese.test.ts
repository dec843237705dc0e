// Tests the Chinese of README.zh-CN.md and of the report: the terms of docs/design/chinese-terms.md, and punctuation.

import { describe, expect, test } from 'vitest';
import type { ReportFigures } from '../../lib/reports/figures.ts';
import { renderPage } from '../../lib/reports/html-page.ts';
import { rowColumns } from '../../lib/reports/page/row-columns.ts';
import { english } from '../../lib/reports/page/strings-en.ts';
import { chinese } from '../../lib/reports/page/strings-zh.ts';
import { type ProofCode, proofTexts } from '../../lib/verification/proof-texts.ts';
import { makeFigures } from '../reports/seeded-figures.ts';
import { pageOf, tableRows } from './pages.ts';
import { cellsOf, readChunks, withoutLinks } from './translation.ts';

interface Pair {
  where: string;
  english: string;
  chinese: string;
}

const inReport: Pair[] = Object.entries(english).map(([key, text]) => ({
  where: `strings-zh.ts, ${key}`,
  english: text,
  chinese: chinese[key as keyof typeof chinese],
}));

/** Without code, addresses and names of files. */
const plain = (text: string) => withoutLinks(text.replaceAll(/`[^`]*`/g, 'x')).replaceAll('*', '');

/** Each paragraph, heading, list item and cell of a table. */
const inReadme: Pair[] = (() => {
  const read = (path: string) =>
    readChunks(pageOf(path))
      .filter(({ kind }) => kind !== 'code')
      .flatMap(({ kind, line, text, lines }) =>
        kind === 'table'
          ? lines.flatMap((row, index) =>
              cellsOf(row).map((cell) => ({ line: line + index, text: cell.trim() })),
            )
          : [{ line, text }],
      );
  const [first, second] = [read('README.md'), read('README.zh-CN.md')];
  return first.map(({ text }, index) => ({
    where: `README.zh-CN.md:${second[index]?.line}`,
    english: plain(text),
    chinese: plain(second[index]?.text ?? ''),
  }));
})();

/** Names and values that are the same in both say nothing of the terms. */
const pairs = [...inReport, ...inReadme].filter((pair) => pair.english !== pair.chinese);
const [, ...terms] = tableRows(pageOf('docs/design/chinese-terms.md'), 'terms').map(
  ([term = '', word = '', not = '', source = '']) => ({
    term,
    word,
    not: not.split('、').filter((one) => one !== ''),
    source,
  }),
);

/** In one or many, but not in the name of a file, as in `snapshots.csv`. */
function mentions(term: string, text: string): boolean {
  return new RegExp(`\\b${term}(s|es)?\\b(?!\\.(?:csv|js)\\b)`, 'i').test(text);
}

describe('the terms', () => {
  test('are each one row, with a source', () => {
    expect(terms.length).toBeGreaterThan(30);
    const names = terms.map(({ term }) => term);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(terms.filter(({ source }) => source === '')).toEqual([]);
  });

  /** The texts with the term, but for those that have it only in a longer term. */
  const findTexts = (term: string) => {
    const longer = terms.map((other) => other.term).filter((other) => other.includes(` ${term}`));
    return pairs.filter(({ english: text }) =>
      mentions(
        term,
        longer.reduce((left, other) => left.replaceAll(other, ''), text),
      ),
    );
  };

  test.each(terms)('$term is $word', ({ term, word }) => {
    expect(findTexts(term).filter((pair) => !pair.chinese.includes(word))).toEqual([]);
  });

  test('are in use', () => {
    expect(terms.filter(({ term }) => findTexts(term).length > 0).length).toBeGreaterThan(30);
  });

  test.each(terms.filter(({ not }) => not.length > 0))(
    '$term is not translated as $not',
    ({ not }) => {
      const words = terms.map(({ word }) => word).sort((a, b) => b.length - a.length);
      const found = pairs.flatMap(({ where, chinese: text }) => {
        const rest = ['企业主机安全', ...words].reduce(
          (left, word) => (not.includes(word) ? left : left.replaceAll(word, '…')),
          text,
        );
        return not.filter((word) => rest.includes(word)).map((word) => `${where}: ${word}`);
      });
      expect(found).toEqual([]);
    },
  );
});

test('a status is shown with the word of its table, and with no word otherwise', () => {
  const [, ...values] = tableRows(pageOf('docs/design/chinese-terms.md'), 'values-of-a-status');
  expect(values.length).toBeGreaterThan(8);
  const [row] = makeFigures().nodes.shown;
  const column = rowColumns.nodes.find(({ name }) => name === 'agent');
  if (!row || !column) throw new Error('no row or no column');
  const show = (agentStatus: string) => column.cell({ ...row, agentStatus }, 'zh');
  for (const [value = '', word] of values) {
    expect(show(value)).toEqual({ main: word, detail: value });
  }
  expect(show('install_failed_v9')).toEqual({ main: 'install_failed_v9', isData: true });
});

describe('the punctuation', () => {
  const han = '\\p{Script=Han}';
  const full = '，。；：！？、（）“”';
  const faults: [name: string, pattern: RegExp][] = [
    ['space between Chinese and Latin', new RegExp(`${han} +[\\w{\`]|[\\w}%\`] +${han}`, 'u')],
    [
      'half-width punctuation',
      new RegExp(`${han}[,;:!?()]|[,;:!?(]${han}|\\)${han}|${han}\\.(?!\\w)`, 'u'),
    ],
    ['space beside full-width punctuation', new RegExp(`[${full}] | [${full}]`)],
    ['doubled punctuation', /[，。；：、]{2}/],
    ['straight quotation marks', new RegExp(`"${han}|${han}"`, 'u')],
    ['id in small letters', /(?<![\w/.])id(?![\w.])/],
    ['three dots', /\.\.\./],
  ];
  const find = (text: string) =>
    faults.filter(([, pattern]) => pattern.test(text)).map(([name]) => name);

  test('is full-width, without spaces', () => {
    const found = pairs.flatMap(({ where, chinese: text }) =>
      find(text).map((fault) => `${where}: ${fault}: ${text}`),
    );
    expect(found).toEqual([]);
  });

  test.each([
    ['共 5 行', 'space between Chinese and Latin'],
    ['共5行,无', 'half-width punctuation'],
    ['无.', 'half-width punctuation'],
    ['无。 有', 'space beside full-width punctuation'],
    ['公钥id', 'id in small letters'],
  ])('%s is found', (text, fault) => {
    expect(find(text)).toEqual([fault]);
  });

  test('is full-width in a whole page of a report, where texts meet', () => {
    const lines = linesOfPage(makeFigures({ drifted: [12], missing: [18, 19], pruned: 5 }));
    expect(lines).toContain('prod、staging');
    expect(lines.filter((line) => find(line).length > 0)).toEqual([]);
  });
});

/** What a reader of the page sees, without code: a line for each paragraph, cell and list item. */
function linesOfPage(figures: ReportFigures): string[] {
  return renderPage(figures, 'zh')
    .replace(/^.*<main>/s, '')
    .replaceAll(
      /<script.*?<\/script>|<code.*?<\/code>|<pre.*?<\/pre>|<span class="g"> <\/span>/gs,
      '',
    )
    .replaceAll(/<\/?(?:span|bdi|b|strong|a|i)\b[^>]*>/g, '')
    .replaceAll(/<[^>]*>/g, '\n')
    .split('\n')
    .map((line) => line.trim());
}

test('in the page, only findings are in English, and a sentence in Chinese says so', () => {
  const finding = {
    key: 'container_nodes/a.parquet',
    message: 'was altered: its hash differs from the one in its manifest',
    hint: 'Restore the object from a backup.',
  };
  const findings = { total: 1, shown: [finding] };
  const every = Object.keys(proofTexts).map((code) => ({
    code: code as ProofCode,
    parameters: [2, 2],
  }));
  const page = linesOfPage(
    makeFigures({
      integrity: {
        ...{ status: 'failed', faults: findings, unchecked: findings },
        statements: { proven: every, notProven: every },
      },
    }),
  );
  // Three words in a row. In a list of columns or regions, a comma or a slash is between two names.
  const inEnglish = page.filter((line) => /[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}/.test(line));
  expect(new Set(inEnglish)).toEqual(
    new Set(['Was altered: its hash differs from the one in its manifest', finding.hint]),
  );
  expect(page.filter((line) => line === chinese.findingWords)).toHaveLength(2);
});
