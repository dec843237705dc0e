// Responsible for the page of a report: the figures as one HTML document.

import type { ReportFigures } from './figures.ts';

export function renderPage(figures: ReportFigures, lang: 'en' | 'zh'): string {
  const json = JSON.stringify(figures, null, 1).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!doctype html>
<html lang="${lang}"><meta charset="utf-8"><title>cgs-export</title><pre>${json}</pre></html>
`;
}
