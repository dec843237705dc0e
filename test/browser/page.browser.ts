// Tests the page of a report in Chromium: what its script does, how it looks on a phone and in print, and that it is accessible.

import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ReportFigures } from '../../lib/reports/figures.ts';
import { formatText } from '../../lib/reports/page/texts.ts';
import { makeFigures } from '../reports/seeded-figures.ts';
import { type OpenedPage, openPages, type Pages } from './pages.ts';

const figures = makeFigures({ drifted: [12], missing: [18, 19], pruned: 5 });

let pages: Pages;
const opened: OpenedPage[] = [];
beforeAll(async () => {
  pages = await openPages();
});
afterAll(() => pages?.close());
afterEach(async () => {
  const found = opened.splice(0);
  for (const { page } of found) await page.context().close();
  expect(found.flatMap(({ problems }) => problems)).toEqual([]);
});

async function open(
  shown: ReportFigures = figures,
  options: Parameters<Pages['open']>[1] = {},
): Promise<Page> {
  const one = await pages.open(shown, options);
  opened.push(one);
  return one.page;
}

const nodeList = '[data-list=nodes]';
const firstCells = (page: Page, list = nodeList) =>
  page.locator(`${list} tbody tr > :first-child > bdi`).allTextContents();
const status = (page: Page, list = nodeList) => page.locator(`${list} [role=status]`).textContent();

describe('the list of nodes', () => {
  test('is sorted by a click on a header, in both directions', async () => {
    const page = await open();
    const header = page.locator(`${nodeList} thead th`).first();
    const named = figures.nodes.shown.flatMap(({ hostName }) => hostName ?? []).sort();
    expect(await header.getAttribute('aria-sort')).toBeNull();
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('ascending');
    expect(await firstCells(page)).toEqual(named.slice(0, 20));
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    expect(await firstCells(page)).toEqual(named.reverse().slice(0, 20));
  });

  test('is filtered by text and by reason, and says how many rows match', async () => {
    const page = await open();
    await page.locator(`${nodeList} input[type=search]`).fill('staging cn-north-4');
    await page.locator(`${nodeList} select`).first().selectOption('1');
    const count = figures.nodes.shown.filter(
      ({ account, region, unprotected }) =>
        account === 'staging' && region === 'cn-north-4' && unprotected !== null,
    ).length;
    expect(count).toBeGreaterThan(3);
    expect(await status(page)).toBe(formatText('en', 'shownRows', [1, Math.min(20, count), count]));
    await page.locator(`${nodeList} input[type=search]`).fill('<script>');
    expect(await status(page)).toBe('No row matches the filter.');
  });

  test('has pages of different sizes', async () => {
    const page = await open();
    const count = figures.nodes.shown.length;
    await page.getByRole('button', { name: 'Last page' }).first().click();
    expect(await status(page)).toContain(`to ${count} of ${count}`);
    await page.locator(`${nodeList} select`).nth(1).selectOption('500');
    expect(await page.locator(`${nodeList} tbody tr`).count()).toBe(count);
  });
});

test('changes its language and back, with all texts and the rows', async () => {
  const page = await open();
  const before = await page.locator('main').textContent();
  await page.getByRole('button', { name: '中文' }).click();
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-Hans');
  expect(await page.title()).toBe('容器节点报告 2026-10-27 – 2026-11-25');
  const chinese = await page.locator('main').textContent();
  expect(chinese).toContain('数据质量');
  expect(chinese).toContain('离线offline');
  expect(await status(page)).toContain('共');
  // A full stop brings its own space in Chinese, and quotation marks of a Latin font are too narrow.
  expect(
    await page
      .locator('.g')
      .first()
      .evaluate((gap) => getComputedStyle(gap).display),
  ).toBe('none');
  expect(await page.evaluate(() => getComputedStyle(document.body).fontFamily)).toMatch(
    /^"PingFang SC"/,
  );
  const inChinese = await open(figures, { lang: 'zh' });
  expect(await inChinese.locator('main').textContent()).toBe(chinese);
  await page.getByRole('button', { name: 'English' }).click();
  expect(
    await page
      .locator('.g')
      .first()
      .evaluate((gap) => getComputedStyle(gap).display),
  ).toBe('inline');
  expect(await page.locator('main').textContent()).toBe(before);
});

