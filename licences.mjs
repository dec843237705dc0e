// Responsible for the licence texts of the packages in a bundle, as text. build.mjs writes it beside the bundle.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Utils } from '@cyclonedx/cyclonedx-library/Contrib/License';

/**
 * The folder of the package that a file belongs to, null if it is a file of cgs-export.
 * @param {string} path as in esbuild's metafile
 * @returns {string | null}
 */
export function packageFolderOf(path) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? null;
}

/**
 * The folders of the packages whose files are in a bundle, sorted. Relative to `root`.
 * @param {Iterable<string>} inputs paths of files, as in esbuild's metafile
 * @returns {string[]}
 */
export function listPackageFolders(inputs) {
  return [...new Set([...inputs].map(packageFolderOf))].filter((folder) => folder !== null).sort();
}

/**
 * The text for the packages in `folders`. Packages with the same text are named together.
 * Throws Error if a package has no text, and its licence is not the Apache License: other texts name their author, so no other
 * package's text can be used.
 * @param {string} root
 * @param {readonly string[]} folders
 * @param {string} head the first paragraph
 * @returns {Promise<string>}
 */
export async function writeLicences(root, folders, head) {
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

/**
 * Comments with a copyright in the source files of packages: a file can be somebody else's work, which the licence file of its
 * package does not name. Without those that `text` has already. Empty if there are none.
 * @param {string} root
 * @param {readonly string[]} inputs paths of files, as in esbuild's metafile
 * @param {string} text
 * @returns {Promise<string>}
 */
export async function readNotices(root, inputs, text) {
  const known = squeeze(text);
  const notices = new Map();
  for (const input of inputs.filter((path) => packageFolderOf(path) !== null).sort()) {
    const source = (await readFile(join(root, input), 'utf8')).replaceAll('\r\n', '\n');
    for (const [comment] of source.matchAll(commentPattern)) {
      const squeezed = squeeze(comment);
      if (!copyrightPattern.test(squeezed) || known.includes(squeezed)) continue;
      const { files, notice } = notices.get(squeezed) ?? { files: [], notice: comment.trim() };
      notices.set(squeezed, { notice, files: [...files, input.replace(/^.*node_modules\//, '')] });
    }
  }
  const parts = [...notices.values()].map(({ files, notice }) => `${files.join('\n')}:\n${notice}`);
  return parts.length === 0 ? '' : `\nNotices in files:\n\n${parts.join('\n\n')}\n`;
}

/** Comments that begin a line, because such a text inside of a line can be part of a string. */
const commentPattern = /^[ \t]*\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm;
const copyrightPattern = /copyright (?:\(c\)|©|\d{4})|\(c\) ?\d{4}/i;

/** Without the marks of comments and the breaks of lines. */
function squeeze(text) {
  return text
    .replaceAll(/^[ \t]*(?:\/\/|\/\*+!?|\*(?!\/))|\*\/[ \t]*$/gm, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

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
