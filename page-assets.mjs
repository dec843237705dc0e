// Responsible for building the script and the style of the page of a report, which build.mjs, the tests and scripts put into it.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { listPackageFolders, writeLicences } from './licences.mjs';

/** Browsers of the last years: those that also know `overflow-wrap: anywhere` and `:is()`. */
const target = ['chrome100', 'firefox100', 'safari15.4'];
const folder = 'lib/reports/browser';

/**
 * `{ script, style }` from the sources in `root`; null if it has none, as a folder of a test. In the script `</` cannot occur:
 * esbuild escapes it, and so does this in the licences. `metafile`: what the script contains, by esbuild. Throws Error if the sources cannot be built.
 * @param {string} root
 * @returns {Promise<{ script: string, style: string, metafile: import('esbuild').Metafile } | null>}
 */
export async function buildPageAssets(root) {
  const entry = join(root, folder, 'main.ts');
  const exists = await access(entry).then(
    () => true,
    () => false,
  );
  if (!exists) return null;
  const bundle = async (name, options) => {
    const { outputFiles, metafile } = await build({
      absWorkingDir: root,
      entryPoints: [`${folder}/${name}`],
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      target,
      charset: 'ascii',
      legalComments: 'none',
      logLevel: 'warning',
      ...options,
    });
    return { text: outputFiles[0].text.trim(), metafile };
  };
  const [script, style] = await Promise.all([
    bundle('main.ts', { format: 'iife', charset: 'utf8' }),
    bundle('page.css', { loader: { '.css': 'css' } }),
  ]);
  const folders = listPackageFolders(Object.keys(Object.values(script.metafile.outputs)[0].inputs));
  const licences = await writeLicences(root, folders, 'This script contains these packages.');
  // A page has a copy of the packages, so it must have their licences too.
  const comment = licences.replaceAll('*/', '* /').replaceAll('</', '< /');
  return {
    script: `/*\n${comment}*/\n${script.text}`,
    style: style.text,
    metafile: script.metafile,
  };
}

/**
 * For `define` of esbuild and Vite: the constants of lib/reports/page-assets.ts.
 * @param {string} root
 * @param {ReturnType<typeof buildPageAssets>} [built]
 * @returns {Promise<Record<string, string>>}
 */
export async function definePageAssets(root, built = buildPageAssets(root)) {
  const assets = await built;
  if (assets === null) return {};
  return {
    __PAGE_SCRIPT__: JSON.stringify(assets.script),
    __PAGE_STYLE__: JSON.stringify(assets.style),
  };
}
