// Responsible for the section about data quality: rejects, unknown values and fields, wrong types, requests. Pure.

import { sayLeft } from './completeness-section.ts';
import { type Html, html, name, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { formatPairs, formatTable, scroll } from './table-markup.ts';
import { formatNumber } from './texts.ts';

export function formatQuality({ figures, level, left }: PageFigures, words: Words): Html {
  const { quality } = figures;
  const number = (value: number) => html`${formatNumber(value)}`;
  return html`<section id="quality" aria-labelledby="quality-title">
<h2 id="quality-title">${words.say('quality')}</h2>
<p>${words.say('qualityText', quality.snapshots)}</p>
${formatPairs([
  [words.say('rejects'), number(quality.rejects)],
  [words.say('repeats'), number(quality.repeats)],
  [words.say('requests'), number(quality.requests)],
  [words.say('retries'), number(quality.retries)],
  [words.say('throttled'), number(quality.throttled)],
])}${formatUnknown(quality, level.listed, words)}${sayLeft(left.quality, words)}</section>
`;
}

/** A value or the name of a field: the service can send an empty one. */
function showText(text: string, words: Words): Html {
  return text === '' ? words.say('emptyText') : name(text);
}

function formatUnknown(
  { unknownValues, unknownFields, mistyped }: PageFigures['figures']['quality'],
  listed: number,
  words: Words,
): Html {
  const values = Object.entries(unknownValues).flatMap(([column, counts]) =>
    Object.entries(counts).map(([value, count]) => ({ column, value, count })),
  );
  const types = Object.entries(mistyped);
  if (values.length + unknownFields.length + types.length === 0) {
    return html`<p>${words.say('qualityNone')}</p>`;
  }
  const valueRows = values
    .slice(0, listed)
    .map(({ column, value, count }) => [
      name(column),
      showText(value, words),
      html`${formatNumber(count)}`,
    ]);
  const typeRows = types
    .slice(0, listed)
    .map(([column, count]) => [name(column), html`${formatNumber(count)}`]);
  return html`${
    valueRows.length === 0
      ? null
      : html`${scroll(
          words,
          'unknownValuesTitle',
          formatTable(
            words,
            words.say('unknownValuesTitle'),
            [{ title: 'column' }, { title: 'value' }, { title: 'count', kind: 'number' }],
            valueRows,
          ),
        )}${sayLeft(values.length - valueRows.length, words)}`
  }${
    typeRows.length === 0
      ? null
      : html`${scroll(
          words,
          'mistypedTitle',
          formatTable(
            words,
            words.say('mistypedTitle'),
            [{ title: 'column' }, { title: 'count', kind: 'number' }],
            typeRows,
          ),
        )}${sayLeft(types.length - typeRows.length, words)}`
  }${
    unknownFields.length === 0
      ? null
      : html`<h3>${words.say('unknownFieldsTitle')}</h3><p>${unknownFields.map((field, index) => [index > 0 ? words.say('comma') : null, showText(field, words)])}</p>`
  }`;
}
