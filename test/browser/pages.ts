// Responsible for opening pages of reports in Chromium, from files, with what a browser reports: console, errors and requests.

import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { ReportFigures } from '../../lib/reports/figures.ts';
import { renderPage } from '../../lib/reports/html-page.ts';

/** Debian's package `chromium`. */
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);

export interface OpenedPage {
  page: Page;
  /** What should stay empty: console messages, errors, and requests for anything but the file. */
  problems: string[];
}

export interface Pages {
  open(
    figures: ReportFigures,
    options?: BrowserContextOptions & { lang?: 'en' | 'zh' },
  ): Promise<OpenedPage>;
  close(): Promise<void>;
}

/** Throws Error if Chromium is not installed: a skipped test would hide that. */
export async function openPages(): Promise<Pages> {
  if (executablePath === undefined) {
    throw new Error('Chromium is missing. Install it: apt-get install chromium');
  }
  // The sandbox of Chromium does not work as root in a container. It opens only pages that are made here.
  const browser: Browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const folder = await mkdtemp(join(tmpdir(), 'report-pages-'));
  let count = 0;
  return {
    async open(figures, { lang = 'en', ...options } = {}) {
      const path = join(folder, `${++count}.html`);
      await writeFile(path, renderPage(figures, lang));
      const context = await browser.newContext({
        viewport: { width: 1_100, height: 800 },
        ...options,
      });
      const page = await context.newPage();
      const url = pathToFileURL(path).href;
      const problems: string[] = [];
      page.on('console', (message) => problems.push(`console: ${message.text()}`));
      page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
      page.on('request', (request) => {
        if (request.url().split('#')[0] !== url) problems.push(`request: ${request.url()}`);
      });
      await page.goto(url);
      return { page, problems };
    },
    async close() {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
