// Responsible for the text that says how to check a report and its store without this program: commands for a shell. Pure.

import type { SnapshotFigures } from '../figures.ts';
import { type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import type { TextKey } from './strings-en.ts';

/** In single quotes for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `lines`: a hash and a path each. Prints each path with its result. */
function checkHashes(lines: readonly string[]): string {
  return `sha256sum --strict -c <<'END'\n${lines.join('\n')}\nEND`;
}

const manifestsMax = 100;

/** Prints the manifests that the one after them names with another hash, or nothing. */
const checkPrevious = `grep -ro --include='*.json' '"previous":{"snapshot":"[^"]*","manifestSha256":"[0-9a-f]*"' _manifests |
  sed 's|^\\(.*/\\)[^/]*:"previous":{"snapshot":"\\([^"]*\\)","manifestSha256":"\\([0-9a-f]*\\)"$|\\3  \\1\\2.json|' |
  sha256sum --strict -c --quiet`;

/** A line for each part of all manifests: its hash and its key. */
const listParts = `find _manifests -name '*.json' -exec cat {} + | tr '{' '\\n' |
  sed -n 's/.*"key":"\\([^"]*\\)".*"sha256":"\\([0-9a-f]*\\)".*/\\2  \\1/p'`;

/** Prints the parts that are there with another content, or nothing. */
const checkParts = `${listParts} |
  sha256sum --strict -c --quiet --ignore-missing`;

/** Prints the parts that are not there and that no tombstone names, or nothing. Those of tombstones are in the list twice or more. */
const checkMissing = `{ ${listParts} |
  while read -r hash key; do [ -e "$key" ] || echo "$key"; done
  for twice in 1 2; do grep -rhoE '"[^"]+/dt=[^"]+"' _pruned 2>/dev/null | tr -d '"'; done
} | sort | uniq -u`;

export function formatManualCheck({ figures }: PageFigures, words: Words): Html {
  const newest = figures.targets.flatMap((target) => target.newest ?? []);
  const signed = newest.find(({ keyId }) => keyId !== null);
  const example = signed ?? newest[0];
  const toLine = (one: SnapshotFigures) => `${one.manifestSha256}  ${one.manifest}`;
  const files = figures.files.map(({ name, sha256 }) => `${sha256}  ${name}`);
  const steps: { text: TextKey; command: string }[] = [];
  if (files.length > 0) {
    steps.push({
      text: 'checkFiles',
      command: checkHashes(files),
    });
  }
  if (example) {
    steps.push(
      { text: 'checkManifest', command: checkHashes(newest.slice(0, manifestsMax).map(toLine)) },
      { text: 'checkPrevious', command: checkPrevious },
      { text: 'checkParts', command: checkParts },
      { text: 'checkMissing', command: checkMissing },
    );
  }
  if (signed) {
    const signature = signed.manifest
      .replace(/^_manifests\//, '_signatures/')
      .replace(/\.json$/, '.sig');
    steps.push({
      text: 'checkSignature',
      command: `openssl pkeyutl -verify -rawin -pubin -inkey signing-public.pem \\\n  -in ${quote(signed.manifest)} \\\n  -sigfile ${quote(signature)}`,
    });
  }
  if (example) {
    steps.push({
      text: 'checkEvidence',
      command: `cgs-export evidence ${example.snapshot} --out evidence.zip\nunzip evidence.zip -d evidence && sh evidence/check.sh${signed ? ' /path/to/public-key.pem' : ''}`,
    });
  }
  steps.push({
    text: 'checkStore',
    command: `python3 examples/verify-store.py /path/to/copy${signed ? ' --public-key signing-public.pem' : ''}`,
  });
  return html`<h3>${words.say('checkTitle')}</h3>
<p>${words.say('checkText')}</p>
<ol class="steps">
${steps.map(
  ({
    text,
    command,
  }) => html`<li>${words.say(text)}<pre tabindex="0"><code>${command}</code></pre></li>
`,
)}</ol>
<p>${words.say('checkKnown')}</p>
`;
}
