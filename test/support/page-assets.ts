// Responsible for the script and the style of the page where neither a build nor vitest has put them in: scripts that tsx runs.

import { join } from 'node:path';
import { buildPageAssets } from '../../page-assets.mjs';

export async function usePageAssets(): Promise<void> {
  const assets = await buildPageAssets(join(import.meta.dirname, '../..'));
  if (assets === null) throw new Error('lib/reports/browser/main.ts is missing');
  Object.assign(globalThis, { __PAGE_SCRIPT__: assets.script, __PAGE_STYLE__: assets.style });
}
