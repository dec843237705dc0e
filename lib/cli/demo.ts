// Owns `demo`: the whole thing once, against the embedded endpoint, with what to do next. Refuses to open or send anything.

import { join, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { connect } from '../app/connect.ts';
import { describeResult } from '../app/result.ts';
import { configFromFlags } from '../config/flags.ts';
import { type ExitCode, exitCodes } from '../core/error-policy.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { exitCodeOfResult, worstOf } from './exit-code.ts';
import { describeSnapshots } from './format.ts';
import { addCommonOptions, addHelp, type CommonOptions, outputVariables } from './options.ts';
import type { Outcome } from './outcome.ts';
import { createTracker } from './progress.ts';
import type { Session } from './session.ts';
import { describeVerification, verifyWithProgress } from './verify.ts';

interface DemoOptions extends CommonOptions {
  out: string;
}

/** Few enough to be over in seconds, enough for several pages and one wait for the quota. */
const nodes = 640;
const quota = { requests: 3, windowSeconds: 2 };

export function addDemo(program: Command): Command {
  const command = program
    .command('demo')
    .summary('export made-up nodes to a folder, verify them, show how to query them')
    .description(
      `Starts the local endpoint with ${nodes} made-up nodes that come and go meanwhile, exports them, verifies the snapshot and prints how to query it. Needs no key, no configuration and no network. Run it again for a second snapshot.`,
    )
    .option('--out <dir>', 'where to', './demo-out');
  addCommonOptions(command, 'accepted, not used: the demo has its own');
  return addHelp(command, {
    writes: './demo-out, or the folder given, as `export` does',
    codes: [0, 1, 2, 3, 4, 5, 6],
    variables: outputVariables,
    examples: ['cgs-export demo', 'cgs-export demo --out /tmp/lake --json'],
  });
}

export async function runDemo(options: DemoOptions, session: Session): Promise<Outcome> {
  const simulator = await startSimulator({
    nodes,
    quota,
    // More come than go: where the total stands still while nodes change places, a list looks out of order.
    drift: {
      insertsPerRequest: 2,
      deletesPerRequest: 1,
      seed: (session.world.nowMs() % 2 ** 31) + 1,
    },
    odd: { unknownValues: 2, unknownFields: 2, mistyped: 1 },
  });
  try {
    return await exportFrom(simulator, options, session);
  } finally {
    await simulator.stop();
  }
}

async function exportFrom(
  simulator: Simulator,
  { out }: DemoOptions,
  session: Session,
): Promise<Outcome> {
  const { world, log, scrubber, signal } = session;
  const root = resolve(world.cwd, out);
  const config = configFromFlags(
    {
      region: simulator.region,
      project: simulator.projectId,
      endpoint: simulator.url,
      store: `file:${root}`,
      account: 'demo',
      quotaRequests: String(quota.requests),
      quotaWindowSeconds: String(quota.windowSeconds),
    },
    { HUAWEICLOUD_SDK_AK: simulator.ak, HUAWEICLOUD_SDK_SK: simulator.sk },
    world.cwd,
  );
  const connection = connect(config, { log, scrubber });
  const tracker = createTracker(connection.quota, connection.targets[0]?.dataset.limit ?? 200);
  const stopFollowing = session.follow(tracker.stateAt);
  const result = await connection
    .collect('command', {
      signal,
      progress: (event) => tracker.observe(event, world.monotonicMs()),
    })
    .finally(stopFollowing);
  const described = describeResult(result, scrubber);
  const exported = exitCodeOfResult(result, 'command');
  if (result.status !== 'sealed') {
    return { exitCode: exported, json: described, text: '', errors: described.errors };
  }
  const verification = await verifyWithProgress(connection.store, session);
  const codes: ExitCode[] = [exported];
  if (verification.faults.length > 0) codes.push(exitCodes.integrity);
  const queries = listQueries(showPath(root, world.cwd), world.program);
  return {
    exitCode: worstOf(codes),
    json: { ...described, out: root, verification, queries },
    text: [
      describeSnapshots(result.snapshots, connection.store.url),
      describeVerification(verification, connection.store.url),
      describePlaces(root, world.cwd),
      'Ask it:',
      ...Object.values(queries).map((query) => `  ${query}`),
      '',
    ].join('\n'),
    errors: described.errors,
  };
}

/** As it is typed: relative if it is below, absolute elsewhere. */
function showPath(root: string, cwd: string): string {
  const path = relative(cwd, root);
  return path === '' ? '.' : path === '..' || path.startsWith(`..${sep}`) ? root : path;
}

function describePlaces(root: string, cwd: string): string {
  const shown = showPath(root, cwd);
  const places = [
    ['Parquet', join(shown, 'container_nodes')],
    ['NDJSON', join(shown, 'container_nodes_ndjson')],
    ['manifests', join(shown, '_manifests')],
    ['newest', join(shown, '_latest')],
  ] as const;
  const lines = places.map(([name, path]) => `  ${name.padEnd(9)}  ${path}`);
  return ['Where it lies:', ...lines, ''].join('\n');
}

interface Queries {
  duckdb: string;
  jq: string;
  verify: string;
  status: string;
}

/** Lines to be copied into a shell whose folder is the one that `path` starts at. */
export function listQueries(path: string, program: string): Queries {
  const glob = `${path}/container_nodes/**/*.parquet`.replaceAll("'", "''");
  const sql = `SELECT dt, agent_status, count(*) AS nodes FROM read_parquet('${glob}', hive_partitioning = true) GROUP BY ALL ORDER BY ALL`;
  const store = quoteForShell(`file:${path}`);
  return {
    duckdb: `duckdb -c "${sql.replaceAll(/["\\$`]/g, '\\$&')}"`,
    jq: `zcat ${quoteForShell(path)}/container_nodes_ndjson/dt=*/rgn=*/prj=*/*.ndjson.gz | jq -r 'select(.agent_status != "online") | [.host_name, .agent_status, .private_ip] | @tsv'`,
    verify: `${program} verify --store ${store}`,
    status: `${program} status --store ${store}`,
  };
}

function quoteForShell(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
