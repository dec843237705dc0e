// Responsible for the command `status`: shows the state of every target as the store has it.

import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import {
  manifestsPrefix,
  parseManifestKey,
  scheduleKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeSchedule } from '../runs/schedule.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectStore } from './connection.ts';
import { formatCount, formatDuration, formatTable } from './format.ts';
import { addPickOptions, addStoreOptions, type PickOptions, type StoreOptions } from './options.ts';
import type { Session } from './session.ts';

type StatusOptions = StoreOptions & PickOptions;

const defaultScheduleMs = 24 * 3_600_000;

export const statusCommand: CommandDefinition<StatusOptions> = {
  name: 'status',
  summary: 'show open runs and the last snapshot of every target',
  description:
    'Shows for every target: its open run, its last snapshot with verdict and age, and whether a snapshot is due. With --store it shows every target in that store (or table) and assumes the default schedule of 24h. Sends nothing to the service.',
  addTargetOptions(command) {
    addPickOptions(command);
    addStoreOptions(command);
  },
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export status',
    'cgs-export status --store file:./export',
    "cgs-export status --json | jq '.targets[] | select(.last.ageSeconds > 86400)'",
  ],
  run: runStatus,
};

async function runStatus(options: StatusOptions, session: Session): Promise<Outcome> {
  const { store, scheduleMs, targets } = await connectStore(options, session);
  const statuses =
    options.store === undefined
      ? await readStatus(store, scheduleMs, targets)
      : await readStoredStatus(store, options);
  const text =
    statuses.length === 0
      ? `${store.url} holds no snapshot and no open run yet\n`
      : `${describeTargets(statuses)}\nin ${store.url}\n`;
  const json = { status: 'ok', store: store.url, targets: statuses, errors: [] };
  return { exitCode: exitCodes.complete, json, text };
}

/** The status of every stored target, or of those in the tables that are picked. Throws ConfigError for --account. */
async function readStoredStatus(
  store: Store,
  { account, table: tables }: PickOptions,
): Promise<TargetStatus[]> {
  if (account !== undefined) {
    const hint = 'Use --table, or a configuration file: only that names accounts.';
    throw configFault('--account', 'cannot be combined with --store', hint);
  }
  const targets = (await findStoredTargets(store))
    .filter(({ table }) => tables === undefined || tables.includes(table))
    .map((target) => ({ ...target, projectQuestion: '', user: '' }));
  return readStatus(store, defaultScheduleMs, targets);
}

/** Every target that has a snapshot or an entry in the schedule, each once, sorted by name. */
export async function findStoredTargets(store: Store): Promise<TargetKey[]> {
  const found = new Map<string, TargetKey>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const place = parseManifestKey(key);
    if (place) found.set(targetId(place.target), place.target);
  }
  for (const id of Object.keys(decodeSchedule(await store.get(scheduleKey)).targets)) {
    const [, table, region, projectId] = /^([^/]+)\/rgn=([^/]+)\/prj=([^/]+)$/.exec(id) ?? [];
    if (table && region && projectId) found.set(id, { table, region, projectId });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
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
