// Responsible for the drawing of figures by day as SVG: lines, axes and days that are carried. Pure. Colours are in the style.

import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import type { TotalOfDay } from '../figures.ts';
import { type Html, html } from './markup.ts';
import type { TextKey } from './strings-en.ts';
import { formatNumber } from './texts.ts';

export interface Series {
  /** Also the class of the line and its label. */
  name: 'nodes' | 'unprotected' | 'offline';
  title: TextKey;
}

/** `narrow`: for a phone, so that the letters keep their size. */
export type Width = 'wide' | 'narrow';

const boxes = {
  wide: { width: 928, height: 200, dates: 10 },
  narrow: { width: 350, height: 190, dates: 4 },
} as const;
const margin = { top: 12, right: 12, bottom: 24, left: 56 };
const ticksMax = 4;

/** True if at least one target counts on that day. */
export function isKnown({ current, carried }: TotalOfDay): boolean {
  return current + carried > 0;
}

/** `label`: the attributes that name the chart. `days`: at least one is known. */
export function drawTrend(
  days: readonly TotalOfDay[],
  series: readonly Series[],
  width: Width,
  label: Html,
): Html {
  const box = boxes[width];
  const known = days.filter(isKnown);
  const values = known.flatMap((day) => series.map(({ name }) => day[name]));
  const x = scaleLinear([0, Math.max(1, days.length - 1)], [margin.left, box.width - margin.right]);
  const y = scaleLinear(describeRange(values), [box.height - margin.bottom, margin.top]).nice(
    ticksMax,
  );
  const ticks = y.ticks(ticksMax).filter(Number.isInteger);
  const grid = ticks.map(
    (
      tick,
    ) => html`<line class="grid" x1="${margin.left}" x2="${box.width - margin.right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="y" x="${margin.left - 8}" y="${round(y(tick) + 4)}">${formatNumber(tick)}</text>
`,
  );
  const step = (box.width - margin.left - margin.right) / Math.max(1, days.length - 1);
  const carried = days.map((day, index) =>
    day.carried + day.unknown === 0
      ? null
      : html`<rect class="carried" x="${round(x(index) - step / 2)}" width="${round(step)}" y="${margin.top}" height="${box.height - margin.top - margin.bottom}"/>
`,
  );
  const lines = series.map(({ name }) => {
    const draw = line<TotalOfDay>()
      .defined(isKnown)
      .x((_day, index) => round(x(index)))
      .y((day) => round(y(day[name])));
    // A line of one day would not be seen.
    const alone = days.map((day, index) => {
      const isSeen =
        !isKnown(day) || [days[index - 1], days[index + 1]].some((one) => one && isKnown(one));
      return isSeen
        ? null
        : html`<circle class="line ${name}" cx="${round(x(index))}" cy="${round(y(day[name]))}" r="2"/>
`;
    });
    return html`<path class="line ${name}" d="${draw(days as TotalOfDay[]) ?? ''}"/>
${alone}`;
  });
  return html`<svg class="${width}" viewBox="0 0 ${box.width} ${box.height}" role="img" ${label} data-left="${margin.left}" data-right="${box.width - margin.right}">
${carried}${grid}${drawDates(days, (index) => x(index), box)}${lines}<line class="cursor" y1="${margin.top}" y2="${box.height - margin.bottom}" x1="-9" x2="-9"/>
</svg>
`;
}

/** From zero, unless the values differ so little that their change could not be seen. */
export function describeRange(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const isClose = least > 50 && most - least < most * 0.3;
  const space = Math.max(2, (most - least) * 0.25);
  return isClose ? [least - space, most + space] : [0, Math.max(4, most)];
}

function drawDates(
  days: readonly TotalOfDay[],
  x: (index: number) => number,
  box: (typeof boxes)[Width],
): Html {
  const every = Math.max(1, Math.ceil((days.length - 1) / box.dates));
  const labels = days.map(({ date }, index) => {
    if (index % every !== 0) return null;
    const anchor = index === 0 ? 'start' : 'middle';
    if (x(index) > box.width - margin.right - 12) return null;
    return html`<text class="x" text-anchor="${anchor}" x="${round(x(index))}" y="${box.height - 6}">${date.slice(5)}</text>
`;
  });
  return html`${labels}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
