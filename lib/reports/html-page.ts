// Responsible for the page of a report: one HTML file that needs no other file and no network. Without JavaScript all figures and
// the first rows of each list are there. Not responsible for the figures themselves (figures.ts).

import { createHash } from 'node:crypto';
import type { ReportFigures } from './figures.ts';
import { formatCompleteness } from './page/completeness-section.ts';
import { formatHeadline } from './page/headline.ts';
import { formatIntegrity } from './page/integrity-section.ts';
import { formatLimits } from './page/limits-section.ts';
import { formatAtEnd, formatChanges } from './page/list-sections.ts';
import { embedJson, type Html, html, openWords, trustHtml, type Words } from './page/markup.ts';
import { levels, limitPage, type PageFigures } from './page/page-limits.ts';
import { formatQuality } from './page/quality-section.ts';
import { formatScope } from './page/scope-section.ts';
import type { TextKey } from './page/strings-en.ts';
import { formatTime, type Language, showName } from './page/texts.ts';
import { formatTrend } from './page/trend-section.ts';
import { type PageAssets, readPageAssets } from './page-assets.ts';

export const pageBytesMax = 1_048_576;

const sections: readonly [id: string, title: TextKey][] = [
  ['scope', 'scope'],
  ['completeness', 'completeness'],
  ['trend', 'trend'],
  ['at-end', 'atEnd'],
  ['changes', 'changes'],
  ['quality', 'quality'],
  ['integrity', 'integrity'],
  ['limits', 'limits'],
];

/**
 * The page, in UTF-8 at most 1 MiB: if the figures need more, it has less of the lists and days, and says so. `lang`: the language
 * that it starts with; it has both.
 */
export function renderPage(figures: ReportFigures, lang: Language): string {
  const words = openWords(lang);
  const assets = readPageAssets();
  let page = '';
  for (const [index, level] of levels.entries()) {
    page = formatPage(limitPage(figures, level), words, assets, index > 0);
    if (Buffer.byteLength(page) <= pageBytesMax) return page;
  }
  throw new Error(`the page has ${Buffer.byteLength(page)} bytes although its lists were cut`);
}

function formatPage(page: PageFigures, words: Words, assets: PageAssets, isCut: boolean): string {
  const { since, until } = page.figures.period;
  const policy = [
    "default-src 'none'",
    `script-src '${hash(assets.script)}'`,
    `style-src '${hash(assets.style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!DOCTYPE html>
<html lang="${words.tag}" data-language="${words.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="${page.figures.writer}">
<title>${words.plain('title')} ${since.slice(0, 10)} – ${until.slice(0, 10)}</title>
<style>${trustHtml(assets.style)}</style>
</head>
<body>
<a class="skip" href="#summary">${words.say('skip')}</a>
<main>
${formatHeadline(page, words)}${isCut ? html`<p class="note">${words.say('cutNote')}</p>` : null}${formatContents(words)}${formatScope(page, words)}${formatCompleteness(page, words)}${formatTrend(page, words)}${formatAtEnd(page, words)}${formatChanges(page, words)}${formatQuality(page, words)}${formatIntegrity(page, words)}${formatLimits(page, words)}</main>
<footer><p>${words.say('footer', formatTime(page.figures.madeAt), showName(page.figures.writer))}</p></footer>
<script type="application/json" id="figures">${embedJson(page.embedded)}</script>
<script>${trustHtml(assets.script)}</script>
</body>
</html>
`.html;
}

function formatContents(words: Words): Html {
  return html`<nav ${words.label('contents')}><ul>
${sections.map(
  ([id, title]) => html`<li><a href="#${id}">${words.say(title)}</a></li>
`,
)}</ul></nav>
`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
