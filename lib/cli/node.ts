// Responsible for the command `node`: the history of one node over all stored snapshots.

import type { Connection } from '../app/connect.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Column, Row } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { createRowFormatter } from '../formats/ndjson.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import { type NodeLife, readNodeLives, type TargetLives } from '../reports/node-life.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { readTimeline } from '../snapshots/timeline.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { worstOf } from './exit-code.ts';
import { describeTarget } from './format.ts';
import { describeLife } from './life-text.ts';
import {
  addReaderOptions,
  connectPickedTargets,
  keepContainerNodes,
  type ReaderOptions,
} from './picked-targets.ts';
import type { ProgressState } from './progress.ts';
import { type Session, tableColumns } from './session.ts';
import type { StoredTarget } from './stored-targets.ts';

export const nodeCommand: CommandDefinition<ReaderOptions> = {
  name: 'node',
  summary: 'show the history of one node: when it was listed, and what changed',
  description:
    'Shows the history of one node in all stored snapshots of the selected targets: in which periods it was listed, when its statuses changed and how long each lasted, which other columns changed, and its present row. Uses complete snapshots only. Sends nothing to the service.',
  arguments: [['[node]', 'a host_id, or a host_name that the node has or once had, exactly']],
  addTargetOptions: addReaderOptions,
  writes: 'nothing in the store; a copy of one part in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export node web-1',
    'cgs-export node 0f6a1c5e-77aa-4b62-9d1f-0a53c9a0f1d2 --account prod',
    "cgs-export node web-1 --store file:./export --json | jq '.nodes[].seen'",
  ],
  note: 'Every node that ever had the name is shown, each with its host_id. Times are those of snapshots: a\nnode is known to be listed, or to have a status, from the first complete snapshot that shows it.\nIf two snapshots were not compared when they were sealed, their rows are read. If retention\nhas deleted these rows, the output says from when on everything is known. A part that is missing\nor altered is an error, exit code 5.',
  run: runNode,
};

interface Found {
  target: StoredTarget;
  lives: TargetLives;
}

async function runNode(
  options: ReaderOptions,
  session: Session,
  [wanted]: readonly string[] = [],
): Promise<Outcome> {
  if (wanted === undefined || wanted === '') {
    const hint = 'Name a node by its host_id or host_name. `cgs-export nodes` lists both.';
    throw configFault('node', 'is missing', hint);
  }
  const picked = await connectPickedTargets(options, session);
  const { store, scratch } = picked.connection;
  const targets = keepContainerNodes(picked.targets, session.log);
  await scratch.removeLeft();
  const found: Found[] = [];
  for (const target of targets) {
    found.push({ target, lives: await readLives(picked.connection, session, target, wanted) });
  }
  const errors = found.flatMap(({ lives }) => [
    ...lives.faults.map((fault) => toError('CORRUPT', fault)),
    ...lives.unchecked.map((fault) => toError('STORE_DENIED', fault)),
  ]);
  const isFound = found.some(({ lives }) => lives.nodes.length > 0);
  if (!isFound && errors.length === 0) throw notFound(wanted, found);
  if (!isFound) {
    const { message, hint } = notFound(wanted, found).issues[0] ?? { message: '', hint: '' };
    errors.push({ code: 'CONFIG', message: `node: ${message} that could be read`, hint });
  }
  for (const one of found) warnOfUnknown(one, session.log);
  const nowMs = store.nowMs();
  return {
    exitCode: worstOf([
      ...(found.some(({ lives }) => lives.faults.length > 0) ? [exitCodes.integrity] : []),
      ...(found.some(({ lives }) => lives.unchecked.length > 0) ? [exitCodes.denied] : []),
    ]),
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      store: store.url,
      nodes: found.flatMap(({ target, lives }) => lives.nodes.map((one) => toJson(target, one))),
      searched: found.map(describeSearched),
      errors,
    },
    text: found
      .flatMap(({ target, lives }) =>
        lives.nodes.map((life) =>
          describeLife(life, { target, lives, nowMs, columns: tableColumns(session) }),
        ),
      )
      .join('\n'),
  };
}

function toError(code: string, { key, message, hint }: Fault) {
  return { code, message: `${key}: ${message}`, hint };
}

/** Retention deletes no manifest, so the whole history is listed. */
async function readLives(
  { store, scratch }: Connection,
  session: Session,
  target: StoredTarget,
  wanted: string,
): Promise<TargetLives> {
  const dayMs = 86_400_000;
  const period = { sinceMs: 0, untilMs: store.nowMs() + dayMs };
  const { snapshots, faults } = await readTimeline(store, target, period);
  let state: ProgressState | null = null;
  const onProgress = (done: number) => {
    session.signal.throwIfAborted();
    const rest = { perSecond: null, leftMs: null, wait: null, note: '' };
    const total = snapshots.filter(({ manifest }) => manifest.verdict === 'complete').length;
    state = { label: 'node', unit: 'snapshots', done, total, ...rest };
  };
  const ports = { store, scratch, dataset: containerNodes, decoder: parquetDecoder, onProgress };
  const lives = await session.showProgress(
    () => state,
    () => readNodeLives(ports, target, snapshots, wanted),
  );
  return { ...lives, faults: [...faults, ...lives.faults] };
}

function notFound(wanted: string, found: readonly Found[]) {
  const periods = found.map((one) => {
    const { from, to, knownFrom } = describeSearched(one);
    const name = describeTarget(one.target);
    if (from === null) return `${name}: no complete snapshot`;
    const limit = knownFrom === from ? '' : `, all rows known from ${knownFrom ?? 'none'}`;
    return `${name}: ${from} to ${to}${limit}`;
  });
  const message = `no node in the stored history has the host_id or the host_name "${wanted}"`;
  return configFault(
    'node',
    message,
    `Names are compared exactly. Searched: ${periods.join('; ')}.`,
  );
}

/** Names of snapshots. */
function describeSearched({ target, lives: { searched, knownFrom } }: Found) {
  const { account, table, region, projectId } = target;
  const { from, to } = searched ?? { from: null, to: null };
  return { account, table, region, projectId, from, to, knownFrom };
}

function warnOfUnknown(found: Found, log: Session['log']): void {
  const { from, knownFrom } = describeSearched(found);
  if (knownFrom === from) return;
  const since = knownFrom === null ? 'of no snapshot' : `from ${knownFrom} on`;
  const name = describeTarget(found.target);
  log(
    'warn',
    `${name}: everything is known ${since}; before that, rows were pruned or cannot be read`,
  );
}

const formatChange = openFormatter(changeColumns(containerNodes));
const formatNode = openFormatter(containerNodes.columns);

function openFormatter(columns: readonly Column[]): (row: Row) => object {
  const format = createRowFormatter(columns);
  return (row) => JSON.parse(format(row));
}

function toJson({ account, region, projectId }: StoredTarget, life: NodeLife): object {
  const { hostId, names, seen, events, now, isNowKnown } = life;
  return {
    ...{ account, region, projectId, host_id: hostId, names },
    seen: seen.map(({ from, to }) => ({ from: toIso(from), to: to && toIso(to) })),
    events: events.map(formatChange),
    now: now && formatNode(now),
    nowKnown: isNowKnown,
  };
}

function toIso(name: string): string {
  return new Date(snapshotTimeMs(name) ?? 0).toISOString();
}
