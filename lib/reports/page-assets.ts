// Responsible for the script and the style of the page. They are built from lib/reports/browser/ by page-assets.mjs.

/** Set by build.mjs in bundles, by vitest.config.ts in tests, and by test/support/page-assets.ts in scripts. */
declare const __PAGE_SCRIPT__: string | undefined;
declare const __PAGE_STYLE__: string | undefined;

export interface PageAssets {
  script: string;
  style: string;
}

/** Throws Error if the program runs from its sources: then the script and the style were not built. */
export function readPageAssets(): PageAssets {
  if (typeof __PAGE_SCRIPT__ !== 'string' || typeof __PAGE_STYLE__ !== 'string') {
    throw new Error(
      'the script and the style of the page are missing: run `npm run build` and dist/cli.js',
    );
  }
  return { script: __PAGE_SCRIPT__, style: __PAGE_STYLE__ };
}
