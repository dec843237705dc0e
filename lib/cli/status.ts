// Responsible for the command `status`: shows the state of every target as the store has it.

import type { Connection } from '../app/connect.ts';
import { exitCodes } from '../core/error-policy.ts';
import { CorruptError, configFault, StoreError } from '../core/errors.ts';
import {
  headsPrefix,
  latestPrefix,
  parsePointerKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Log, Store } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import { readHolder } from '../quota/lease.ts';
import { unresolvedId } from '../runs/projects.ts';
import { emptySchedule, type Schedule } from '../runs/schedule.ts';
import { readSchedule } from '../runs/stored-schedule.ts';
import {
  readStatus,
  type StatusTarget,
  type TargetStatus,
  type Worker,
} from '../runs/target-status.ts';
import { listTargets } from '../snapshots/catalog.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { checkFolder, connectStore } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { fitLines, formatAge, formatCount, formatPlural } from './format.ts';
import { choice } from './options.ts';
import { addReaderOptions, type ReaderOptions } from './picked-targets.ts';
import { formatPrometheus } from './prometheus.ts';
import { type Session, tableColumns } from './session.ts';
import {
  describeFailures,
  describeProblems,
  describeSummary,
  summarize,
} from './status-summary.ts';
import { logUncovered, type StoredPicks } from './stored-targets.ts';
import { formatTargets } from './target-table.ts';

type StatusOptions = ReaderOptions & {
  check?: boolean;
  problems?: boolean;
  format: 'table' | 'prometheus';
};

export const statusCommand: CommandDefinition<StatusOptions> = {
  name: 'status',
  summary: 'show open runs and the last snapshot of every target',
  description:
    'Shows a summary of all targets, and for each one: its open run, its last snapshot with verdict and age, whether a snapshot is due, and why a target is held. The age counts from the time in the name of the snapshot (the start of its slot or run), not from when it was sealed. With --store it shows every target in that store, each with the schedule of its newest snapshot (24h without one). Sends nothing to the service.',
  addOptions: (command) =>
    command
      .option('--check', 'exit with 7 if a target needs attention (see below)')
      .option('--problems', 'show only targets that need attention')
      .addOption(
        choice('--format <format>', 'format of the output', ['table', 'prometheus']).default(
          'table',
        ),
      ),
  addTargetOptions: addReaderOptions,
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4, 5, 7],
  examples: [
    'cgs-export status',
    'cgs-export status --check --problems',
    'cgs-export status --store file:./export',
    "cgs-export status --json | jq '.targets[] | select((.last.ageSeconds // 1e9) > 86400)'",
    'cgs-export status --format prometheus > /var/lib/node_exporter/cgs_export.prom',
  ],
  note: 'State: `due`: a slot has begun since the newest snapshot. `open … collecting`: a run reads the\nlist; `judging`, `sealing`: it has read all pages. `up to date`: none of these.\n\nA target needs attention if it was never sealed, if its newest snapshot drifted, is older than\n2 schedules or has a name in the future, if it is held, if its run was abandoned, or if one\nof its objects cannot be read. A missed slot alone is not a problem.',
  run: runStatus,
};

async function runStatus(options: StatusOptions, session: Session): Promise<Outcome> {
  const { store: address, format, json = false, check, problems: onlyProblems } = options;
  if (json && format === 'prometheus') {
    throw configFault('--format', 'cannot be combined with --json', 'Choose one of the two.');
  }
  const { account, table, region, project, ...storeOptions } = options;
  const picks = { account, table, region, project };
  // With --store, the region that is picked is also that of the bucket.
  const byFile = { ...(account && { account }), ...(table && { table }) };
  const ofAddress = address === undefined ? byFile : { region: region?.[0] };
  const connection = await connectStore({ ...storeOptions, ...ofAddress }, session);
  const { store, scheduleMs, targets } = connection;
  await checkFolder(store, address === undefined ? 'store' : '--store');
  const worker = await findWorker(connection, session.log);
  const all =
    address === undefined
      ? await readStatus(store, scheduleMs, targets, worker)
      : await readStatus(store, null, await findStoredTargets(store), worker);
  if (address === undefined) await logStoredOnly(store, all, picks, session.log);
  const source = address === undefined ? 'the configuration' : 'the store';
  const statuses = pickStatuses(all, picks, source);
  const found = statuses.filter(({ problems }) => problems.length > 0);
  const shown = onlyProblems ? found.sort(compareBehind) : statuses;
  // A damaged object is a problem of its target. An object that may not be read is a fault of this call.
  const denied = found.flatMap(({ problems }) => problems).filter(isDenied);
  // A store without any target may be a mistyped address, so a check must not call it good.
  const needsAttention = found.length > 0 || statuses.length === 0;
  return {
    exitCode: worstOf([
      ...(denied.length > 0 ? [exitCodes.denied] : []),
      ...(check && needsAttention ? [exitCodes.attention] : []),
    ]),
    json: {
      status: denied.length > 0 ? 'failed' : 'ok',
      store: store.url,
      // Of the configuration. Each target of a store has its own.
      scheduleSeconds: address === undefined ? scheduleMs / 1_000 : null,
      summary: summarize(statuses),
      targets: shown,
      errors: denied.map(({ code, message, hint }) => ({ code: code ?? '', message, hint })),
    },
    text:
      format === 'prometheus'
        ? formatPrometheus(shown)
        : describeStatus({
            statuses,
            shown,
            worker,
            url: store.url,
            columns: tableColumns(session),
          }),
  };
}