test('follows the system to dark, and the button changes it', async () => {
  const brightness = (page: Page) =>
    page.evaluate(() => {
      const [red = 0] = (getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []).map(
        Number,
      );
      return red;
    });
  const dark = await open(figures, { colorScheme: 'dark' });
  expect(await brightness(dark)).toBeLessThan(60);
  await dark.getByRole('button', { name: 'Dark or light' }).click();
  expect(await brightness(dark)).toBeGreaterThan(200);
  const light = await open(figures, { colorScheme: 'light' });
  expect(await brightness(light)).toBeGreaterThan(200);
  await light.getByRole('button', { name: 'Dark or light' }).click();
  expect(await brightness(light)).toBeLessThan(60);
});

test.each(['en', 'zh'] as const)('fits a phone of 390 px in %s', async (lang) => {
  const wide = makeFigures({ accounts: ['n'.repeat(128)] });
  for (const shown of [figures, wide]) {
    const page = await open(shown, { lang, viewport: { width: 390, height: 800 } });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(390);
    expect(await page.locator('svg.narrow').first().isVisible()).toBe(true);
  }
});

test.each(['en', 'zh'] as const)(
  'shows all columns of its lists on a screen in %s',
  async (lang) => {
    const page = await open(figures, { lang, viewport: { width: 1_280, height: 800 } });
    const text = (await page.locator('[data-list=nodes]').textContent()) ?? '';
    expect(text).toContain(lang === 'en' ? 'on or before' : '或更早');
    const cut = await page
      .locator('.list table')
      .evaluateAll((tables) =>
        tables.map((table) => table.scrollWidth - (table.parentElement?.clientWidth ?? 0)),
      );
    expect(cut.map((pixels) => Math.max(0, pixels))).toEqual([0, 0]);
  },
);

test('is a document in print: no controls, the figures by day, nothing cut', async () => {
  const shown = makeFigures({ accounts: ['a'.repeat(64), 'b'] });
  const page = await open(shown, { colorScheme: 'dark' });
  await page.getByRole('button', { name: 'Next page' }).first().click();
  const status = await page.locator('[role=status]').first().textContent();
  expect(status).toContain('Rows 21 to 40');
  await page.emulateMedia({ media: 'print' });
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  // The width of A4 without its margins.
  await page.setViewportSize({ width: 688, height: 1_000 });
  expect(
    await page.locator('button:visible, input:visible, select:visible, nav:visible').count(),
  ).toBe(0);
  const tables = await page.locator('details table').count();
  expect(tables).toBeGreaterThan(4);
  expect(await page.locator('details table:visible').count()).toBe(tables);
  const rowsOf = (list: string) => page.locator(`[data-list=${list}] tbody tr`).count();
  expect([await rowsOf('nodes'), await rowsOf('changes')]).toEqual([
    shown.nodes.shown.length,
    shown.changes.shown.length,
  ]);
  const broken = await page
    .locator('.hash')
    .evaluateAll((hashes) =>
      hashes.filter((one) => one.getClientRects().length !== 1).map((one) => one.textContent),
    );
  expect(broken).toEqual([]);
  const found = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    cut: [...document.querySelectorAll('main *')].filter(
      (element) =>
        getComputedStyle(element).overflowX !== 'visible' &&
        element.scrollWidth > element.clientWidth + 1,
    ).length,
    background: getComputedStyle(document.body).backgroundColor,
  }));
  expect(found.width).toBeLessThanOrEqual(688);
  expect(found.background).toBe('rgb(255, 255, 255)');
  const pdf = await page.pdf({ preferCSSPageSize: true });
  expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  expect(await page.locator('[role=status]').first().textContent()).toBe(status);
  expect(await page.locator('details[open]').count()).toBe(0);
});

test('shows names as text, whatever they contain', async () => {
  const names = [
    '</script><script>document.title = "changed"</script>',
    '<img src=x onerror="document.title = 1">',
    '\u202eevil',
    'عقدة-١',
    'n'.repeat(128),
  ];
  const [row] = figures.nodes.shown;
  if (!row) throw new Error('no row');
  const page = await open({
    ...figures,
    nodes: { ...figures.nodes, shown: names.map((hostName) => ({ ...row, hostName })) },
  });
  const shown = names.map((name) => name.replace('\u202e', '\\u202e'));
  expect(await firstCells(page)).toEqual(shown);
  await page.locator(`${nodeList} thead button`).nth(1).click();
  expect((await firstCells(page)).sort()).toEqual([...shown].sort());
  expect(await page.title()).toContain('Container node report');
  expect(await page.locator('img').count()).toBe(0);
});

