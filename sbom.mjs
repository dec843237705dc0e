// Responsible for sbom.cdx.json, the list of the packages in all bundles: plugins for esbuild, in the order in which they must run.
// @cyclonedx/cyclonedx-esbuild writes the list from what esbuild reports. The plugins around it complete the report and the list.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cyclonedxEsbuildPlugin } from '@cyclonedx/cyclonedx-esbuild';
import { packageFolderOf } from './licences.mjs';

const outputFile = 'sbom.cdx.json';

/**
 * `page`: what buildPageAssets returned.
 * @param {string} root
 * @param {{ metafile: import('esbuild').Metafile } | null} page
 * @returns {import('esbuild').Plugin[]}
 */
export function listPackages(root, page) {
  const bom = {
    outputFile,
    outputReproducible: true,
    // test/package/ validates it.
    validate: false,
    // Only errors and warnings.
    logLevel: 'silent',
  };
  return [correctMetafile(page), cyclonedxEsbuildPlugin(bom), addHashes(root)];
}

/**
 * Makes the list of files in a bundle complete, for plugins after this one: adds those of the script of the page, which is a text in
 * the bundle, and removes what no-key-search wrote, which is not a file.
 */
const correctMetafile = (page) => ({
  name: 'correct-metafile',
  setup(build) {
    build.onEnd(({ metafile }) => {
      if (metafile === undefined) return;
      const script = page === null ? {} : Object.values(page.metafile.outputs)[0].inputs;
      for (const { inputs } of Object.values(metafile.outputs)) {
        if ('lib/reports/page-assets.ts' in inputs) Object.assign(inputs, { ...script, ...inputs });
        for (const path of Object.keys(inputs)) {
          if (path.startsWith('no-key-search:')) delete inputs[path];
        }
      }
      metafile.inputs = { ...page?.metafile.inputs, ...metafile.inputs };
      for (const { inputs } of Object.values(metafile.outputs)) addEmptyFiles(metafile, inputs);
    });
  },
});

/**
 * Adds the files of the packages in a bundle of which nothing is left in it, such as an index.js that only exports other files. The
 * imports of a package lead to them: without them, the list would not say which package needs which.
 */
function addEmptyFiles(metafile, inputs) {
  const folders = new Set(Object.keys(inputs).map(packageFolderOf));
  for (const path of Object.keys(metafile.inputs)) {
    const folder = packageFolderOf(path);
    if (folder !== null && folders.has(folder)) inputs[path] ??= { bytesInOutput: 0 };
  }
}

/** Adds the hash of each package, as package-lock.json has it. Throws Error if it does not have it. */
const addHashes = (root) => ({
  name: 'add-hashes',
  setup(build) {
    build.onEnd(async ({ metafile }) => {
      if (metafile === undefined) return;
      const file = join(root, 'dist', outputFile);
      const list = JSON.parse(await readFile(file, 'utf8'));
      if (list.components.length === 0) return;
      const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
      const hashes = new Map();
      for (const [path, { name, version, integrity }] of Object.entries(packages)) {
        const [, hash = ''] = /^sha512-(\S+)$/.exec(integrity ?? '') ?? [];
        const key = `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`;
        hashes.set(key, Buffer.from(hash, 'base64').toString('hex'));
      }
      for (const component of list.components) {
        const { group, name, version } = component;
        const key = `${group ? `${group}/` : ''}${name}@${version}`;
        const content = hashes.get(key);
        if (!content) throw new Error(`package-lock.json has no hash of ${key}`);
        component.hashes = [{ alg: 'SHA-512', content }];
      }
      await writeFile(file, JSON.stringify(list, null, 2));
    });
  },
});
