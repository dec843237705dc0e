// Responsible for the end of the page: what the report does not prove, and the files that belong to it. Pure.

import { type Html, hash, html, name, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import type { TextKey } from './strings-en.ts';
import { formatTable, scroll } from './table-markup.ts';
import { formatNumber } from './texts.ts';

const limits: readonly TextKey[] = [
  'limitInstant',
  'limitComplete',
  'limitBetween',
  'limitService',
  'limitDay',
  'limitSince',
  'limitPruned',
  'limitRewrite',
  'limitLists',
];

export function formatLimits({ figures }: PageFigures, words: Words): Html {
  return html`<section id="limits" aria-labelledby="limits-title">
<h2 id="limits-title">${words.say('limits')}</h2>
<ul>${limits.map(
    (key) => html`<li>${words.say(key)}</li>
`,
  )}</ul>
${figures.files.length === 0 ? null : formatFiles(figures.files, words)}</section>
`;
}

function formatFiles(files: PageFigures['figures']['files'], words: Words): Html {
  return html`<h3>${words.say('filesTitle')}</h3>
${scroll(
  words,
  'filesTitle',
  formatTable(
    words,
    html`<span class="v">${words.say('filesTitle')}</span>`,
    [
      { title: 'file' },
      { title: 'fileRows', kind: 'number' },
      { title: 'size', kind: 'number' },
      { title: 'hash' },
    ],
    files.map(({ name: file, rows, bytes, sha256 }) => [
      name(file),
      html`${formatNumber(rows)}`,
      html`${formatNumber(bytes)}`,
      hash(sha256),
    ]),
  ),
)}`;
}
