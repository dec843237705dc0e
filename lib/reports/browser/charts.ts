// Responsible for the figures of a single day under the charts: chosen with a slider, or with the pointer over a chart.

import type { ReportFigures } from '../figures.ts';
import { formatText, type Language } from '../page/texts.ts';

export interface Charts {
  show(language: Language): void;
}

export function startCharts({ days }: ReportFigures, start: Language): Charts {
  let language = start;
  const slider = document.querySelector<HTMLInputElement>('#day');
  const output = document.querySelector<HTMLOutputElement>('#day-figures');
  const drawings = [...document.querySelectorAll<SVGSVGElement>('#charts svg')];
  if (!slider || !output) return { show() {} };

  const bounds = (drawing: SVGSVGElement) =>
    [Number(drawing.dataset.left), Number(drawing.dataset.right)] as const;
  /** `hasCursor`: only if the reader has chosen the day. */
  const show = (hasCursor: boolean) => {
    const index = slider.valueAsNumber;
    const day = days[index];
    if (!day) return;
    const isKnown = day.current + day.carried > 0;
    const text = isKnown
      ? formatText(language, 'dayFigures', [day.date, day.nodes, day.unprotected, day.offline])
      : `${day.date}${formatText(language, 'colon')}–`;
    output.textContent = text;
    slider.setAttribute('aria-valuetext', text);
    for (const drawing of hasCursor ? drawings : []) {
      const [left, right] = bounds(drawing);
      const x = left + ((right - left) * index) / Math.max(1, days.length - 1);
      const cursor = drawing.querySelector('.cursor');
      cursor?.setAttribute('x1', String(x));
      cursor?.setAttribute('x2', String(x));
    }
  };
  show(false);
  slider.addEventListener('input', () => show(true));
  for (const drawing of drawings) {
    drawing.addEventListener('pointermove', (event) => {
      const box = drawing.getBoundingClientRect();
      const [left, right] = bounds(drawing);
      const x = ((event.clientX - box.left) / box.width) * drawing.viewBox.baseVal.width;
      const share = Math.min(1, Math.max(0, (x - left) / (right - left)));
      slider.value = String(Math.round(share * (days.length - 1)));
      show(true);
    });
  }
  return {
    show(chosen) {
      language = chosen;
      show(false);
    },
  };
}
