// Compares cgs-export with other tools on the same list: the quota, a list that changes, faults, kill -9 in the middle, and
// 100,000 nodes without a quota. Prints Markdown tables. Linux x86-64 only; takes about 13 minutes.
// Run: npm run bench:peers [-- TOOL …] [-- --scenarios quiet,few,leave,join,many,faults,kill,large]
// Each tool is a program of test/bench/peers/, which states its settings. The endpoint is the simulator, in this process. The
// tools send an IAM token, because most of them cannot sign; cgs-export and the official SDK sign.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { FaultRule } from '../../lib/simulator/faults.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { openDuck } from '../formats/readers.ts';
import { cli, type Ended, watchProcess } from './watched-process.ts';

const nodes = 4_321;
const manyNodes = 100_000;
/** The service's quota with a shorter window, so that a run takes seconds. */
const quota = { requests: 5, windowSeconds: 2 };
const driftSeed = 7;
const python = join(import.meta.dirname, '../../coverage/peers/bin/python');

interface Tool {
  name: string;
  /** `quota`: null, no quota. */
  command(simulator: Simulator, out: string, limit: typeof quota | null): string[];
  /** Measured in this scenario only. */
  onlyIn?: string;
  /** The files of the result, by their path in the folder of the tool. */
  files: RegExp;
  /** What it says about a run that ended with exit code 0. */
  reported(ended: Ended): string;
}

function createExport(name: string, formats: string): Tool {
  return {
    name,
    command: ({ url, region, projectId }, out, limit) => [
      ...[process.execPath, cli, 'export', '--json', '--region', region, '--project', projectId],
      ...['--endpoint', url, '--store', `file:${out}`, '--formats', formats],
      ...['--quota-requests', String(limit?.requests ?? 1_000)],
      ...['--quota-window-seconds', String(limit?.windowSeconds ?? 1)],
    ],
    files: /^container_nodes(_ndjson)?\/.*\.(parquet|gz)$/,
    reported: ({ output }) => JSON.parse(output).snapshots[0].verdict,
  };
}

function createPeer(name: string, program: string, files: RegExp): Tool {
  return {
    name,
    command: () => [python, join(import.meta.dirname, 'peers', program)],
    files,
    reported: ({ output, errors }) =>
      /(?<=reported: ).*|execution \w+/.exec(`${output}${errors}`)?.[0] ?? 'nothing',
  };
}

const tools: readonly Tool[] = [
  createExport('cgs-export', 'parquet,ndjson'),
  { ...createExport('cgs-export, only Parquet', 'parquet'), onlyIn: 'large' },
  createPeer('dlt', 'dlt_peer.py', /^lake\/lake\/nodes\/.*\.parquet$/),
  createPeer('Airbyte CDK', 'airbyte_peer.py', /^messages\.jsonl$/),
  createPeer('Singer SDK', 'singer_peer.py', /^messages\.jsonl$/),
  createPeer('official SDK', 'sdk_peer.py', /^nodes\.jsonl$/),
  createPeer('Sling', 'sling_peer.py', /^nodes\.jsonl$/),
];

interface Run extends Ended {
  seconds: number;
  /** Requests for the list, and the answers of 429 among them. */
  requests: number;
  throttled: number;
  /** Requests for a page that an earlier run already got. */
  repeated: number;
  /** Nodes that were in the list from the first page to the last. */
  survivors: number;
  rows: number;
  lost: number;
  doubled: number;
  resultBytes: number;
  /** What it says about itself, or how it failed. */
  says: string;
}

async function getToken({ url, projectId, ...account }: Simulator): Promise<string> {
  const user = {
    name: account.iamUser,
    password: account.iamPassword,
    domain: { name: account.iamDomain },
  };
  const identity = { methods: ['password'], password: { user } };
  const body = JSON.stringify({ auth: { identity, scope: { project: { id: projectId } } } });
  const response = await fetch(`${url}/v3/auth/tokens`, { method: 'POST', body });
  return String(response.headers.get('x-subject-token'));
}

function findFiles(folder: string, files: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => files.test(relative(folder, path)));
}

/** The host_id of each row. Of cgs-export, the Parquet part: its NDJSON has the same rows. */
async function readIds(paths: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const path of paths) {
    if (path.endsWith('.parquet')) {
      const duck = await openDuck();
      for (const [id] of await duck.query(`SELECT host_id FROM read_parquet('${path}')`)) {
        ids.push(String(id));
      }
      duck.close();
    } else if (path.endsWith('.jsonl')) {
      for (const [, id] of readFileSync(path, 'utf8').matchAll(/"host_id": ?"([^"]+)"/g)) {
        ids.push(String(id));
      }
    }
  }
  return ids;
}

