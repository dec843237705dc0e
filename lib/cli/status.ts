// Owns `status`: what a store tells of its targets, for people and programs. Refuses to send anything to the service.

import type { Command } from 'commander';
import { connect } from '../app/connect.ts';
import { exitCodes } from '../core/error-policy.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import { formatTable } from './format.ts';
import {
  addCommonOptions,
  addHelp,
  addTargetOptions,
  allVariables,
  pickOf,
  readConfig,
  type TargetOptions,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import { formatCount, formatDuration } from './progress.ts';
import type { Session } from './session.ts';
import { findStoredTargets, openStoreByFlags } from './stored-targets.ts';

const defaultScheduleMs = 24 * 3_600_000;

export function addStatus(program: Command): Command {
  const command = program
    .command('status')
    .summary('open runs, last snapshots, age, verdict')
    .description(
      'Tells of every target: its open run, its last snapshot with age and verdict, whether it is due. With --store alone: of everything in that store, due by the default schedule of 24h. Sends nothing to the service.',
    );
  addTargetOptions(addCommonOptions(command));
  return addHelp(command, {
    writes: 'nothing',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: [
      'cgs-export status',
      'cgs-export status --store file:./export',
      "cgs-export status --json | jq '.targets[] | select(.last.ageSeconds > 86400)'",
    ],
  });
}

export async function runStatus(options: TargetOptions, session: Session): Promise<Outcome> {
  const { url, targets } = await readTargets(options, session);
  return {
    exitCode: exitCodes.complete,
    json: { status: 'ok', store: url, targets, errors: [] },
    text:
      targets.length === 0 ? `nothing in ${url} yet\n` : `${describeTargets(targets)}\nin ${url}\n`,
    errors: [],
  };
}

async function readTargets(
  options: TargetOptions,
  session: Session,
): Promise<{ url: string; targets: TargetStatus[] }> {
  const { world, log, scrubber } = session;
  const isStoreAlone =
    options.store !== undefined && options.config === undefined && options.region === undefined;
  if (isStoreAlone) {
    const store = openStoreByFlags(options, session);
    const found = await findStoredTargets(store);
    const asked = found.map((target) => ({ ...target, projectQuestion: '', user: '' }));
    return { url: store.url, targets: await readStatus(store, defaultScheduleMs, asked) };
  }
  const config = await readConfig(options, world, 'store');
  const connection = connect(config, { log, scrubber, pick: pickOf(options) });
  return { url: connection.store.url, targets: await connection.status() };
}

function describeTargets(targets: readonly TargetStatus[]): string {
  const header = ['table', 'region', 'project', 'last snapshot', 'verdict', 'rows', 'age', 'now'];
  return formatTable([header, ...targets.map(describeTarget)]);
}

function describeTarget(target: TargetStatus): string[] {
  const { table, region, projectId, last, latest, open, due, heldUntil } = target;
  const now = [
    ...(open ? [`open: ${describeOpen(open)}`] : []),
    ...(due && !open ? ['due'] : []),
    ...(heldUntil ? [`left alone until ${heldUntil}`] : []),
    ...(last && last.snapshot !== latest ? [`last complete: ${latest ?? 'none'}`] : []),
  ];
  return [
    table,
    region,
    projectId ?? '(not asked yet)',
    last?.snapshot ?? '-',
    last?.verdict ?? '-',
    last ? formatCount(last.rows) : '-',
    last ? formatDuration(last.ageSeconds * 1_000) : '-',
    now.join(', ') || 'up to date',
  ];
}

function describeOpen(open: NonNullable<TargetStatus['open']>): string {
  const { snapshot, phase, rows, total } = open;
  const read = rows === null || total === null ? '' : ` ${formatCount(rows)}/${formatCount(total)}`;
  return `${snapshot} ${phase}${read}`;
}
