// Responsible for the sections with lists of rows: nodes at the end of the period, and changes. Without JavaScript the first rows
// are there; the script makes the lists sortable and shows the other rows. Pure.

import { gap, type Html, html, name, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { describeUnknownNodes } from './page-summary.ts';
import { type Cell, pageSizes, rowColumns, type Table, type TableRows } from './row-columns.ts';
import type { TextKey } from './strings-en.ts';
import { formatPairs, formatTable, scroll } from './table-markup.ts';
import { formatNumber } from './texts.ts';

export function formatAtEnd({ figures }: PageFigures, words: Words): Html {
  const { nodes } = figures;
  const { targets, never, late, unprotected, offline } = describeUnknownNodes(figures.targets);
  const texts = [
    never > 0 ? words.say('atEndUnknown', never, targets, unprotected, offline) : null,
    targets > never ? words.say(never > 0 ? 'atEndOthers' : 'atEndText', nodes.total) : null,
    targets === 0 ? words.say('trendNone') : null,
    late > 0 ? words.say('atEndLate', late, targets) : null,
  ].flatMap((text) => (text === null ? [] : html`${text}${gap}`));
  const list =
    nodes.shown.length === 0 && (never > 0 || targets === 0)
      ? null
      : formatList('nodes', 'nodeList', nodes.shown, words);
  return html`<section id="at-end" aria-labelledby="at-end-title">
<h2 id="at-end-title">${words.say('atEnd')}</h2>
<p>${texts}${sayShown('atEndShown', nodes.shown, nodes.total, words)}${sayFile('atEndCsv', 'unprotected.csv', figures, words)}</p>
<p class="note">${words.say('sinceText')}</p>
${list}</section>
`;
}

export function formatChanges({ figures }: PageFigures, words: Words): Html {
  const { changes } = figures;
  const total = changes.added + changes.removed + changes.changed;
  const count = (key: TextKey, value: number) =>
    [words.say(key), html`${formatNumber(value)}`] as const;
  return html`<section id="changes" aria-labelledby="changes-title">
<h2 id="changes-title">${words.say('changes')}</h2>
<p>${words.say('changesText')}</p>
<div class="counts">${formatPairs([
    count('added', changes.added),
    count('removed', changes.removed),
    count('changed', changes.changed),
  ])}${formatPairs([
    count('becameUnprotected', changes.unprotected),
    count('becameProtected', changes.protected),
    count('becameOffline', changes.offline),
    count('becameNotOffline', changes.notOffline),
  ])}</div>
<p class="note">${words.say('changesStates')}</p>
${formatChangeDays(figures, words)}<h3>${words.say('changesList')}</h3>
<p>${sayShown('changesShown', changes.shown, total, words)}${sayFile('changesCsv', 'changes.csv', figures, words)}</p>
${formatList('changes', 'changesList', changes.shown, words)}</section>
`;
}

function sayShown(
  key: TextKey,
  shown: readonly unknown[],
  total: number,
  words: Words,
): Html | null {
  return shown.length < total ? html`${words.say(key, shown.length)}${gap}` : null;
}

function sayFile(key: TextKey, file: string, { files }: PageFigures['figures'], words: Words) {
  const found = files.find((one) => one.name === file);
  return found ? words.say(key, found.rows) : null;
}

function formatChangeDays({ days }: PageFigures['figures'], words: Words): Html | null {
  const rows = days
    .filter(({ added, removed, changed }) => added + removed + changed > 0)
    .map((day) => [
      html`${day.date}`,
      html`${formatNumber(day.added)}`,
      html`${formatNumber(day.removed)}`,
      html`${formatNumber(day.changed)}`,
    ]);
  if (rows.length === 0) return null;
  return html`<details><summary>${words.say('changesByDay')}</summary>
${scroll(
  words,
  'changesByDay',
  formatTable(
    words,
    html`<span class="v">${words.say('changesByDay')}</span>`,
    [
      { title: 'date' },
      { title: 'added', kind: 'number' },
      { title: 'removed', kind: 'number' },
      { title: 'changed', kind: 'number' },
    ],
    rows,
  ),
)}</details>
`;
}

function formatCell({ main, isData, detail }: Cell): Html {
  const small = detail === undefined ? null : html`<small>${name(detail)}</small>`;
  return html`${isData ? name(main) : main}${small}`;
}

function formatList<Name extends Table>(
  table: Name,
  title: TextKey,
  rows: readonly TableRows[Name][],
  words: Words,
): Html {
  if (rows.length === 0) return html`<p>${words.say('noRows')}</p>`;
  const columns = rowColumns[table];
  const first = rows.slice(0, pageSizes[0]);
  const cells = first.map((row) =>
    columns.map(({ cell }) => formatCell(cell(row, words.language))),
  );
  const rest =
    rows.length > first.length
      ? html`<p class="note status">${words.say('shownFirst', first.length, rows.length)}</p>`
      : null;
  return html`<div class="list" data-list="${table}">
${scroll(
  words,
  title,
  formatTable(words, html`<span class="v">${words.say(title)}</span>`, columns, cells),
)}${rest}</div>
`;
}
