// Responsible for the top of the page: title, banner, and the figures that answer the first questions. Pure.

import type { Parameter } from '../../core/text-template.ts';
import type { LeftOut, ReportFigures, TargetFigures } from '../figures.ts';
import { gap, type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import {
  areFaultsOutside,
  describeDays,
  describeTimes,
  describeUnknownNodes,
  judgeIntegrity,
} from './page-summary.ts';
import type { TextKey } from './strings-en.ts';
import { formatNumber, formatTime } from './texts.ts';
import { isKnown } from './trend-chart.ts';

export function formatHeadline(page: PageFigures, words: Words): Html {
  const { since, until } = page.figures.period;
  return html`<header>
<div class="tools" hidden>
<button type="button" id="language">${words.plain('switchLanguage')}</button>
<button type="button" id="theme">${words.say('switchTheme')}</button>
</div>
<h1>${words.say('title')}</h1>
<p class="period">${words.say('subtitle', since.slice(0, 10), until.slice(0, 10))}</p>
</header>
<section id="summary" aria-labelledby="summary-title">
<h2 id="summary-title" class="v">${words.say('summary')}</h2>
${formatBanners(page, words)}${formatTiles(page, words)}</section>
`;
}

/** The mark is a shape, so that a banner does not depend on its colour. */
function formatBanner(kind: 'bad' | 'warn' | 'good', content: Html): Html {
  return html`<div class="banner ${kind}"><p>${content}</p></div>
`;
}

function formatBanners({ figures, left }: PageFigures, words: Words): Html {
  const { integrity } = figures;
  const trust = judgeIntegrity(integrity);
  const more = html`${gap}<a href="#integrity">${words.say('bannerMore')}</a>`;
  const say = (key: TextKey, ...counts: Parameter[]) =>
    html`<strong>${words.say(key, ...counts)}</strong>`;
  const outside = areFaultsOutside(figures) ? html`${gap}${words.say('bannerOutside')}` : null;
  const unchecked = integrity.unchecked.total + integrity.notReached.length + left.notReached;
  const { unproven, due } = describeDays(figures.targets);
  const unknown = figures.days.at(-1)?.unknown ?? 0;
  const integrityBanner = {
    failed: () =>
      formatBanner('bad', html`${say('bannerFailed', integrity.faults.total)}${outside}${more}`),
    notVerified: () => formatBanner('warn', html`${say('bannerNotVerified')}${more}`),
    unchecked: () => formatBanner('warn', html`${say('bannerUnchecked', unchecked)}${more}`),
    consistent: () =>
      formatBanner('good', html`${say('bannerOk')}${gap}${words.say('bannerOwn')}${more}`),
    anchored: () =>
      formatBanner('good', html`${say('bannerOk')}${gap}${words.say('bannerTrusted')}${more}`),
  }[trust]();
  const days =
    unproven === 0
      ? null
      : formatBanner(
          'warn',
          html`${say('bannerDays', formatAtLeast(unproven, left), due)}${gap}<a href="#completeness">${words.say('bannerDaysMore')}</a>`,
        );
  const without =
    unknown === 0 ? null : formatBanner('warn', html`${words.say('bannerNoTarget', unknown)}`);
  return html`${integrityBanner}${days}${without}${formatUnknownNodes(figures.targets, words)}`;
}

function formatUnknownNodes(targets: readonly TargetFigures[], words: Words): Html | null {
  const { never, late, targets: all } = describeUnknownNodes(targets);
  const texts = [
    never > 0 ? html`${words.say('bannerNodesUnknown', never, all)}${gap}` : null,
    late > 0 ? html`${words.say('bannerNodesLate', late, all)}${gap}` : null,
  ];
  if (never + late === 0) return null;
  return formatBanner('warn', html`${texts}<a href="#at-end">${words.say('bannerNodesMore')}</a>`);
}

function formatTile(title: Html, value: Html | string, detail: Html | null): Html {
  return html`<div><dt>${title}</dt><dd><b>${value}</b>${detail ? html`<span>${detail}</span>` : null}</dd></div>
`;
}

function formatTiles({ figures, left }: PageFigures, words: Words): Html {
  const known = figures.days.filter(isKnown);
  const [first, last] = [known[0], known.at(-1)];
  const share = (count: number) =>
    last?.nodes ? words.say('tileShare', Math.round((count / last.nodes) * 1_000) / 10) : null;
  const value = (count: number | undefined) => (count === undefined ? '–' : formatNumber(count));
  const { unproven, due } = describeDays(figures.targets);
  const times = describeTimes(figures.targets);
  const asOf = times
    ? words.say('asOf', formatRange(times.from, times.to))
    : words.say('trendNone');
  return html`<dl class="tiles">
${formatTile(words.say('tileNodes'), value(last?.nodes), first ? words.say('tileStart', first.nodes, first.date) : null)}${formatTile(words.say('tileUnprotected'), value(last?.unprotected), last ? share(last.unprotected) : null)}${formatTile(words.say('tileOffline'), value(last?.offline), last ? share(last.offline) : null)}${formatTile(words.say('tileDays'), formatAtLeast(unproven, left), html`${words.say('tileOfDays', due)}${sayMissed(figures.targets, left, words)}`)}</dl>
<p class="note">${asOf}${gap}${words.say('words')}${sayOtherHosts(figures.hostKinds, words)}</p>
`;
}

function sayOtherHosts({ all }: ReportFigures['hostKinds'], words: Words): Html | null {
  if (all.otherHosts + all.notStated === 0) return null;
  return html`${gap}${words.say('otherHosts')}${gap}<a href="#scope">${words.say('otherHostsMore')}</a>`;
}

/** A day with missed slots can have a complete snapshot: then only this number shows them. */
function sayMissed(targets: readonly TargetFigures[], left: LeftOut, words: Words): Html | null {
  const missed = targets.reduce((sum, { snapshots }) => sum + snapshots.missed, 0);
  if (missed + left.targets === 0) return null;
  const mark = markAtLeast(left.targets > 0);
  return html`${words.say('semicolon')}${words.say('tileMissed', mark, missed)}`;
}

/** Days that are left out are not counted. */
function formatAtLeast(count: number, { calendars, targets, days }: LeftOut): string {
  return `${markAtLeast(calendars + targets + days > 0)}${formatNumber(count)}`;
}

const markAtLeast = (isCut: boolean) => (isCut ? '≥ ' : '');

function formatRange(from: string, to: string): string {
  return from === to ? `${formatTime(to)} UTC` : `${formatTime(from)} – ${formatTime(to)} UTC`;
}
