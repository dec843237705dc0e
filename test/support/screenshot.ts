// Responsible for the pictures of a report in the READMEs: screenshots of the top of its page in Chromium, light, at most 100 kB.
// Usage: tsx test/support/screenshot.ts [report.json [IMAGE]]. Without a report, the figures are made up; without an image, both are
// made. The page of an image `….zh-CN.png` is in Chinese. Needs the Debian packages chromium, fonts-noto-cjk and pngquant.

import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFigures } from '../reports/seeded-figures.ts';
import { usePageAssets } from './page-assets.ts';

const bytesMax = 100_000;
/** The headline and the charts. The sections between them are hidden in the picture. */
const hidden = '#scope, nav, .tools, #completeness, #trend ~ section, footer, details';

async function takeScreenshot(report: string | undefined, image: string): Promise<void> {
  await usePageAssets();
  const { openPages } = await import('../browser/pages.ts');
  const figures =
    report === undefined
      ? makeFigures({ days: 60, drifted: [22], missing: [33, 34], pruned: 5 })
      : JSON.parse(await readFile(report, 'utf8'));
  const pages = await openPages();
  try {
    const { page, problems } = await pages.open(figures, {
      lang: image.endsWith('.zh-CN.png') ? 'zh' : 'en',
      colorScheme: 'light',
      viewport: { width: 1_000, height: 700 },
    });
    if (problems.length > 0) throw new Error(problems.join('\n'));
    await page.evaluate((selector) => {
      for (const element of document.querySelectorAll<HTMLElement>(selector)) element.hidden = true;
    }, hidden);
    // 128 colours look the same, and take a third of the bytes.
    const input = await page.screenshot({ fullPage: true });
    const picture = execFileSync('pngquant', ['128', '-'], { input });
    if (picture.length > bytesMax) throw new Error(`the picture has ${picture.length} bytes`);
    await mkdir(dirname(image), { recursive: true });
    await writeFile(image, picture);
    console.log(`${image}: ${picture.length} bytes`);
  } finally {
    await pages.close();
  }
}

const [report, ...images] = process.argv.slice(2);
const both = ['docs/images/report.png', 'docs/images/report.zh-CN.png'];
for (const image of images.length > 0 ? images : both) await takeScreenshot(report, image);
