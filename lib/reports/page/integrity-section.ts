// Responsible for the section about integrity: what was verified, what that proves, and each fault. Pure.

import type { ProofStatement } from '../../verification/proof-texts.ts';
import type { IntegrityFigures } from '../figures.ts';
import { sayLeft } from './completeness-section.ts';
import { formatManualCheck } from './manual-check.ts';
import { code, type Html, html, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { judgeIntegrity } from './page-summary.ts';
import type { TextKey } from './strings-en.ts';
import { formatPairs, formatTable, scroll } from './table-markup.ts';
import { formatNumber, formatTime, showSentence } from './texts.ts';

export function formatIntegrity(page: PageFigures, words: Words): Html {
  const { integrity } = page.figures;
  const trust = judgeIntegrity(integrity);
  const unchecked = integrity.unchecked.total + integrity.notReached.length;
  const status = {
    failed: () => words.say('integrityFailed', integrity.faults.total),
    notVerified: () => words.say('integrityNotVerified'),
    unchecked: () => words.say('bannerUnchecked', unchecked),
    consistent: () => words.say('integrityVerified'),
    anchored: () => words.say('integrityVerified'),
  }[trust]();
  return html`<section id="integrity" aria-labelledby="integrity-title">
<h2 id="integrity-title">${words.say('integrity')}</h2>
<p><strong>${status}</strong></p>
${trust === 'notVerified' ? null : formatProof(integrity, words)}${formatFindings('faultsTitle', integrity.faults, words)}${formatFindings('uncheckedTitle', integrity.unchecked, words)}${formatNotReached(page, words)}${formatManualCheck(page, words)}</section>
`;
}

/** A text of the verification, which is in English. */
function inEnglish(text: string): Html {
  return html`<span lang="en">${showSentence(text)}</span>`;
}

function formatProof(integrity: IntegrityFigures, words: Words): Html {
  const { statements, manifests, parts, bytes, notHashed, signatures, pinned, pruned } = integrity;
  const number = (value: number) => html`${formatNumber(value)}`;
  const megabytes = `${formatNumber(Math.round(bytes / 10_000) / 100)} MB`;
  const keys =
    signatures.keyIds.length === 0
      ? words.say('keysNone')
      : html`${words.say(signatures.keysFrom === 'given' ? 'keysGiven' : 'keysStore')}${words.say('colon')}${signatures.keyIds.map((id, index) => [index > 0 ? words.say('comma') : null, code(id)])}`;
  const isWhole = integrity.faults.total + integrity.unchecked.total === 0;
  const except = isWhole ? null : html`<p>${words.say('provenExcept')}</p>`;
  const sentences: [Html, Html][] = [
    [words.say('proven'), html`${except}${formatStatements(statements.proven, words)}`],
    [words.say('notProven'), formatStatements(statements.notProven, words)],
  ];
  // Faults that were found without a verification prove nothing.
  const hasProof = statements.proven.length > 0;
  return html`<div class="proof">${hasProof ? formatPairs(sentences) : null}</div>
${formatPairs([
  [words.say('manifests'), number(manifests)],
  [words.say('parts'), words.say('partsValue', parts, megabytes)],
  ...(notHashed.parts > 0
    ? ([[words.say('notHashed'), words.say('notHashedValue', notHashed.parts)]] as const)
    : []),
  ...(notHashed.since !== null
    ? ([[words.say('hashedSince'), html`${formatTime(notHashed.since)} UTC`]] as const)
    : []),
  [words.say('signatures'), words.say('signaturesValue', signatures.valid, signatures.unsigned)],
  [words.say('keys'), keys],
  [
    words.say('pins'),
    pinned === null
      ? words.say('pinsNone')
      : words.say('pinsValue', pinned.targets, pinned.without),
  ],
  [words.say('prunedSnapshots'), number(pruned)],
])}`;
}

/** Of the parameters, those that are text are times. They are exact: a snapshot of the same minute can be excepted. */
function formatStatements(statements: readonly ProofStatement[], words: Words): Html {
  const show = (value: string | number) =>
    typeof value === 'number' ? value : value.replace('T', ' ').replace(/(\.000)?Z$/, ' UTC');
  return html`<ul>
${statements.map(
  ({ code: key, parameters }) => html`<li>${words.say(key, ...parameters.map(show))}</li>
`,
)}</ul>`;
}

function formatFindings(
  title: TextKey,
  { total, shown }: IntegrityFigures['faults'],
  words: Words,
): Html | null {
  if (total === 0) return null;
  const rows = shown.map(({ key, message, hint }) => [
    code(key),
    inEnglish(message),
    inEnglish(hint),
  ]);
  return html`<h3>${words.say(title)}</h3>
<p class="note">${words.say('findingWords')}</p>
${scroll(
  words,
  title,
  formatTable(
    words,
    html`<span class="v">${words.say(title)}</span>`,
    [{ title: 'object' }, { title: 'finding' }, { title: 'whatToDo' }],
    rows,
  ),
)}${sayLeft(total - rows.length, words)}`;
}

function formatNotReached({ figures, left, level }: PageFigures, words: Words): Html | null {
  const { notReached } = figures.integrity;
  if (notReached.length === 0) return null;
  const shown = notReached.slice(0, level.listed);
  return html`<h3>${words.say('notReachedTitle')}</h3>
<ul>${shown.map(
    (key) => html`<li>${code(key)}</li>
`,
  )}</ul>
${sayLeft(notReached.length - shown.length + left.notReached, words)}`;
}
