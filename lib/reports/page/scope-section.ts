// Responsible for the section about scope: targets, period, newest manifests with their hashes, and the files of the report. Pure.

import { countHosts, type HostKinds } from '../../snapshots/host-kinds.ts';
import type { CoverageFigures, ReportFigures, TargetFigures } from '../figures.ts';
import { code, gap, type Html, hash, html, name, type Words } from './markup.ts';
import type { PageFigures } from './page-limits.ts';
import { findLateStart } from './page-summary.ts';
import { showTarget } from './row-columns.ts';
import type { TextKey } from './strings-en.ts';
import { formatPairs, formatTable, scroll } from './table-markup.ts';
import { formatNumber, formatTime } from './texts.ts';

const listedMax = 40;

export function formatScope({ figures, left }: PageFigures, words: Words): Html {
  const { period, madeAt, writer, store } = figures;
  const list = (values: readonly string[]) => {
    const all = [...new Set(values)];
    const more = all.length > listedMax ? '…' : null;
    return html`${all
      .slice(0, listedMax)
      .map((value, index) => [index > 0 ? words.say('comma') : null, name(value)])}${more}`;
  };
  return html`<section id="scope" aria-labelledby="scope-title">
<h2 id="scope-title">${words.say('scope')}</h2>
<p>${words.say('scopeText', figures.targets.length + left.targets)}</p>
${formatPairs([
  [
    words.say('period'),
    words.say('periodValue', `${formatTime(period.since)} UTC`, `${formatTime(period.until)} UTC`),
  ],
  [words.say('made'), html`${formatTime(madeAt)} UTC`],
  [words.say('madeBy'), name(writer)],
  [words.say('storeName'), code(store)],
  [words.say('accounts'), list(figures.targets.map(({ account }) => account))],
  [words.say('regions'), list(figures.targets.map(({ region }) => region))],
  ...formatHostKinds(figures, words),
])}<h3>${words.say('newestTitle')}</h3>
${formatNewest(figures, words)}${left.targets > 0 ? html`<p class="note">${words.say('leftTargets', left.targets)}</p>` : null}${formatCoverage(figures, words)}</section>
`;
}

/** Empty: no target has a complete snapshot. */
function formatHostKinds({ hostKinds }: ReportFigures, words: Words): [Html, Html][] {
  const { all, unprotected } = hostKinds;
  const say = ({ containerNodes, otherHosts, notStated }: HostKinds) =>
    words.say('hostKinds', containerNodes, otherHosts, notStated);
  if (countHosts(all) === 0) return [];
  return [
    [words.say('hostsAll'), say(all)],
    [words.say('hostsUnprotected'), say(unprotected)],
  ];
}

/** What the report says nothing about. */
function formatCoverage({ coverage }: ReportFigures, words: Words): Html | null {
  if (!coverage) return null;
  const { neverSealed, notCovered } = coverage;
  const list = (text: TextKey, { total, shown }: { total: number; shown: readonly Uncovered[] }) =>
    total === 0
      ? null
      : html`<p class="note">${words.say(text, total)}${gap}${shown.map(
          ({ account, table, region, projectId }, index) => [
            index > 0 ? words.say('semicolon') : null,
            name([account, table, region, projectId ?? ''].join(' ').trim()),
          ],
        )}${total > shown.length ? html`${words.say('semicolon')}…` : null}</p>
`;
  return html`${list('neverSealed', neverSealed)}${list('notCovered', notCovered)}`;
}

type Uncovered = CoverageFigures['neverSealed']['shown'][number];

function formatNewest({ targets }: ReportFigures, words: Words): Html {
  return scroll(
    words,
    'newestTitle',
    formatTable(
      words,
      html`<span class="v">${words.say('newestTitle')}</span>`,
      [
        { title: 'target' },
        { title: 'snapshot' },
        { title: 'verdict' },
        { title: 'rows', kind: 'number' },
        { title: 'manifest' },
      ],
      targets.map((target) => [formatTarget(target), ...formatSnapshot(target, words)]),
    ),
  );
}

/** In two lines: the second one is the project. */
export function formatTarget(target: TargetFigures): Html {
  const { main, detail = '' } = showTarget(target);
  return html`${name(main)} <small>${code(detail)}</small>`;
}

/** Says so if the rows of the first snapshots with counts are not there any more. */
function sayKnownFrom(target: TargetFigures, words: Words): Html | null {
  const { knownFrom, newestComplete } = target;
  if (newestComplete === null) return null;
  if (knownFrom === null) return html` <small>${words.say('knownNever')}</small>`;
  const late = findLateStart(target);
  return late === null ? null : html` <small>${words.say('knownFrom', formatTime(late))}</small>`;
}

function formatSnapshot(target: TargetFigures, words: Words): Html[] {
  const { newest, newestComplete } = target;
  if (newest === null) return [words.say('noSnapshot'), html``, html``, html``];
  const signed =
    newest.keyId === null ? words.say('notSigned') : words.say('signedBy', newest.keyId);
  const older =
    newestComplete !== null && newestComplete.snapshot !== newest.snapshot
      ? html` <small>${words.say('newestComplete', newestComplete.snapshot)}</small>`
      : null;
  return [
    html`<span class="t">${newest.snapshot}</span> <small>${words.say('readFromTo', formatTime(newest.startedAt), formatTime(newest.sealedAt))}</small>${older}${sayKnownFrom(target, words)}`,
    words.say(newest.verdict === 'complete' ? 'verdictComplete' : 'verdictDrifted'),
    html`${formatNumber(newest.rows)}`,
    html`${code(newest.manifest)} <small>${hash(newest.manifestSha256)}</small> <small>${signed}</small>`,
  ];
}
