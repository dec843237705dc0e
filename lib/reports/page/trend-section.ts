// Responsible for the section about nodes, unprotected and offline over time: charts, and tables with the same figures. Pure.

import type { DayOfTarget, ReportFigures, TargetFigures, TotalOfDay } from '../figures.ts';
import { stateWords } from './completeness-section.ts';
import { gap, type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { showTarget } from './row-columns.ts';
import { formatTarget } from './scope-section.ts';
import { formatTable, scroll } from './table-markup.ts';
import { formatNumber } from './texts.ts';
import { describeRange, drawTrend, isKnown, type Series } from './trend-chart.ts';

const nodeSeries: readonly Series[] = [{ name: 'nodes', title: 'nodes' }];
const stateSeries: readonly Series[] = [
  { name: 'unprotected', title: 'unprotected' },
  { name: 'offline', title: 'offline' },
];

export function formatTrend({ figures, level, left }: PageFigures, words: Words): Html {
  const known = figures.days.filter(isKnown);
  const content =
    known.length === 0
      ? html`<p>${words.say('trendNone')}</p>`
      : html`<p>${words.say('trendText')}${
          figures.days.some(({ carried, unknown }) => carried + unknown > 0)
            ? html`${gap}${words.say('trendCarried')}`
            : null
        }${
          describeRange(known.map(({ nodes }) => nodes))[0] > 0
            ? html`${gap}${words.say('trendAxis')}`
            : null
        }</p>
${formatCharts(figures, known, words)}${formatDays(figures, words)}`;
  const targets = level.dayTables
    ? figures.targets
        .filter(({ days }) => days.length > 0)
        .map((target) => formatDaysOfTarget(target, words))
    : html`<p class="note">${words.say('leftDayTables')}</p>`;
  const cut = left.days > 0 ? html`<p class="note">${words.say('leftDays', left.days)}</p>` : null;
  return html`<section id="trend" aria-labelledby="trend-title">
<h2 id="trend-title">${words.say('trend')}</h2>
${content}${targets}${cut}</section>
`;
}

function formatCharts(figures: ReportFigures, known: readonly TotalOfDay[], words: Words): Html {
  const range = (name: Series['name']) => {
    const values = known.map((day) => day[name]);
    return [Math.min(...values), Math.max(...values)] as const;
  };
  const [first, last] = [known[0], known.at(-1)];
  const nodesLabel = words.label(
    'chartNodes',
    first?.nodes ?? 0,
    first?.date ?? '',
    last?.nodes ?? 0,
    last?.date ?? '',
  );
  const statesLabel = words.label('chartStates', ...range('unprotected'), ...range('offline'));
  const draw = (series: readonly Series[], label: Html) => html`<figure>
<figcaption>${series.map(({ name, title }) => html`<span class="key ${name}"><i></i>${words.say(title)}</span>`)}</figcaption>
${drawTrend(figures.days, series, 'wide', label)}${drawTrend(figures.days, series, 'narrow', label)}</figure>
`;
  return html`<div class="charts" id="charts">
${draw(nodeSeries, nodesLabel)}${draw(stateSeries, statesLabel)}<p class="day" hidden><label>${words.say('dayControl')} <input type="range" id="day" min="0" max="${figures.days.length - 1}" value="${figures.days.length - 1}"></label> <output id="day-figures" for="day"></output></p>
</div>
`;
}

function formatCount(count: number | undefined): Html {
  return html`${count === undefined ? '–' : formatNumber(count)}`;
}

/**
 * How many days at the start say nothing: of no target was a snapshot due or there. 0 if that is true of all days.
 * `targets`: their days, each a day for each date.
 */
function countEmptyStart(targets: readonly (readonly DayOfTarget[])[]): number {
  const starts = targets.map((days) => days.findIndex(({ state }) => state !== 'none'));
  const found = starts.filter((start) => start >= 0);
  return found.length === 0 ? 0 : Math.min(...found);
}

function formatEmptyStart(start: number, date: string | undefined, words: Words): Html | null {
  if (start === 0) return null;
  return html`<p class="note">${words.say('trendBefore', date ?? '')}</p>
`;
}

function formatDays({ days, targets }: ReportFigures, words: Words): Html {
  const start = countEmptyStart(targets.map((target) => target.days));
  const rows = days.slice(start).map((day) => {
    const counts = isKnown(day) ? day : null;
    return [
      html`${day.date}`,
      formatCount(counts?.nodes),
      formatCount(counts?.unprotected),
      formatCount(counts?.offline),
      formatCount(day.current),
      formatCount(day.carried),
      formatCount(day.unknown),
    ];
  });
  return html`<details><summary>${words.say('dayTable')}</summary>
${formatEmptyStart(start, days[start]?.date, words)}${scroll(
  words,
  'dayTable',
  formatTable(
    words,
    html`<span class="v">${words.say('dayTable')}</span>`,
    [
      { title: 'date' },
      { title: 'nodes', kind: 'number' },
      { title: 'unprotected', kind: 'number' },
      { title: 'offline', kind: 'number' },
      { title: 'current', kind: 'number' },
      { title: 'carried', kind: 'number' },
      { title: 'unknown', kind: 'number' },
    ],
    rows,
  ),
)}</details>
`;
}

function formatDaysOfTarget(target: TargetFigures, words: Words): Html {
  const { main, detail = '' } = showTarget(target);
  const row = ({ date, state, complete, drifted, missed, counts }: DayOfTarget) => [
    html`${date}`,
    words.say(stateWords[state].word),
    formatCount(counts?.nodes),
    formatCount(counts?.unprotected),
    formatCount(counts?.offline),
    html`${complete} / ${drifted}`,
    formatCount(missed),
  ];
  const start = countEmptyStart([target.days]);
  return html`<details class="single"><summary>${formatTarget(target)}</summary>
${formatEmptyStart(start, target.days[start]?.date, words)}${scroll(
  words,
  'dayTableOf',
  formatTable(
    words,
    html`<span class="v">${formatTarget(target)}</span>`,
    [
      { title: 'date' },
      { title: 'state' },
      { title: 'nodes', kind: 'number' },
      { title: 'unprotected', kind: 'number' },
      { title: 'offline', kind: 'number' },
      { title: 'snapshotsOfDay', kind: 'number' },
      { title: 'missed', kind: 'number' },
    ],
    target.days.slice(start).map(row),
  ),
  `${main} ${detail}`,
)}</details>
`;
}
