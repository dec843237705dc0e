// Responsible for the command `status`: shows the state of every target as the store has it.

import { exitCodes } from '../core/error-policy.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import { allVariables, type CommandDefinition } from './command.ts';
import { connectTargets, openStoreByFlags } from './connection.ts';
import { formatCount, formatDuration, formatTable } from './format.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';
import { findStoredTargets } from './stored-targets.ts';
import type { TargetOptions } from './target-options.ts';

const defaultScheduleMs = 24 * 3_600_000;

export const statusCommand: CommandDefinition<TargetOptions> = {
  name: 'status',
  summary: 'show open runs and the last snapshot of every target',
  description:
    'Shows for every target: its open run, its last snapshot with verdict and age, and whether a snapshot is due. With --store alone it shows every target in that store and assumes the default schedule of 24h. Sends nothing to the service.',
  hasTargets: true,
  help: {
    writes: 'nothing',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: [
      'cgs-export status',
      'cgs-export status --store file:./export',
      "cgs-export status --json | jq '.targets[] | select(.last.ageSeconds > 86400)'",
    ],
  },
  run: runStatus,
};

async function runStatus(options: TargetOptions, session: Session): Promise<Outcome> {
  const { url, targets } = await readTargets(options, session);
  return {
    exitCode: exitCodes.complete,
    json: { status: 'ok', store: url, targets, errors: [] },
    text:
      targets.length === 0
        ? `${url} holds no snapshot and no open run yet\n`
        : `${describeTargets(targets)}\nin ${url}\n`,
    errors: [],
  };
}

async function readTargets(
  options: TargetOptions,
  session: Session,
): Promise<{ url: string; targets: TargetStatus[] }> {
  const isStoreAlone =
    options.store !== undefined && options.config === undefined && options.region === undefined;
  if (isStoreAlone) {
    const store = openStoreByFlags(options, session);
    const stored = await findStoredTargets(store);
    const targets = stored.map((target) => ({ ...target, projectQuestion: '', user: '' }));
    return { url: store.url, targets: await readStatus(store, defaultScheduleMs, targets) };
  }
  const { store, scheduleMs, targets } = await connectTargets(options, session, 'store');
  return { url: store.url, targets: await readStatus(store, scheduleMs, targets) };
}

function describeTargets(targets: readonly TargetStatus[]): string {
  const header = ['table', 'region', 'project', 'last snapshot', 'verdict', 'rows', 'age', 'state'];
  return formatTable([header, ...targets.map(describeTarget)]);
}

function describeTarget(target: TargetStatus): string[] {
  const { table, region, projectId, last, latest, open, due, heldUntil } = target;
  const states = [
    ...(open ? [`open: ${describeOpen(open)}`] : []),
    ...(due && !open ? ['due'] : []),
    ...(heldUntil ? [`on hold until ${heldUntil}`] : []),
    ...(last && last.snapshot !== latest ? [`last complete: ${latest ?? 'none'}`] : []),
  ];
  return [
    table,
    region,
    projectId ?? '(not known yet)',
    last?.snapshot ?? '-',
    last?.verdict ?? '-',
    last ? formatCount(last.rows) : '-',
    last ? formatDuration(last.ageSeconds * 1_000) : '-',
    states.join(', ') || 'up to date',
  ];
}

function describeOpen(open: NonNullable<TargetStatus['open']>): string {
  const { snapshot, phase, rows, total } = open;
  const read = rows === null || total === null ? '' : ` ${formatCount(rows)}/${formatCount(total)}`;
  return `${snapshot} ${phase}${read}`;
}
