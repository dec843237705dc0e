// Responsible for the command `demo`: exports made-up nodes from the local endpoint, verifies them and shows what to do next.

import { join, relative, resolve, sep } from 'node:path';
import { type Connection, connect } from '../app/connect.ts';
import { runReport } from '../app/report-run.ts';
import { toResultJson } from '../app/result-json.ts';
import { exitCodeOf } from '../app/verify-run.ts';
import { configFromFlags } from '../config/flags.ts';
import { reportKey, snapshotTimeMs } from '../core/object-keys.ts';
import { dateOf, dayMs } from '../reports/report-times.ts';
import type { CollectResult } from '../runs/invocation.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { verifyStore } from '../verification/verification.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { exitCodeOfResult, worstOf } from './exit-code.ts';
import { exportTargets } from './export.ts';
import { describeSnapshots, formatPlural, quoteForShell } from './format.ts';
import type { CommonOptions } from './options.ts';
import type { Session } from './session.ts';
import { describeVerification, showVerifyProgress } from './verify.ts';

interface DemoOptions extends CommonOptions {
  out: string;
}

/** Few enough to finish in seconds, and enough for several pages and one wait for the quota. */
const nodes = 640;
const quota = { requests: 5, windowSeconds: 2 };
/** One shows the nodes, two show changes, and with three a node can be seen to change and to change back. */
const snapshots = 3;

export const demoCommand: CommandDefinition<DemoOptions> = {
  name: 'demo',
  summary: 'export made-up nodes to a folder, verify them, show how to query them',
  description: `Starts a local endpoint with ${nodes} made-up nodes, some of which come and go while they are read. Exports them, verifies the snapshot and prints how to query it. Needs no key, no configuration and no network. Run it again to add three more snapshots.`,
  addOptions: (command) =>
    command.option('--out <dir>', 'folder to write the snapshot to', './demo-out'),
  configHelp: 'accepted but not used: the demo has its own configuration',
  writes: './demo-out, or the folder given: like `export`, and a report in _reports/',
  codes: [0, 1, 2, 3, 4, 5, 6],
  examples: ['cgs-export demo', 'cgs-export demo --out /tmp/lake --json'],
  printsResult: true,
  run: runDemo,
};

async function runDemo(options: DemoOptions, session: Session): Promise<Outcome> {
  const simulator = await startSimulator({
    nodes,
    quota,
    // More inserts than deletes: with a constant total, nodes that change places look like a list out of order.
    // With a fixed seed, the demo always gives the figures that README.md shows. With this one, a page must be read again.
    drift: {
      ...{ insertsPerRequest: 2, deletesPerRequest: 1, seed: 2 },
      ...{ offlinePerRequest: 1, onlinePerRequest: 1, closedPerRequest: 2, openedPerRequest: 2 },
    },
    odd: { unknownValues: 2, unknownFields: 2, mistyped: 1 },
  });
  try {
    return await exportAndVerify(simulator, options, session);
  } finally {
    await simulator.stop();
  }
}

async function exportAndVerify(
  simulator: Simulator,
  { out }: DemoOptions,
  session: Session,
): Promise<Outcome> {
  const { runtime, log, scrubber } = session;
  const root = resolve(runtime.cwd, out);
  const connection = connect(configOf(simulator, root), { log, scrubber });
  const result = await exportRepeatedly(connection, session);
  const json = toResultJson(result, scrubber);
  const exported = exitCodeOfResult(result, 'command');
  if (result.status !== 'sealed') return { exitCode: exported, json, text: '' };
  const verification = await showVerifyProgress(session, (onProgress) =>
    verifyStore(connection.store, onProgress, { rowCheck: connection.rowCheck }),
  );
  const verified = exitCodeOf(verification);
  const page = await writeReport(connection, result);
  const folder = showPath(root, runtime.cwd);
  const queries = Object.entries(listQueries(folder, runtime.program));
  return {
    exitCode: worstOf([exported, verified]),
    json: {
      ...json,
      ...{ out: root, verification, report: join(root, page) },
      queries: Object.fromEntries(queries.map(([name, [command]]) => [name, command])),
    },
    text: [
      describeSnapshots(result.snapshots.slice(-1), connection.store.url),
      describeVerification(verification, connection.store.url),
      ...describeEarlier(verification.manifests - result.snapshots.length),
      describePlaces(folder),
      describeQueries(
        queries.map(([, query]) => query),
        join(folder, page),
      ),
    ].join('\n'),
  };
}

