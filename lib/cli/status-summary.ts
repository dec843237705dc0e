// Responsible for what `status` says about many targets together: the counts, the oldest snapshot, and the problems, each with the
// targets that have it.

import type { TargetStatus } from '../runs/target-status.ts';
import { describeTarget, formatAge, formatCount, formatPlural } from './format.ts';

/** Numbers of targets, for programs. A target can be counted in several of them. */
export interface StatusSummary {
  targets: number;
  /** Different accounts that are known. */
  accounts: number;
  /** Targets whose account is not known. */
  accountNotKnown: number;
  /** The newest slot has a snapshot. */
  sealed: number;
  due: number;
  open: number;
  held: number;
  /** The newest attempt failed, and the target is not held. */
  failing: number;
  /** The newest snapshot is drifted. */
  drifted: number;
  /** A slot has passed without a snapshot, and none was sealed since. */
  slotMissed: number;
  neverSealed: number;
  /** `status --check` finds something. */
  needAttention: number;
  /** The target whose newest snapshot is the oldest; null: none has a snapshot. */
  oldest: Oldest | null;
}

type Oldest = Pick<TargetStatus, 'account' | 'table' | 'region' | 'projectId'> & {
  snapshot: string;
  ageSeconds: number;
};

export function summarize(targets: readonly TargetStatus[]): StatusSummary {
  const count = (has: (target: TargetStatus) => boolean) => targets.filter(has).length;
  return {
    targets: targets.length,
    ...countAccounts(targets),
    sealed: count(({ last, due }) => last !== null && !due),
    due: count(({ due }) => due),
    open: count(({ open }) => open !== null),
    held: count(({ heldUntil }) => heldUntil !== null),
    failing: count(({ failure, heldUntil }) => failure !== null && heldUntil === null),
    drifted: count(({ last }) => last?.verdict === 'drifted'),
    slotMissed: count(({ slotMissed }) => slotMissed),
    neverSealed: count(({ last }) => last === null),
    needAttention: count(({ problems }) => problems.length > 0),
    oldest: findOldest(targets),
  };
}

function countAccounts(targets: readonly TargetStatus[]) {
  const accounts = targets.flatMap(({ account }) => account ?? []);
  return {
    accounts: new Set(accounts).size,
    accountNotKnown: targets.length - accounts.length,
  };
}

/** ` of 4 accounts`, ` of at least 4 accounts`, or ` of prod`. Empty if no account is known. */
function describeAccounts(targets: readonly TargetStatus[]): string {
  const { accounts, accountNotKnown } = countAccounts(targets);
  if (accounts === 0) return '';
  if (accountNotKnown > 0) return ` of at least ${formatPlural(accounts, 'account')}`;
  const [first] = targets;
  return accounts === 1 ? ` of ${first?.account}` : ` of ${formatPlural(accounts, 'account')}`;
}

function findOldest(targets: readonly TargetStatus[]): Oldest | null {
  let oldest: Oldest | null = null;
  for (const { last, account, table, region, projectId } of targets) {
    if (!last || (oldest && last.snapshot >= oldest.snapshot)) continue;
    const { snapshot, ageSeconds } = last;
    oldest = { account, table, region, projectId, snapshot, ageSeconds };
  }
  return oldest;
}

/** Ends with a line feed. Counts of 0 are left out, but for those that are always of interest. */
export function describeSummary(targets: readonly TargetStatus[], url: string): string {
  const summary = summarize(targets);
  const { oldest, needAttention } = summary;
  const counts = [
    [summary.sealed, 'sealed'],
    [summary.due, 'due'],
    [summary.open, 'open'],
    [summary.held, 'held'],
    [summary.failing, 'failing'],
    [summary.drifted, 'drifted'],
    [summary.slotMissed, 'missed a slot'],
    [summary.neverSealed, 'never sealed'],
  ] as const;
  const named = counts
    .filter(([count], index) => count > 0 || index < 2)
    .map(([count, name]) => `${formatCount(count)} ${name}`);
  const of = describeAccounts(targets);
  const lines = [`${formatPlural(summary.targets, 'target')}${of} in ${url}`, named.join(', ')];
  if (oldest) {
    const age = formatAge(oldest.ageSeconds * 1_000);
    lines.push(`oldest last snapshot: ${oldest.snapshot} (${age}) of ${describeTarget(oldest)}`);
  }
  if (needAttention > 0) {
    lines.push(
      `${needAttention} need${needAttention === 1 ? 's' : ''} attention: ${countProblems(targets)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** `held (REFUSED): 4 of prod; old: 7 of 3 accounts` */
function countProblems(targets: readonly TargetStatus[]): string {
  const byName = new Map<string, TargetStatus[]>();
  for (const target of targets) {
    const names = target.problems.map(({ kind, code }) => (code ? `${kind} (${code})` : kind));
    for (const name of new Set(names)) byName.set(name, [...(byName.get(name) ?? []), target]);
  }
  return [...byName]
    .map(([name, having]) => `${name}: ${formatCount(having.length)}${describeAccounts(having)}`)
    .join('; ');
}

/** Of the targets with one problem, at most this many are listed below it. The table has all of them. */
const listedMax = 10;

interface Finding {
  target: TargetStatus;
  /** What happened: the rest of the first line. */
  message: string;
  hint: string;
  /** Findings with one name and one hint are shown together. */
  name: string;
}

/** Why the newest attempt of a target failed, where no problem says it. Empty if all problems say it. */
export function describeFailures(targets: readonly TargetStatus[]): string {
  const findings = targets.flatMap((target): Finding[] => {
    const { failure, problems } = target;
    if (!failure || problems.some(({ code }) => code === failure.code)) return [];
    const { code, message, hint, since, failures } = failure;
    return [
      {
        target,
        name: code,
        message: `since ${since} (${failures} in a row): ${code}: ${message}`,
        hint,
      },
    ];
  });
  return findings.length === 0 ? '' : `\nnewest attempt failed:\n${describeFindings(findings)}`;
}

/** Each problem with what to do, and the targets that have it. Empty if there is none. */
export function describeProblems(targets: readonly TargetStatus[]): string {
  const found = targets.filter(({ problems }) => problems.length > 0);
  if (found.length === 0) return '';
  const findings = found.flatMap((target) =>
    target.problems.map(({ kind, code, message, hint }): Finding => {
      const name = code === null ? kind : `${kind}: ${code}`;
      return { target, name, message: `${name}: ${message}`, hint };
    }),
  );
  const head = `${formatPlural(found.length, 'target')} with problems:`;
  return `\n${head}\n${describeFindings(findings)}`;
}

function describeFindings(findings: readonly Finding[]): string {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.name}\n${finding.hint}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()].map(describeGroup).join('');
}

/** What differs between the targets, such as times, is that of the first one. */
function describeGroup(findings: readonly Finding[]): string {
  const [first] = findings;
  if (!first) return '';
  const areAlike = findings.every(({ message }) => message === first.message);
  const more = findings.length - listedMax;
  const lines = [
    ...findings.slice(0, listedMax).map(({ target }) => `  ${describeTarget(target)}`),
    ...(more > 0 ? [`  and ${formatCount(more)} more, see the table`] : []),
    `    ${first.message}${areAlike ? '' : ' (the first of them; --json has each)'}`,
    ...first.hint.split('\n').map((line) => `      ${line}`),
  ];
  return `${lines.join('\n')}\n`;
}
