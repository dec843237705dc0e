// Tests that README.zh-CN.md is in step with README.md, and that the comparison finds each kind of difference.

import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { pageOf, parsePage } from './pages.ts';
import { compareTranslation, findVisibleMarks, readChunks } from './translation.ts';

const [english, chinese] = [pageOf('README.md'), pageOf('README.zh-CN.md')];

test('README.zh-CN.md is in step with README.md: see what to add where', () => {
  expect(compareTranslation(english, chinese, existsSync)).toEqual([]);
});

test('each links to the other in its first line', () => {
  expect(english.lines[0]).toContain('(README.zh-CN.md)');
  expect(chinese.lines[0]).toContain('(README.md)');
});

test('every mark ** of README.zh-CN.md is rendered', () => {
  expect(
    readChunks(chinese).flatMap(({ kind, text }) =>
      kind === 'code' ? [] : findVisibleMarks(text),
    ),
  ).toEqual([]);
});

test('a paragraph or list item of README.zh-CN.md is one line: a line break would show as a space', () => {
  const long = readChunks(chinese).filter(
    ({ kind, lines }) => (kind === 'paragraph' || kind === 'item') && lines.length > 1,
  );
  expect(long.map(({ line }) => `README.zh-CN.md:${line}`)).toEqual([]);
});

describe('the comparison', () => {
  const text = [
    'English | [中文](b.md)',
    '# A',
    'See [Run it](#run-it), it takes 5 minutes with `npm`.',
    '',
    '- **One.** Yes',
    '',
    '## Run it',
    '```sh run',
    'npm ci   # installs',
    'npm start',
    '```',
    '```mermaid',
    'a["x"] --> b["y"]',
    '```',
    '| a | b |',
    '| --- | --- |',
    '| 1 | [![an image](i.png)](c.md#x) |',
  ].join('\n');
  const translated = text
    .replace('English | [中文](b.md)', '[English](a.md) | 中文')
    .replace(
      'See [Run it](#run-it), it takes 5 minutes with `npm`.',
      '用`npm`需要5分钟，见[运行](#运行)。',
    )
    .replace('## Run it', '## 运行')
    .replace('# installs', '# 安装')
    .replace('"x"', '"甲"')
    .replace('an image', '图')
    .replace('One.** Yes', '一**：是');
  const compare = (change: (text: string) => string) =>
    compareTranslation(parsePage('a.md', text), parsePage('b.md', change(translated)));

  test('accepts other words, comments, labels and anchors', () => {
    expect(compare((same) => same)).toEqual([]);
  });

  test.each([
    [
      'a heading',
      '## 运行\n',
      '',
      'add before b.md:7 (code block "npm ci   # 安装") the heading of level 2 "Run it" of a.md:7, or remove it there',
    ],
    [
      'a list item',
      '- **一**：是\n\n',
      '',
      'add before b.md:5 (heading of level 2 "运行") the list item "- **One.** Yes" of a.md:5, or remove it there',
    ],
    [
      'a command',
      'npm start',
      'npm run start',
      'b.md:8: line 2 of the code block is "npm run start", but in a.md:8 it is "npm start"',
    ],
    ['an info string', 'sh run', 'sh', 'b.md:8: write ```sh run as a.md:8, not ```sh'],
    ['an arrow', '-->', '---', 'b.md:12: line 1 of the code block'],
    [
      'a number',
      '5分钟',
      '6分钟',
      'b.md:3: the numbers must be [5] as in a.md:3, but they are [6]',
    ],
    [
      'a code mark',
      '`npm`',
      'npm',
      'b.md:3: the code marks must be [`npm`] as in a.md:3, but they are []',
    ],
    [
      'an anchor',
      '(#运行)',
      '(#run-it)',
      'b.md:3: the links, in this order, must be [#运行] as in a.md:3, but they are [#run-it]',
    ],
    ['the link between the pages', '[English](a.md)', 'English', 'b.md:1: the links'],
    [
      'bold text',
      '**一**',
      '一',
      'b.md:5: the marks ** must be [2] as in a.md:5, but they are [0]',
    ],
    [
      'a row',
      '| 1 | [![图](i.png)](c.md#x) |',
      '',
      'b.md:15: the table has 2 lines, but a.md:15 has 3',
    ],
    [
      'a cell',
      '| a | b |',
      '| a |',
      'b.md:15: line 1 of the table has 1 cells, but in a.md:15 it has 2',
    ],
    [
      'a number in a cell',
      '| 1 |',
      '| 2 |',
      'b.md:15, line 3 of the table, column 1: the numbers must be [1]',
    ],
    ['an image', 'i.png', 'j.png', 'b.md:15, line 3 of the table, column 2: the links'],
    ['a link in a cell', 'c.md#x', 'c.md', 'b.md:15, line 3 of the table, column 2: the links'],
  ])('finds %s that differs, and says where', (_what, before, after, message) => {
    expect(translated).toContain(before);
    const [found = '', ...others] = compare((same) => same.replace(before, after));
    expect(found.slice(0, message.length)).toBe(message);
    expect(others).toEqual([]);
  });

  test('finds a chunk that only the translation has', () => {
    expect(compare((same) => `${same}\n\n完`)).toEqual([
      'remove b.md:19 (paragraph "完"): a.md does not have it',
    ]);
  });

  test('accepts and requires the image of its language, if there is one', () => {
    const page = (path: string, image: string) => parsePage(path, `![an image](${image})`);
    const differ = (image: string, ...files: string[]) =>
      compareTranslation(page('a.md', 'i.png'), page('a.zh-CN.md', image), (path) =>
        files.includes(path),
      ).length;
    expect(differ('i.png')).toBe(0);
    expect(differ('i.zh-CN.png')).toBe(1);
    expect(differ('i.zh-CN.png', 'i.zh-CN.png')).toBe(0);
    expect(differ('i.png', 'i.zh-CN.png')).toBe(1);
  });

  test.each([
    ['**配额**：不超过', []],
    ['（**配额**）不超过', []],
    ['**配额。**不超过', ['**配额。**不超过']],
    ['这是**“配额”**', ['这是**“配额”**']],
  ])('%s: where ** would be visible', (shown, marks) => {
    expect(findVisibleMarks(shown).length).toBe(marks.length);
  });
});