/** The exporter that holds the lease of the store; null: none works now, or the lease cannot be read. */
async function findWorker({ store, host }: Connection, log: Log): Promise<Worker | null> {
  const ports = { store, host, log, clock: systemClock, random: Math.random };
  try {
    const held = await readHolder(ports);
    return held && { name: held.holder };
  } catch (error) {
    // A user with permission to read snapshots may have none to read the lease.
    if (error instanceof StoreError) return null;
    throw error;
  }
}

/** The target that is behind for the longest time first; then those that are not behind, in their order. */
function compareBehind(a: TargetStatus, b: TargetStatus): number {
  if (a.behindSince === b.behindSince) return 0;
  if (a.behindSince === null || b.behindSince === null) return a.behindSince === null ? 1 : -1;
  return a.behindSince < b.behindSince ? -1 : 1;
}

function isDenied({ kind, code }: TargetStatus['problems'][number]): boolean {
  return kind === 'unreadable' && code !== 'CORRUPT';
}

/** Throws ConfigError for a name that none of the targets has, or if none is picked. `source`: where the targets are from. */
function pickStatuses(
  statuses: readonly TargetStatus[],
  picks: StoredPicks,
  source: string,
): TargetStatus[] {
  const valueIn = {
    account: ({ account }: TargetStatus) => account ?? 'unknown',
    table: ({ table }: TargetStatus) => table,
    region: ({ region }: TargetStatus) => region,
    project: ({ projectId }: TargetStatus) => projectId ?? 'unknown',
  };
  const names = ['account', 'table', 'region', 'project'] as const;
  for (const name of names) {
    const known = [...new Set(statuses.map(valueIn[name]))];
    for (const picked of picks[name] ?? []) {
      if (known.includes(picked)) continue;
      const hint = known.length > 0 ? `Choose one of: ${known.join(', ')}.` : 'It has no target.';
      throw configFault(`--${name}`, `${source} has no ${name} "${picked}"`, hint);
    }
  }
  return statuses.filter((status) =>
    names.every((name) => picks[name]?.includes(valueIn[name](status)) ?? true),
  );
}

/** Says which stored targets the configuration does not have. */
async function logStoredOnly(
  store: Store,
  statuses: readonly TargetStatus[],
  picks: StoredPicks,
  log: Log,
): Promise<void> {
  const isCovered = ({ table, region, projectId }: TargetKey) =>
    statuses.some(
      (one) =>
        one.table === table &&
        one.region === region &&
        (one.projectId === null || one.projectId === projectId),
    );
  await logUncovered(store, isCovered, picks, log);
}

