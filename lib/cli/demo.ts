// Responsible for the command `demo`: exports made-up nodes from the local endpoint, verifies them and shows what to do next.

import { join, relative, resolve, sep } from 'node:path';
import { type Connection, connect } from '../app/connect.ts';
import { runReport } from '../app/report-run.ts';
import { toResultJson } from '../app/result-json.ts';
import { exitCodeOf } from '../app/verify-run.ts';
import { configFromFlags } from '../config/flags.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { CollectResult } from '../runs/invocation.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { verifyStore } from '../verification/verification.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { exitCodeOfResult, worstOf } from './exit-code.ts';
import { exportTargets } from './export.ts';
import { describeSnapshots } from './format.ts';
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
const dayMs = 86_400_000;

export const demoCommand: CommandDefinition<DemoOptions> = {
  name: 'demo',
  summary: 'export made-up nodes to a folder, verify them, show how to query them',
  description: `Starts a local endpoint with ${nodes} made-up nodes, some of which come and go while they are read. Exports them, verifies the snapshot and prints how to query it. Needs no key, no configuration and no network. Run it again to get a second snapshot.`,
  addOptions: (command) =>
    command.option('--out <dir>', 'folder to write the snapshot to', './demo-out'),
  configHelp: 'accepted but not used: the demo has its own configuration',
  writes: './demo-out, or the folder given, like `export`',
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
  await writeReport(connection, result);
  const folder = showPath(root, runtime.cwd);
  const queries = listQueries(folder, runtime.program);
  return {
    exitCode: worstOf([exported, verified]),
    json: { ...json, out: root, verification, queries, report: join(root, 'report.html') },
    text: [
      describeSnapshots(result.snapshots.slice(-1), connection.store.url),
      describeVerification(verification, connection.store.url),
      describePlaces(folder),
      'Try next:',
      ...Object.values(queries).map((query) => `  ${query}`),
      `  open ${quoteForShell(join(folder, 'report.html'))}`,
      '',
    ].join('\n'),
  };
}

/** About the days of the new snapshots. The files are in the folder of the store, but in none of its data directories. */
async function writeReport(
  { store, ...connection }: Connection,
  { snapshots: sealed }: CollectResult,
): Promise<void> {
  const [first] = sealed.map(({ manifest }) => snapshotTimeMs(manifest.snapshot) ?? 0);
  const untilMs = store.nowMs();
  await runReport(
    { store, ...connection },
    {
      targets: sealed.slice(-1).map(({ manifest: { table, scope } }) => ({ table, ...scope })),
      configured: [],
      period: { sinceMs: (first ?? untilMs) - ((first ?? untilMs) % dayMs), untilMs },
      lang: 'en',
      verify: { tables: [], onProgress: () => {} },
      onReading: () => {},
      place: { store, keyOf: (name) => name },
    },
  );
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

/** Shell commands for the store at `path`. If `path` is relative, they work in the folder that it is relative to. */
export function listQueries(path: string, program: string) {
  const store = quoteForShell(`file:${path}`);
  return {
    duckdb: `duckdb -c "${newestNodesSql(path.replaceAll("'", "''")).replaceAll(/["\\$`]/g, '\\$&')}"`,
    jq: newestNodesPipeline(quoteForShell(path)),
    verify: `${program} verify --store ${store}`,
    status: `${program} status --store ${store}`,
  };
}

/**
 * Counts nodes in the newest complete snapshot of each region and project, like the query in docs/query.md. The files are
 * named one by one, so that a lost one is an error: a glob would return fewer nodes.
 */
function newestNodesSql(path: string): string {
  const columns = `{snapshot: 'VARCHAR', verdict: 'VARCHAR', scope: 'STRUCT(region VARCHAR, projectId VARCHAR)', parts: 'STRUCT(role VARCHAR, format VARCHAR, key VARCHAR)[]'}`;
  const manifests = `read_json('${path}/_manifests/container_nodes/**/*.json', hive_partitioning = false, columns = ${columns})`;
  // A name more than a day ahead comes from a host with a wrong clock.
  const isNotAhead = `snapshot < strftime(now() AT TIME ZONE 'UTC' + INTERVAL 1 DAY, '%Y%m%dT%H%M%SZ')`;
  const parts = `SELECT unnest(max_by(parts, snapshot)) AS part FROM ${manifests} WHERE verdict = 'complete' AND ${isNotAhead} GROUP BY scope`;
  const files = `SELECT list('${path}/' || part.key) FROM (${parts}) WHERE part.role = 'rows' AND part.format = 'parquet'`;
  return `SET VARIABLE files = (${files}); SELECT region, snapshot_at, agent_status, count(*) AS nodes FROM read_parquet(getvariable('files'), union_by_name = true, hive_partitioning = false) GROUP BY ALL ORDER BY ALL`;
}

/** Prints the nodes that are not online in the newest complete snapshots, like the commands in docs/query.md. */
function newestNodesPipeline(path: string): string {
  const steps = [
    'jq -r .manifest _latest/container_nodes/*/*.json',
    'xargs cat',
    `jq -r '.parts[] | select(.role == "rows" and .format == "ndjson").key'`,
    'xargs -r gzip -dc',
    `jq -r 'select(.agent_status != "online") | [.region, .host_name, .agent_status, .private_ip] | @tsv'`,
  ];
  return `(cd ${path} && ${steps.join(' | ')})`;
}

function quoteForShell(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
