// Responsible for the text that says how to check a report and its store without this program: commands for a shell. Pure.

import { type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import type { TextKey } from './strings-en.ts';

/** In single quotes for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function formatManualCheck({ figures }: PageFigures, words: Words): Html {
  const newest = figures.targets.flatMap((target) => target.newest ?? []);
  const signed = newest.find(({ keyId }) => keyId !== null);
  const example = signed ?? newest[0];
  const files = figures.files.map(({ name, sha256 }) => `${sha256}  ${name}`);
  const steps: { text: TextKey; command: string }[] = [];
  if (files.length > 0) {
    steps.push({
      text: 'checkFiles',
      command: `sha256sum --strict -c <<'END'\n${files.join('\n')}\nEND`,
    });
  }
  if (example) {
    const manifest = quote(example.manifest);
    steps.push(
      { text: 'checkManifest', command: `sha256sum ${manifest}` },
      {
        text: 'checkParts',
        command: `tr '{' '\\n' < ${manifest} |\n  sed -n 's/.*"key":"\\([^"]*\\)".*"sha256":"\\([0-9a-f]*\\)".*/\\2  \\1/p' | sha256sum -c`,
      },
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
      command: `cgs-export evidence ${example.snapshot} --out evidence.zip   # the operator\nunzip evidence.zip -d evidence && sh evidence/check.sh /path/to/public-key.pem   # the receiver`,
    });
  }
  steps.push({
    text: 'checkStore',
    command: `python3 verify-store.py /path/to/copy${signed ? ' --public-key signing-public.pem' : ''}`,
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
