// Responsible for the picture of a report in the README: a screenshot of the top of its page in Chromium, light, at most 200 kB.
// Usage: tsx test/support/screenshot.ts [report.json [IMAGE]]. Without a report, the figures are made up.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFigures } from '../reports/seeded-figures.ts';
import { usePageAssets } from './page-assets.ts';

const bytesMax = 200_000;
/** The headline and the charts. The sections between them are hidden in the picture. */
const hidden = '#scope, nav, .tools, #completeness, #trend ~ section, footer, details';

async function takeScreenshot(report: string | undefined, image: string): Promise<void> {
  await usePageAssets();
  const { openPages } = await import('../browser/pages.ts');
  const figures =
    report === undefined
      ? makeFigures({ drifted: [12], missing: [18, 19], pruned: 5 })
      : JSON.parse(await readFile(report, 'utf8'));
  const pages = await openPages();
  try {
    const { page, problems } = await pages.open(figures, {
      colorScheme: 'light',
      viewport: { width: 1_000, height: 700 },
    });
    if (problems.length > 0) throw new Error(problems.join('\n'));
    await page.evaluate((selector) => {
      for (const element of document.querySelectorAll<HTMLElement>(selector)) element.hidden = true;
    }, hidden);
    const picture = await page.screenshot({ fullPage: true });
    if (picture.length > bytesMax) throw new Error(`the picture has ${picture.length} bytes`);
    await mkdir(dirname(image), { recursive: true });
    await writeFile(image, picture);
    console.log(`${image}: ${picture.length} bytes`);
  } finally {
    await pages.close();
  }
}

const [report, image = 'docs/images/report.png'] = process.argv.slice(2);
await takeScreenshot(report, image);
