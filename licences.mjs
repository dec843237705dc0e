// Responsible for the licence texts of the packages in a bundle, as text. build.mjs writes it beside the bundle.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Utils } from '@cyclonedx/cyclonedx-library/Contrib/License';

/**
 * The folders of the packages whose files are in a bundle, sorted. Relative to `root`.
 * @param {Iterable<string>} inputs paths of files, as in esbuild's metafile
 * @returns {string[]}
 */
export function listPackageFolders(inputs) {
  const folders = [...inputs].flatMap((path) => {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path);
    return folder === null ? [] : [folder[0]];
  });
  return [...new Set(folders)].sort();
}

/**
 * The text for the packages in `folders`. Packages with the same text are named together.
 * Throws Error if a package has no text, and its licence is not the Apache License: other texts name their author, so no other
 * package's text can be used.
 * @param {string} root
 * @param {readonly string[]} folders
 * @returns {Promise<string>}
 */
export async function writeLicences(root, folders) {
  const packages = await Promise.all(folders.map((folder) => readOnce(join(root, folder))));
  const apache = packages.find(({ licence, text }) => licence === apacheId && text !== '')?.text;
  const names = new Map();
  for (const { name, licence, text: own } of packages) {
    const borrowed = licence === apacheId ? apache : undefined;
    const text = own || borrowed;
    if (!text) throw new Error(`${name} has no licence text, and its licence is ${licence}`);
    names.set(text, [...(names.get(text) ?? []), `${name} (${licence})`]);
  }
  const parts = [...names].map(([text, of]) => `${of.join('\n')}\n\n${text}`);
  return [head, ...parts].join(`\n\n${'='.repeat(80)}\n\n`).concat('\n');
}

const apacheId = 'Apache-2.0';
const head = `The program file of the same name contains these packages. Each list of packages is followed by the licence and
the notices that they come with. The licence of cgs-export itself is in the file LICENSE of its package.`;

/** The packages that were read already, by folder: most are in several bundles. */
const packagesRead = new Map();

function readOnce(folder) {
  if (!packagesRead.has(folder)) packagesRead.set(folder, readPackage(folder));
  return packagesRead.get(folder);
}

/** `text`: all licence files and notices, or what README.md says about the licence; empty if there is none. */
async function readPackage(folder) {
  const { name, version, license } = JSON.parse(
    await readFile(join(folder, 'package.json'), 'utf8'),
  );
  const found = [...new Utils.LicenseEvidenceGatherer().getFileAttachments(folder)];
  const files = new Map(
    found.map(({ file, text }) => [file, String(Buffer.from(text.content, 'base64'))]),
  );
  // Not the order of the file system.
  const order = (await readdir(folder)).sort().filter((file) => files.has(file));
  const text = order.map((file) => files.get(file).replaceAll('\r\n', '\n').trim()).join('\n\n');
  return {
    name: `${name}@${version}`,
    licence: license ?? 'not stated',
    text: text || (await readLicenceSection(folder)),
  };
}

/** The section about the licence in README.md, empty if it names no copyright. */
async function readLicenceSection(folder) {
  const readme = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const section = /^(?:#+ *)?licen[cs]e\s*$[\s\S]*/im.exec(readme)?.[0].trim() ?? '';
  return /copyright/i.test(section) ? section : '';
}
