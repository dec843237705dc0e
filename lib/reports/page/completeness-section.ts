// Responsible for the section about completeness: the state of each target and day as a calendar, and what is not proven as a list.
// Pure.

import type { DayState, TargetFigures } from '../figures.ts';
import { type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { listUnprovenDays, readSnapshotTime } from './page-summary.ts';
import { formatTarget } from './scope-section.ts';
import type { TextKey } from './strings-en.ts';
import { formatTable, scroll } from './table-markup.ts';
import { formatNumber, formatTime } from './texts.ts';

export const stateWords: Record<DayState, { word: TextKey; meaning: TextKey }> = {
  complete: { word: 'stateComplete', meaning: 'meansComplete' },
  pruned: { word: 'statePruned', meaning: 'meansPruned' },
  faulty: { word: 'stateFaulty', meaning: 'meansFaulty' },
  drifted: { word: 'stateDrifted', meaning: 'meansDrifted' },
  missing: { word: 'stateMissing', meaning: 'meansMissing' },
  none: { word: 'stateNone', meaning: 'meansNone' },
};
const states = Object.keys(stateWords) as DayState[];
const dayNumbers = Array.from({ length: 31 }, (_, index) => index + 1);

export function formatCompleteness(page: PageFigures, words: Words): Html {
  const { figures, level, left } = page;
  const dated = figures.targets.filter(({ days }) => days.length > 0);
  const calendars = dated.slice(0, level.calendars);
  const without = figures.targets.length - calendars.length + left.targets;
  const legend = states.map(
    (
      state,
    ) => html`<li><i class="mark ${state}"></i><b>${words.say(stateWords[state].word)}</b> ${words.say(stateWords[state].meaning)}</li>
`,
  );
  return html`<section id="completeness" aria-labelledby="completeness-title">
<h2 id="completeness-title">${words.say('completeness')}</h2>
<p>${words.say('completenessText')}</p>
<ul class="legend">
${legend}</ul>
${scroll(words, 'calendarOf', formatCalendars(calendars, words))}${
  without > 0 ? html`<p class="note">${words.say('leftCalendars', without)}</p>` : null
}${left.days > 0 ? html`<p class="note">${words.say('leftDays', left.days)}</p>` : null}
<h3>${words.say('notProvenTitle')}</h3>
${formatUnproven(page, words)}<h3>${words.say('gapsTitle')}</h3>
<p>${words.say('gapsText')}</p>
${formatGaps(page, words)}</section>
`;
}

function formatCalendars(targets: readonly TargetFigures[], words: Words): Html {
  const numbers = dayNumbers.map((day) => html`<th scope="col">${day}</th>`);
  return html`<table class="calendar"><caption class="v">${words.say('calendarOf')}</caption>
<thead><tr><th scope="col">${words.say('month')}</th>${numbers}</tr></thead>
${targets.map((target) => formatCalendar(target, words))}</table>
`;
}

function formatCalendar(target: TargetFigures, words: Words): Html {
  const { days } = target;
  const count = (state: DayState) => days.filter((day) => day.state === state).length;
  const byDate = new Map(days.map((day) => [day.date, day.state]));
  const months = [...new Set(days.map(({ date }) => date.slice(0, 7)))];
  const counts = words.say(
    'targetDays',
    count('complete'),
    count('pruned'),
    count('drifted'),
    count('missing'),
    count('faulty'),
  );
  return html`<tbody><tr><th scope="rowgroup" colspan="32">${formatTarget(target)} <small>${counts}</small></th></tr>
${months.map((month) => formatMonth(month, byDate, words))}</tbody>
`;
}

/** The class gives the shape and the colour of a day. The word is for readers that see neither. */
function formatMonth(month: string, byDate: ReadonlyMap<string, DayState>, words: Words): Html {
  const cells = dayNumbers.map((day) => {
    const state = byDate.get(`${month}-${String(day).padStart(2, '0')}`);
    if (state === undefined) return html`<td></td>`;
    const { word } = stateWords[state];
    return html`<td class="${state}"><i data-t="${word}">${words.plain(word)}</i></td>`;
  });
  return html`<tr><th scope="row">${month}</th>${cells}</tr>
`;
}

function formatUnproven({ figures, level }: PageFigures, words: Words): Html {
  const all = figures.targets.flatMap((target) =>
    listUnprovenDays(target).map((range) => ({ target, ...range })),
  );
  if (all.length === 0) return html`<p>${words.say('notProvenNone')}</p>`;
  const rows = all
    .slice(0, level.listed)
    .map(({ target, from, to, state, missed }) => [
      from === to ? html`<span class="t">${from}</span>` : words.say('daysFromTo', from, to),
      words.say(stateWords[state].word),
      html`${formatNumber(missed)}`,
      formatTarget(target),
    ]);
  return html`${scroll(
    words,
    'notProvenTitle',
    formatTable(
      words,
      html`<span class="v">${words.say('notProvenTitle')}</span>`,
      [
        { title: 'days' },
        { title: 'state' },
        { title: 'missed', kind: 'number' },
        { title: 'target' },
      ],
      rows,
    ),
  )}${sayLeft(all.length - rows.length, words)}`;
}

export function sayLeft(count: number, words: Words): Html | null {
  return count > 0 ? html`<p class="note">${words.say('leftRows', count)}</p>` : null;
}

function formatGaps({ figures, level, left }: PageFigures, words: Words): Html {
  const all = figures.targets.flatMap((target) => target.gaps.map((gap) => ({ target, ...gap })));
  if (all.length === 0) return html`<p>${words.say('gapsNone')}</p>`;
  const rows = all
    .slice(0, level.listed)
    .map(({ target, from, to, slots }) => [
      html`<span class="t">${formatTime(readSnapshotTime(from))}</span>`,
      html`<span class="t">${formatTime(readSnapshotTime(to))}</span>`,
      html`${formatNumber(slots)}`,
      formatTarget(target),
    ]);
  return html`${scroll(
    words,
    'gapsTitle',
    formatTable(
      words,
      html`<span class="v">${words.say('gapsTitle')}</span>`,
      [{ title: 'from' }, { title: 'to' }, { title: 'slots', kind: 'number' }, { title: 'target' }],
      rows,
    ),
  )}${sayLeft(all.length - rows.length + left.gaps, words)}`;
}