/** Every target that has a manifest, a pointer or an entry in the schedule, each once, sorted by name. */
export async function findStoredTargets(store: Store): Promise<StatusTarget[]> {
  const found = new Map<string, StatusTarget>();
  const unknown = { account: null, projectQuestion: '', user: null };
  for (const [id, target] of await listTargets(store)) found.set(id, { ...target, ...unknown });
  // A target that has lost its manifests must not look as if it had never been sealed.
  for (const { key } of [...(await store.list(headsPrefix)), ...(await store.list(latestPrefix))]) {
    const target = parsePointerKey(key);
    if (target) found.set(targetId(target), { ...target, ...unknown });
  }
  const schedule = await readScheduleOrEmpty(store, found.size > 0);
  for (const id of Object.keys(schedule.targets)) {
    const match = /^([^/]+)\/rgn=([^/]+)\/(prj|account)=(.+)$/.exec(id);
    const [, table, region, kind, name] = match ?? [];
    if (!table || !region || !name) continue;
    const place = { table, region, ...unknown };
    if (kind === 'prj') found.set(id, { ...place, projectId: name });
    else
      found.set(unresolvedId({ ...place, account: name }), {
        ...place,
        projectId: null,
        account: name,
      });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}

/** A damaged schedule is reported with each target. If there is no other target, this throws CorruptError. */
async function readScheduleOrEmpty(store: Store, hasTargets: boolean): Promise<Schedule> {
  try {
    return await readSchedule(store);
  } catch (error) {
    if (!hasTargets || !(error instanceof CorruptError)) throw error;
    return emptySchedule();
  }
}

interface Shown {
  statuses: readonly TargetStatus[];
  /** Those of `statuses` that the options select. */
  shown: readonly TargetStatus[];
  worker: Worker | null;
  url: string;
  /** Null: no limit. */
  columns: number | null;
}

/** The summary is always of all targets. */
function describeStatus({ statuses, shown, worker, url, columns }: Shown): string {
  const work = worker ? `an exporter is working on it now: ${worker.name ?? 'unknown'}\n` : '';
  if (statuses.length === 0) return `${url} holds no snapshot and no open run yet\n${work}`;
  if (shown.length === 0) {
    return `no problem: ${formatPlural(statuses.length, 'target')} in ${url}\n`;
  }
  const more = {
    header: ['last snapshot', 'verdict', 'rows', 'age', 'state'],
    rows: shown.map(toCells),
    numeric: [2, 3],
  };
  const details = `${describeProblems(shown)}${describeFailures(shown)}`;
  const table = formatTargets(shown, more, columns);
  return fitLines(`${describeSummary(statuses, url)}${work}\n${table}\n${details}`, columns);
}

function toCells(target: TargetStatus): string[] {
  const { last } = target;
  const mark = last?.altered ? ' (altered)' : '';
  return [
    last?.snapshot ?? '-',
    last ? `${last.verdict}${mark}` : '-',
    last ? `${formatCount(last.rows)}${mark}` : '-',
    last ? formatAge(last.ageSeconds * 1_000) : '-',
    describeState(target),
  ];
}

function describeState(target: TargetStatus): string {
  const { missedSlots, slotMissed } = target;
  const state = listStates(target).join(', ') || 'up to date';
  const isPast = missedSlots > 0 && !slotMissed;
  return isPast ? `${state}; ${formatPlural(missedSlots, 'slot')} missed before` : state;
}

function listStates(target: TargetStatus): string[] {
  const { last, latest, open, due, heldUntil, failure, problems } = target;
  const { missedSlots, slotMissed, behindSince } = target;
  const kinds = new Set(problems.map(({ kind }) => kind));
  const marks = ['never sealed', 'abandoned', 'old', 'ahead', 'unreadable'] as const;
  return [
    ...marks.filter((kind) => kinds.has(kind)),
    ...(open ? [`open: ${describeOpen(open)}`] : []),
    ...(due && !open ? ['due'] : []),
    ...(heldUntil ? [`held until ${heldUntil}`] : []),
    ...(failure && !heldUntil ? ['newest attempt failed'] : []),
    ...(behindSince ? [`behind since ${behindSince.slice(0, 16).replace('T', ' ')}`] : []),
    ...(slotMissed ? [`missed slots: ${formatCount(missedSlots)}`] : []),
    ...(last && last.snapshot !== latest ? [`last complete: ${latest ?? 'none'}`] : []),
  ];
}

function describeOpen(open: NonNullable<TargetStatus['open']>): string {
  const { snapshot, phase, rows, total, sealAttempts, waitsFor } = open;
  const read = rows === null || total === null ? '' : ` ${formatCount(rows)}/${formatCount(total)}`;
  // The newest attempt may be going on.
  const stuck = sealAttempts > 1 ? ` (sealing was interrupted ${sealAttempts - 1} times)` : '';
  const wait =
    waitsFor === null
      ? ''
      : ` (waits until ${waitsFor.snapshot}, run ${waitsFor.run}, is sealed, for at most ${waitsFor.leftSeconds} s)`;
  return `${snapshot} ${phase}${read}${stuck}${wait}`;
}
