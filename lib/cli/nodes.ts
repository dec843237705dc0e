// Responsible for the command `nodes`: the rows of one complete snapshot of each target.

import type { Connection } from '../app/connect.ts';
import { listErrors } from '../app/verify-run.ts';
import { exitCodes } from '../core/error-policy.ts';
import { CorruptError, configFault } from '../core/errors.ts';
import { snapshotName, snapshotTimeMs } from '../core/object-keys.ts';
import { formatTime } from '../core/time-text.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { addHost, noHosts, sumKinds } from '../snapshots/host-kinds.ts';
import { openCellOrder, openPartRows } from '../snapshots/part-rows.ts';
import { describeReading, isReadAfter } from '../snapshots/reading-time.ts';
import { readTimeline, type Timeline } from '../snapshots/timeline.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { worstOf } from './exit-code.ts';
import { describeTarget, formatPlural } from './format.ts';
import { type NodeFilters, type NodeTests, openNodeTests } from './node-filter.ts';
import { type NodeOutput, openNodeOutput, type ShownCounts } from './node-output.ts';
import { choice, collectValues } from './options.ts';
import {
  addReaderOptions,
  connectPickedTargets,
  describePick,
  keepContainerNodes,
  type ReaderOptions,
} from './picked-targets.ts';
import {
  chooseFormat,
  describeRead,
  openPrinter,
  type Print,
  type RowFormat,
  rowFormats,
} from './row-output.ts';
import { type Session, tableColumns } from './session.ts';
import {
  type Compared,
  checkKept,
  chooseForEach,
  findSnapshot,
  listCompleteRows,
  type Retry,
  toCompared,
} from './snapshot-pair.ts';
import type { StoredTarget } from './stored-targets.ts';
import { readLastMoment } from './time-option.ts';

type NodesOptions = ReaderOptions & NodeFilters & { at?: string; format?: RowFormat };

export const nodesCommand: CommandDefinition<NodesOptions> = {
  name: 'nodes',
  summary: 'list the nodes of the newest complete snapshot of every target',
  description:
    'Lists the rows of the newest complete snapshot of each target, or with --at of the newest one that is not later than that time. Shows the name and the age of the snapshot, and warns if newer snapshots drifted or slots were missed after it. Sends nothing to the service.',
  addOptions: (command) =>
    command
      .option('--at <t>', 'the state at this time (see below)')
      .option('--unprotected', 'only nodes whose protect_status is not `opened`, or not known')
      .option('--offline', 'only nodes whose agent_status is `offline`')
      .option(
        '--where <column=value>',
        'only nodes with this value; repeatable: all must hold',
        collectValues,
      )
      .addOption(choice('--format <format>', 'format of the output (default: table)', rowFormats)),
  addTargetOptions: addReaderOptions,
  writes: 'nothing in the store; a copy of one part in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export nodes --unprotected',
    'cgs-export nodes --unprotected --at 2026-11-01 --format csv > unprotected.csv',
    'cgs-export nodes --where host_status=ACTIVE --where agent_id=null',
    'cgs-export nodes --store file:./export --format ndjson | jq -r .host_id',
  ],
  note: 'A time is a date (its last second in UTC), a time in UTC (2026-11-24T00:00:00Z) or with its offset\n(2026-11-24T08:00:00+08:00), or an age such as 30d. In --where, `COLUMN=` means an empty text and\n`COLUMN=null` no value. CSV and NDJSON have all columns; the table has the most important ones. Its\ncolumn `since` says since when a node is unprotected or offline, or when it was first seen: the\nfirst complete snapshot that shows it, with the time from then on to now (or --at). Times are in\nUTC; those of the last 7 days have the time of day. If retention has deleted the rows, the exit code\nis 2 (PRUNED), and the nearest snapshot that has its rows is named. With --json, only the snapshots\nand the numbers of nodes are printed.\n\nThe service can also list hosts that are not container nodes. `--where is_container_node=true`\nselects only container nodes.',
  run: runNodes,
};

