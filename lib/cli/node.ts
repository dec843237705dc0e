// Responsible for the command `node`: the history of one node over all stored snapshots.

import type { Connection } from '../app/connect.ts';
import { exitCodes } from '../core/error-policy.ts';
import { ConfigError, configFault } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Column, Row } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { createRowFormatter } from '../formats/ndjson.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import { prefixedMax } from '../reports/life-reader.ts';
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
  arguments: [
    [
      '[node]',
      'a host_id, its first 8 or more characters, or a host_name that the node has or once had, exactly',
    ],
  ],
  addTargetOptions: addReaderOptions,
  writes: 'nothing in the store; a copy of one part in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export node web-1',
    'cgs-export node 0f6a1c5e-77aa-4b62-9d1f-0a53c9a0f1d2 --account prod',
    'cgs-export node 0f6a1c5e',
    "cgs-export node web-1 --store file:./export --json | jq '.nodes[].seen'",
  ],
  note: 'Every node that ever had the name is shown, each with its host_id. If no node has the text as its\nhost_id or as a name, it can be the start of one host_id, with 8 characters or more. Times are those\nof snapshots: a node is known to be listed, or to have a status, from the first complete snapshot\nthat shows it. If two snapshots were not compared when they were sealed, their rows are read. If\nretention has deleted these rows, the output says from when on everything is known. A part that is\nmissing or altered is an error, exit code 5.',
  run: runNode,
};

/** An error lists so many host_ids that begin with the text. */
const candidatesMax = prefixedMax - 1;

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
  const read: Found[] = [];
  for (const target of targets) {
    read.push({ target, lives: await readLives(picked.connection, session, target, wanted) });
  }
  const found = chooseLives(read);
  const errors = found.flatMap(({ lives }) => [
    ...lives.faults.map((fault) => toError('CORRUPT', fault)),
    ...lives.unchecked.map((fault) => toError('STORE_DENIED', fault)),
  ]);
  const isFound = found.some(({ lives }) => lives.nodes.length > 0);
  const missing = { path: 'node', ...describeMissing(wanted, found, errors.length === 0) };
  if (!isFound && errors.length === 0) throw new ConfigError([missing]);
  if (!isFound) {
    const { message, hint } = missing;
    errors.push({ code: 'CONFIG', message: `node: ${message}`, hint });
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

/** If no target has a node with exactly this id or name, the only id that begins with the text counts, in each target that has it. */
function chooseLives(found: readonly Found[]): readonly Found[] {
  const isExact = found.some(({ lives }) => lives.nodes.length > 0);
  if (isExact || listPrefixed(found).size !== 1) return found;
  return found.map(({ target, lives }) => ({ target, lives: { ...lives, nodes: lives.prefixed } }));
}

/** The nodes whose id begins with the text: a name of each, or null, by id. */
function listPrefixed(found: readonly Found[]): Map<string, string | null> {
  const nodes = found.flatMap(({ lives }) => lives.prefixed);
  return new Map(nodes.map(({ hostId, names }) => [hostId, names.at(-1) ?? null]));
}

/** Why no node is shown. */
function describeMissing(
  wanted: string,
  found: readonly Found[],
  isAllRead: boolean,
): { message: string; hint: string } {
  const candidates = [...listPrefixed(found)].sort(([a], [b]) => (a < b ? -1 : 1));
  if (candidates.length > 1) {
    const shown = candidates
      .slice(0, candidatesMax)
      .map(([hostId, name]) => (name === null ? hostId : `${hostId} (${name})`));
    const more = candidates.length > candidatesMax ? ', …' : '';
    return {
      message: `"${wanted}" is the start of several host_ids: ${shown.join(', ')}${more}`,
      hint: 'Write more characters of the host_id, or all of it. `cgs-export nodes --format csv` shows whole host_ids.',
    };
  }
  const periods = found.map((one) => {
    const { from, to, knownFrom } = describeSearched(one);
    const name = describeTarget(one.target);
    if (from === null) return `${name}: no complete snapshot`;
    const limit = knownFrom === from ? '' : `, all rows known from ${knownFrom ?? 'none'}`;
    return `${name}: ${from} to ${to}${limit}`;
  });
  const part = isAllRead ? '' : ' that could be read';
  return {
    message: `no node in the stored history has the host_id or the host_name "${wanted}"${part}`,
    hint: `Names are compared exactly; of a host_id, 8 characters or more are enough. Searched: ${periods.join('; ')}.`,
  };
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