/** Nodes of `before` that were in the list until the last page was served. */
function findSurvivors(simulator: Simulator, before: readonly string[]): string[] {
  const lastPage = simulator.requests().findLastIndex(({ status }) => status === 200) + 1;
  const left = simulator
    .changes()
    .filter(({ kind, request }) => kind === 'deleted' && request < lastPage);
  const gone = new Set(left.map(({ hostId }) => hostId));
  return before.filter((id) => !gone.has(id));
}

/** `killAfter`: kill -9 after so many pages of this run. */
async function runTool(
  tool: Tool,
  simulator: Simulator,
  given: { out: string; limit: typeof quota | null; killAfter?: number },
): Promise<Run> {
  const { out, limit, killAfter = Number.POSITIVE_INFINITY } = given;
  mkdirSync(out, { recursive: true });
  const { url, projectId, ak, sk } = simulator;
  const env = {
    ...{ HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk, PEER_AK: ak, PEER_SK: sk },
    ...{ PEER_URL: url, PEER_PROJECT: projectId, PEER_TOKEN: await getToken(simulator) },
    ...{ PEER_OUT: out, PEER_QUOTA: `${limit?.requests ?? 0}/${limit?.windowSeconds ?? 0}` },
    // No tool sends statistics about its use.
    ...{ RUNTIME__DLTHUB_TELEMETRY: 'false', DO_NOT_TRACK: 'true' },
    // No compiled files in this checkout.
    PYTHONDONTWRITEBYTECODE: '1',
  };
  const before = simulator.nodes().map(({ host_id }) => String(host_id));
  const earlier = simulator.requests();
  const { pages } = simulator.stats();
  const startMs = performance.now();
  const ended = await watchProcess(tool.command(simulator, out, limit), {
    ...{ temporary: `${out}.tmp`, env },
    observe: (_, kill) => {
      if (simulator.stats().pages - pages >= killAfter) kill();
    },
  });
  const seconds = (performance.now() - startMs) / 1_000;
  if (ended.code !== 0 && killAfter === Number.POSITIVE_INFINITY) {
    process.stderr.write(
      `${tool.name}: ${ended.output.slice(-500)}\n${ended.errors.slice(-1_000)}\n`,
    );
  }
  const sent = simulator.requests().slice(earlier.length);
  const got = new Set(earlier.filter(({ status }) => status === 200).map(({ offset }) => offset));
  const files = findFiles(out, tool.files);
  const ids = await readIds(files);
  const rowsOf = new Map<string, number>();
  for (const id of ids) rowsOf.set(id, (rowsOf.get(id) ?? 0) + 1);
  const survivors = findSurvivors(simulator, before);
  return {
    ...ended,
    seconds,
    requests: sent.length,
    throttled: sent.filter(({ status }) => status === 429).length,
    repeated: sent.filter(({ status, offset }) => status === 200 && got.has(offset)).length,
    survivors: survivors.length,
    rows: ids.length,
    lost: survivors.filter((id) => !rowsOf.has(id)).length,
    doubled: survivors.filter((id) => (rowsOf.get(id) ?? 0) > 1).length,
    resultBytes: files.reduce((sum, path) => sum + statSync(path).size, 0),
    says: ended.code === 0 ? tool.reported(ended) : `exit code ${ended.code}`,
  };
}

