// Tests the texts of the page: both languages have every text with the same parameters, and names are shown safely.

import { describe, expect, test } from 'vitest';
import { english } from '../../../lib/reports/page/strings-en.ts';
import { chinese } from '../../../lib/reports/page/strings-zh.ts';
import { formatNumber, formatText, formatTime, showName } from '../../../lib/reports/page/texts.ts';
import { proofTexts } from '../../../lib/verification/proof-texts.ts';
import { read, sourceFiles } from '../../structure/sources.ts';

const parametersOf = (text: string) =>
  [...new Set([...text.matchAll(/\{(\d)/g)].map(([, index]) => index))].sort();

describe('the languages', () => {
  test('have the same texts, none of them empty', () => {
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
    expect(Object.values({ ...english, ...chinese }).filter((text) => text.trim() === '')).toEqual(
      [],
    );
  });

  test.each(Object.entries(english))('%s has the same parameters in both', (key, text) => {
    expect(parametersOf(chinese[key as keyof typeof chinese])).toEqual(parametersOf(text));
  });

  test('have no text that the page does not use', () => {
    const sources = sourceFiles
      .filter((path) => /^lib\/reports\/(page|browser)\/(?!strings-)|html-page/.test(path))
      .map(read)
      .join('\n');
    // Those of a proof are in the figures of a report: test/verification/proof.test.ts.
    const own = Object.keys(english).filter((key) => !(key in proofTexts));
    expect(own.filter((key) => !sources.includes(`'${key}'`))).toEqual([]);
  });

  test('no Chinese text was left in English', () => {
    const same = Object.entries(chinese).filter(([, text]) => !/\p{Script=Han}/u.test(text));
    expect(same.map(([key]) => key)).toEqual([
      'switchLanguage',
      'comma',
      'semicolon',
      'colon',
      'partsValue',
      'hash',
    ]);
  });
});

test.each([
  ['en', 1, '1 more row is not shown.'],
  ['en', 1_234, '1,234 more rows are not shown.'],
  ['zh', 1_234, '另有1,234行未显示。'],
] as const)('%s: the words depend on the number %d', (language, count, text) => {
  expect(formatText(language, 'leftRows', [count])).toBe(text);
});

test('a parameter is not read as a template', () => {
  expect(formatText('en', 'signedBy', ['{0|a|b} $& $1'])).toBe('Signed by {0|a|b} $& $1');
});

test('numbers are grouped, times are short', () => {
  expect(formatNumber(1_234_567)).toBe('1,234,567');
  expect(formatNumber(12.345)).toBe('12.35');
  expect(formatTime('2026-11-25T20:15:52Z')).toBe('2026-11-25 20:15');
});

test.each([
  ['web-1', 'web-1'],
  ['عقدة', 'عقدة'],
  ['a\u202eb\u0000c\u200bd', 'a\\u202eb\\u0000c\\u200bd'],
  ['n'.repeat(256), 'n'.repeat(256)],
  ['n'.repeat(257), `${'n'.repeat(256)}…`],
])('the name %j is shown as %j', (name, shown) => {
  expect(showName(name)).toBe(shown);
});