async function runNodes(options: NodesOptions, session: Session): Promise<Outcome> {
  const format = chooseFormat(session, options.format);
  const tests = openNodeTests(containerNodes.columns, options);
  const picked = await connectPickedTargets(options, session);
  const { connection } = picked;
  const { store, scratch } = connection;
  const { at } = options;
  const asked = at === undefined ? null : readLastMoment('--at', at, store.nowMs());
  const targets = keepContainerNodes(picked.targets, session.log);
  const retry: Retry = (target, [name = '']) => {
    const time = formatTime(snapshotTimeMs(name) ?? 0);
    return `cgs-export nodes --at ${time}${describePick(options, target, picked.targets)}`;
  };
  const ask = { asked, retry };
  const { chosen, faults } = await chooseSnapshots(connection, session, targets, ask);
  await scratch.removeLeft();
  const output = openNodeOutput(format ?? 'table', {
    columns: tableColumns(session),
    endMs: endOf(asked, store.nowMs()),
    targets,
  });
  const print = openPrinter(session, format);
  const counts = await listAll(connection, session, chosen, { tests, output, print });
  const errors = listErrors({ faults, unchecked: [] });
  return {
    exitCode: worstOf(errors.length > 0 ? [exitCodes.integrity] : []),
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      store: store.url,
      targets: chosen.map((one, index) => toJson(one, counts[index] ?? noNodes())),
      withoutSnapshot: picked.withoutSnapshot.map(({ account, table, region, projectId }) => {
        return { account, table, region, projectId };
      }),
      errors,
    },
    text: '',
  };
}

/** Ages count up to this time. */
function endOf(asked: number | null, nowMs: number): number {
  return Math.min(asked ?? nowMs, nowMs);
}

interface Chosen {
  target: StoredTarget;
  used: Compared;
  ageMs: number;
  /** What followed the snapshot up to the time asked for. */
  newer: Timeline;
}

/** `asked`: milliseconds; null: now. `faults`: manifests that would have been chosen. Throws ConfigError, or CorruptError, if no target has such a snapshot, and PrunedError. */
async function chooseSnapshots(
  { store }: Connection,
  { log }: Session,
  targets: readonly StoredTarget[],
  { asked, retry }: { asked: number | null; retry: Retry },
): Promise<{ chosen: Chosen[]; faults: Fault[] }> {
  const endMs = endOf(asked, store.nowMs());
  const moment = asked === null ? null : { notAfter: snapshotName(asked) };
  const chosen: Chosen[] = [];
  const reasons: string[] = [];
  const faults: Fault[] = [];
  const choose = async (target: StoredTarget) => {
    const sealed = await findSnapshot(store, target, moment);
    const used = typeof sealed === 'string' ? null : toCompared(sealed);
    if (!used) {
      const reason = typeof sealed === 'string' ? sealed : 'its snapshot has no Parquet part';
      reasons.push(`${describeTarget(target)}: ${reason}`);
      const period = { sinceMs: 0, untilMs: asked ?? endMs + 86_400_000 };
      faults.push(...(await readTimeline(store, target, period)).faults);
      return;
    }
    await checkKept(store, target, used, listCompleteRows);
    const usedMs = snapshotTimeMs(used.sealed.manifest.snapshot) ?? 0;
    const untilMs = asked ?? endMs + 86_400_000;
    const newer = await readTimeline(store, target, { sinceMs: usedMs + 1_000, untilMs });
    chosen.push({ target, used, ageMs: Math.max(0, endMs - usedMs), newer });
  };
  await chooseForEach(targets, choose, retry);
  const [fault] = faults;
  if (chosen.length === 0 && fault) throw new CorruptError(fault.key, fault.message, fault.hint);
  if (chosen.length === 0) {
    const hint = '`cgs-export history` lists the snapshots of each target.';
    throw configFault('nodes', `there is nothing to list: ${reasons.join('; ')}`, hint);
  }
  for (const reason of reasons) log('warn', `left out: ${reason}`);
  for (const one of chosen) {
    warnOfNewer(one, log);
    if (asked !== null) warnOfLater(one, endMs, log);
  }
  return { chosen, faults: [...faults, ...chosen.flatMap(({ newer }) => newer.faults)] };
}

/** The rows are older than one would think. */
function warnOfNewer({ target, used, newer }: Chosen, log: Session['log']): void {
  const { snapshots, gaps } = newer;
  const newest = snapshots.at(-1)?.manifest;
  const slots = gaps.reduce((sum, gap) => sum + gap.slots, 0);
  const reasons = [
    ...(newest ? [`the newest snapshot ${newest.snapshot} is ${newest.verdict}`] : []),
    ...(slots > 0 ? [`${formatPlural(slots, 'slot')} missed since`] : []),
  ];
  if (reasons.length === 0) return;
  const { snapshot } = used.sealed.manifest;
  log(
    'warn',
    `${describeTarget(target)}: the rows are those of ${snapshot}: ${reasons.join(', ')}`,
    {
      hint: '`cgs-export history` lists all snapshots and gaps, and `cgs-export status` says what is wrong now.',
    },
  );
}