/** About the days of the new snapshots. Returns the key of the page: like the function `report`, it is where `verify` expects it. */
async function writeReport(
  { store, ...connection }: Connection,
  { snapshots: sealed }: CollectResult,
): Promise<string> {
  const [first] = sealed.map(({ manifest }) => snapshotTimeMs(manifest.snapshot) ?? 0);
  const untilMs = store.nowMs();
  const keyOf = (name: string) => reportKey(dateOf(untilMs), name);
  await runReport(
    { store, ...connection },
    {
      targets: sealed.slice(-1).map(({ manifest: { table, scope } }) => ({ table, ...scope })),
      configured: [],
      period: { sinceMs: (first ?? untilMs) - ((first ?? untilMs) % dayMs), untilMs },
      lang: 'en',
      verify: { tables: [], onProgress: () => {} },
      onReading: () => {},
      place: { store, keyOf },
    },
  );
  return keyOf('report.html');
}

/** One snapshot after the other, until one is not sealed. Returns what they have in common. */
async function exportRepeatedly(connection: Connection, session: Session): Promise<CollectResult> {
  const results: CollectResult[] = [];
  do results.push(await exportTargets(connection, session));
  while (results.length < snapshots && results.at(-1)?.status === 'sealed');
  const last = results.at(-1) as CollectResult;
  return {
    ...last,
    snapshots: results.flatMap((one) => one.snapshots),
    requests: results.reduce((sum, one) => sum + one.requests, 0),
    errors: results.flatMap((one) => one.errors),
  };
}

function configOf(simulator: Simulator, root: string) {
  const flags = {
    region: simulator.region,
    project: simulator.projectId,
    endpoint: simulator.url,
    store: `file:${root}`,
    account: 'demo',
    quotaRequests: String(quota.requests),
    quotaWindowSeconds: String(quota.windowSeconds),
  };
  const key = { HUAWEICLOUD_SDK_AK: simulator.ak, HUAWEICLOUD_SDK_SK: simulator.sk };
  return configFromFlags(flags, key, root);
}

/** Relative if the folder is below the working directory, absolute otherwise. */
function showPath(root: string, cwd: string): string {
  const path = relative(cwd, root);
  return path === '' ? '.' : path === '..' || path.startsWith(`..${sep}`) ? root : path;
}

/** Empty for the first run into a folder. */
function describeEarlier(manifests: number): string[] {
  if (manifests === 0) return [];
  return [`Added to ${formatPlural(manifests, 'snapshot')} of earlier runs.\n`];
}

function describePlaces(folder: string): string {
  const places = [
    ['Parquet', join(folder, 'container_nodes')],
    ['NDJSON', join(folder, 'container_nodes_ndjson')],
    ['manifests', join(folder, '_manifests')],
    ['newest', join(folder, '_latest')],
  ] as const;
  const lines = places.map(([name, path]) => `  ${name.padEnd(9)}  ${path}`);
  return ['Where the files are:', ...lines, ''].join('\n');
}

/** A shell command and what it shows. */
type Query = readonly [command: string, shows: string];

/**
 * Shell commands for the store at `path`, in the order to try them. The last one needs DuckDB, and the file that the one before
 * it writes. If `path` is relative, they work in the folder that it is relative to.
 */
export function listQueries(path: string, program: string) {
  const store = `--store ${quoteForShell(`file:${path}`)}`;
  return {
    nodes: [`${program} nodes --unprotected ${store}`, 'which nodes are unprotected, since when'],
    diff: [`${program} diff ${store}`, 'what changed since the snapshot before'],
    verify: [`${program} verify ${store}`, 'are all files unchanged?'],
    status: [`${program} status ${store}`, 'how old is the newest snapshot?'],
    ddl: [`${program} ddl --engine duckdb ${store} > cgs.sql`, 'SQL tables; with DuckDB:'],
    duckdb: [`duckdb -init cgs.sql -c 'FROM container_nodes_coverage'`, 'counts of each snapshot'],
  } satisfies Record<string, Query>;
}

function describeQueries(queries: readonly Query[], page: string): string {
  const width = Math.max(...queries.map(([command]) => command.length));
  return [
    'Try next:',
    ...queries.map(([command, shows]) => `  ${command.padEnd(width)}  # ${shows}`),
    `Open ${page} in a browser: a report about these snapshots.`,
    '',
  ].join('\n');
}