async function withSimulator<T>(
  options: SimulatorOptions,
  use: (simulator: Simulator, out: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-peers-'));
  const simulator = await startSimulator(options);
  try {
    return await use(simulator, join(folder, 'out'));
  } finally {
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const count = (value: number) => value.toLocaleString('en-US');
const exact = ({ lost, doubled }: Run) => `${count(lost)} / ${count(doubled)}`;

interface Scenario {
  title: string;
  columns: readonly string[];
  cells(tool: Tool): Promise<string[]>;
}

/** `joins`, `leaves`: mean numbers of nodes between two requests, at random places of the list. */
function describeDrift(
  title: string,
  { joins, leaves }: { joins: number; leaves: number },
): Scenario {
  const drift = { insertsPerRequest: joins, deletesPerRequest: leaves, seed: driftSeed };
  return {
    title,
    columns: ['Requests (429)', 'Seconds', 'Survivors', 'Lost / doubled', 'It reports'],
    cells: (tool) =>
      withSimulator({ nodes, quota, drift }, async (simulator, out) => {
        const run = await runTool(tool, simulator, { out, limit: quota });
        const { requests, throttled, seconds, survivors, says } = run;
        const sent = `${requests} (${throttled})`;
        return [sent, seconds.toFixed(1), count(survivors), exact(run), says];
      }),
  };
}

const faults = ['429', '500', 'reset', 'truncated', 'brokenJson'] as const;

async function tryFault(tool: Tool, kind: (typeof faults)[number]): Promise<string> {
  const rules: FaultRule[] = [{ at: 3, kind }];
  return withSimulator({ nodes, quota: null, faults: rules }, async (simulator, out) => {
    const run = await runTool(tool, simulator, { out, limit: null });
    if (run.code !== 0) return `fails, ${run.says}`;
    return run.lost + run.doubled === 0 ? 'all rows' : `${exact(run)}, ${run.says}`;
  });
}

function killAndRestart(tool: Tool): Promise<string[]> {
  return withSimulator({ nodes, quota }, async (simulator, out) => {
    const limit = quota;
    const killed = await runTool(tool, simulator, { out, limit, killAfter: 11 });
    if (killed.code !== null) throw new Error(`${tool.name} ended before it was killed`);
    const again = await runTool(tool, simulator, { out, limit });
    const requests = `${killed.requests} + ${again.requests}`;
    return [count(killed.rows), requests, String(again.repeated), exact(again), again.says];
  });
}

/** The first tool that is measured: cgs-export with both formats, unless others are chosen. */
let reference: Run | null = null;

function measureLarge(tool: Tool): Promise<string[]> {
  return withSimulator({ nodes: manyNodes, quota: null }, async (simulator, out) => {
    const run = await runTool(tool, simulator, { out, limit: null });
    reference ??= run;
    const times = (value: number, of: number) => `${(value / of).toFixed(2)} ×`;
    return [
      `${(run.cpuMs / 1_000).toFixed(1)} (${times(run.cpuMs, reference.cpuMs)})`,
      `${(run.peakBytes / 1e6).toFixed(0)} (${times(run.peakBytes, reference.peakBytes)})`,
      run.seconds.toFixed(1),
      (run.resultBytes / 1e6).toFixed(1),
      exact(run),
    ];
  });
}

const scenarios: Record<string, Scenario> = {
  quiet: describeDrift(`${count(nodes)} nodes, the list does not change`, { joins: 0, leaves: 0 }),
  few: describeDrift('2 nodes join and 2 leave between two requests', { joins: 2, leaves: 2 }),
  leave: describeDrift('10 nodes leave between two requests', { joins: 0, leaves: 10 }),
  join: describeDrift('10 nodes join between two requests', { joins: 10, leaves: 0 }),
  many: describeDrift('20 nodes join and 20 leave between two requests', { joins: 20, leaves: 20 }),
  faults: {
    title: 'request 3 fails once, no quota',
    columns: faults,
    async cells(tool) {
      const cells: string[] = [];
      for (const kind of faults) cells.push(await tryFault(tool, kind));
      return cells;
    },
  },
  kill: {
    title: 'kill -9 after 11 pages, then the same command again',
    columns: [
      'Rows after the kill',
      'Requests',
      'Pages read again',
      'Lost / doubled',
      'It reports',
    ],
    cells: killAndRestart,
  },
  large: {
    title: `${count(manyNodes)} nodes, no quota`,
    columns: ['CPU s', 'Peak MB', 'Seconds', 'Result MB', 'Lost / doubled'],
    cells: measureLarge,
  },
};

const { values, positionals } = parseArgs({
  options: { scenarios: { type: 'string', default: Object.keys(scenarios).join(',') } },
  allowPositionals: true,
});
const names = tools.map(({ name }) => name);
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no tool "${unknown}": use ${names.join(', ')}`);
const chosen = tools.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
for (const key of values.scenarios.split(',')) {
  const scenario = scenarios[key];
  if (!scenario) throw new Error(`no scenario ${key}: use ${Object.keys(scenarios).join(', ')}`);
  const { title, columns, cells } = scenario;
  console.log(`\n${title}\n\n| ${['Tool', ...columns].join(' | ')} |`);
  console.log(`| --- |${' --- |'.repeat(columns.length)}`);
  for (const tool of chosen.filter(({ onlyIn = key }) => onlyIn === key)) {
    console.log(`| ${tool.name} | ${(await cells(tool)).join(' | ')} |`);
  }
}