/** The rows are newer than one would think. */
function warnOfLater({ target, used }: Chosen, endMs: number, log: Session['log']): void {
  const { manifest } = used.sealed;
  if (!isReadAfter(manifest, endMs)) return;
  log(
    'warn',
    `${describeTarget(target)}: the rows of ${manifest.snapshot} were read ${describeReading(manifest)}, after the time asked for, so they can show later states`,
    {
      hint: 'A timer names a snapshot by the start of its slot. Ask for an earlier time to get the snapshot before; `cgs-export history` says which were read late.',
    },
  );
}

interface Listing {
  tests: NodeTests;
  output: NodeOutput;
  print: Print;
}

/** A row group can have tens of thousands of rows: a reader such as `head` wants only the first ones. */
const rowsPerWrite = 500;

/** Ends quietly if the reader has closed the pipe. */
async function listAll(
  connection: Connection,
  session: Session,
  chosen: readonly Chosen[],
  listing: Listing,
): Promise<ShownCounts[]> {
  const { output, print, tests } = listing;
  await print(output.start);
  for (const { target, used, ageMs } of chosen) {
    await print(output.describeSnapshot(target, used.sealed.manifest, ageMs));
  }
  const counts: ShownCounts[] = [];
  for (const one of chosen) {
    const { isRead, ...found } = await listOne(connection, session, one, listing);
    counts.push(found);
    if (!isRead) return counts;
  }
  const rows = chosen.reduce((sum, { used }) => sum + used.sealed.manifest.rows, 0);
  await print(output.describeEnd(addUp(counts), rows));
  for (const { condition, values } of tests.listUnmet()) {
    session.log('warn', `--where ${condition} matches no node`, {
      hint: `Values that occur in this column: ${values.join(', ')}.`,
    });
  }
  return counts;
}

async function listOne(
  { store, scratch }: Connection,
  session: Session,
  { target, used, newer }: Chosen,
  { tests, output, print }: Listing,
): Promise<ShownCounts & { isRead: boolean }> {
  const { columns, keyColumn } = containerNodes;
  const counts = noNodes();
  const firstMs = snapshotTimeMs(newer.firstStored ?? '') ?? -Infinity;
  const total = used.part.rows;
  let done = 0;
  const stateAt = () => describeRead(session, 'nodes', { done, total });
  const options = { store, scratch, decoder: parquetDecoder, columns, keyColumn };
  return session.showProgress(stateAt, async () => {
    const rows = await openPartRows(used.part, options).catch(async (error: unknown) => {
      // Retention may have deleted the part since it was chosen.
      if (error instanceof CorruptError) await checkKept(store, target, used, listCompleteRows);
      throw error;
    });
    try {
      const toRow = openCellOrder(columns, rows.columns);
      for await (const group of rows.readBatches()) {
        for (let start = 0; start < group.length; start += rowsPerWrite) {
          session.signal.throwIfAborted();
          const batch = group.slice(start, start + rowsPerWrite);
          const shown = batch.map(toRow).filter(tests.isShown);
          counts.nodes += shown.length;
          counts.unprotected += shown.filter(tests.isUnprotected).length;
          counts.offline += shown.filter(tests.isOffline).length;
          for (const row of shown) addHost(counts.hostKinds, tests.readKind(row));
          done += batch.length;
          if (!(await print(output.formatRows(shown, firstMs))))
            return { ...counts, isRead: false };
        }
      }
    } finally {
      await rows.close();
    }
    return { ...counts, isRead: true };
  });
}

function noNodes(): ShownCounts {
  return { nodes: 0, unprotected: 0, offline: 0, hostKinds: noHosts() };
}

function addUp(counts: readonly ShownCounts[]): ShownCounts {
  const sum = noNodes();
  for (const one of counts) {
    sum.nodes += one.nodes;
    sum.unprotected += one.unprotected;
    sum.offline += one.offline;
  }
  return { ...sum, hostKinds: sumKinds(counts.map(({ hostKinds }) => hostKinds)) };
}

/** `counts`: of the nodes that are shown. */
function toJson({ target, used, ageMs, newer }: Chosen, counts: ShownCounts): object {
  const { account, table, region, projectId } = target;
  const { snapshot, startedAt, sealedAt, rows } = used.sealed.manifest;
  return {
    ...{ account, table, region, projectId, snapshot, startedAt, sealedAt },
    ageSeconds: Math.floor(ageMs / 1_000),
    rows,
    ...counts,
    drifted: newer.snapshots.map(({ manifest }) => manifest.snapshot),
    missedSlots: newer.gaps.reduce((sum, gap) => sum + gap.slots, 0),
  };
}