test('without JavaScript, the figures and the first rows are there', async () => {
  const page = await open(figures, { javaScriptEnabled: false });
  expect(await page.locator(`${nodeList} tbody tr`).count()).toBe(20);
  expect(await page.locator('.status').first().textContent()).toContain('Rows 1 to 20');
  expect(await page.locator('button:visible, input:visible').count()).toBe(0);
  await page.locator('details summary').first().click();
  expect(await page.locator('details table').first().locator('tbody tr').count()).toBe(30);
});

test('everything can be reached and used with the keyboard', async () => {
  const page = await open();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
  const controls = await page
    .locator('main')
    .locator(':is(a, button:enabled, input, select, summary, [tabindex="0"]):visible')
    .count();
  const seen = new Set<string>();
  for (let index = 0; index < controls + 5; index++) {
    await page.keyboard.press('Tab');
    seen.add(
      await page.evaluate(() => {
        const all = [...document.querySelectorAll('*')];
        const element = document.activeElement;
        return element && element !== document.body ? String(all.indexOf(element)) : '';
      }),
    );
  }
  seen.delete('');
  expect(seen.size).toBeGreaterThanOrEqual(controls);
  const header = page.locator(`${nodeList} thead th`).first();
  await header.getByRole('button').focus();
  await page.keyboard.press('Enter');
  expect(await header.getAttribute('aria-sort')).toBe('ascending');
  const before = await page.locator('#day-figures').textContent();
  await page.locator('#day').focus();
  await page.keyboard.press('ArrowLeft');
  const day = figures.days.at(-2);
  expect(await page.locator('#day-figures').textContent()).not.toBe(before);
  expect(await page.locator('#day').getAttribute('aria-valuetext')).toContain(day?.date);
});

describe('axe-core finds nothing', () => {
  const integrity: ReportFigures['integrity'] = {
    ...figures.integrity,
    status: 'failed',
    faults: { total: 1, shown: [{ key: 'a/b.parquet', message: 'altered', hint: 'restore it' }] },
    unchecked: {
      total: 1,
      shown: [{ key: 'a/c.parquet', message: 'archived', hint: 'restore it' }],
    },
    notReached: ['a/d.parquet'],
  };
  const cases = (['light', 'dark'] as const).flatMap((colorScheme) =>
    (['en', 'zh'] as const).flatMap((lang) =>
      [1_100, 390].map((width) => ({ colorScheme, lang, width })),
    ),
  );

  test.each(cases)('$colorScheme, $lang, $width px', async ({ colorScheme, lang, width }) => {
    const shown = lang === 'en' ? figures : { ...figures, integrity };
    // Not under the policy of the page, which allows no other script.
    const page = await open(shown, {
      colorScheme,
      lang,
      bypassCSP: true,
      viewport: { width, height: 800 },
    });
    for (const summary of await page.locator('summary').all()) await summary.click();
    await page.evaluate(axe.source);
    const violations = await page.evaluate(async () => {
      const { axe: inPage } = globalThis as unknown as {
        axe: {
          run(): Promise<{
            violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
          }>;
        };
      };
      return (await inPage.run()).violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`,
      );
    });
    expect(violations).toEqual([]);
  });
});

test('is painted soon', async () => {
  const largest = makeFigures({ days: 90, accounts: ['a', 'b', 'c'], nodesPerTarget: 10_000 });
  const times: number[] = [];
  for (let run = 0; run < 5; run++) {
    const page = await open(largest);
    await page.waitForFunction(
      () => performance.getEntriesByName('first-contentful-paint').length > 0,
    );
    times.push(
      await page.evaluate(
        () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
      ),
    );
  }
  const median = times.sort((a, b) => a - b)[2] ?? 0;
  console.log(
    `first contentful paint, 6 targets and 90 days: ${Math.round(median)} ms (median of 5)`,
  );
  expect(median).toBeGreaterThan(0);
});
