// Responsible for starting the script of the page, in the browser of its reader: lists, charts, language and theme. It shows only
// what is in the page, and sends nothing.

import type { ReportFigures } from '../figures.ts';
import { isLanguage } from '../page/texts.ts';
import { startCharts } from './charts.ts';
import { startLanguage } from './language.ts';
import { startLists } from './lists.ts';
import { openBeforePrint, startTheme } from './theme.ts';

const text = document.getElementById('figures')?.textContent ?? '';
const figures = JSON.parse(text) as ReportFigures;
const { language } = document.documentElement.dataset;
const start = isLanguage(language) ? language : 'en';

const lists = startLists(figures, start);
const charts = startCharts(figures, start);
startLanguage(start, (chosen) => {
  lists.show(chosen);
  charts.show(chosen);
});
startTheme();
openBeforePrint();
addEventListener('beforeprint', lists.showAll);
addEventListener('afterprint', lists.showPage);
for (const hidden of document.querySelectorAll<HTMLElement>('.tools, .day')) hidden.hidden = false;
