// Measures exports of a million nodes with the built CLI, from the first page to `verify`, and compares each figure with its
// goal. The simulator, the export and `verify` each run in a process of their own. Exit code 1 if a goal is not met.
// Run: npm run bench:million [nodes] [-- --smoke] [-- --changes] [-- --before FILE]
// --changes: only seals, without a base and with one. --smoke: only ratios of memory and the rows, with 100,000 nodes unless a number is given. --before: the dist/cli.js of an
// earlier build, for the comparison of CPU time.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureColdStart } from './cold-start.ts';
import { compareRows, saveList } from './row-comparison.ts';
import { joinWithDuckDb, sealCases } from './seal-changes.ts';
import {
  type Endpoint,
  type Finished,
  runWatched,
  type Sample,
  sizeOf,
  startEndpoint,
} from './watched-process.ts';

const million = 1_000_000;
const hundredThousand = 100_000;
const nodesPerPage = 200;
const MB = 1e6;

interface Figure {
  name: string;
  /** With its unit. */
  value: string;
  goal: string;
  /** Null: there is no goal, or it was not measured. */
  isMet: boolean | null;
}

interface Progress extends Sample {
  pages: number;
}

interface Exported extends Finished {
  /** While the list was read, in order. */
  collecting: Progress[];
  /** CPU time after the last page. */
  sealMs: number;
  /** Bytes written until the last page, and bytes of the run that were kept. */
  writtenBytes: number;
  keptBytes: number;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

const count = (value: number) => value.toLocaleString('en-US');
const mb = (bytes: number) => `${(bytes / MB).toFixed(0)} MB`;
const times = (value: number) => `${value.toFixed(2)} x`;
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

/** A figure that must not be above `max`. */
function atMost(name: string, value: number, max: number, show: (value: number) => string): Figure {
  return { name, value: show(value), goal: `<= ${show(max)}`, isMet: value <= max };
}

async function readPages(url: string): Promise<number> {
  const response = await fetch(`${url}/simulator/statistics`);
  return ((await response.json()) as { pages: number }).pages;
}

async function runExport(
  endpoint: Endpoint,
  folder: string,
  program?: string,
): Promise<Exported & { store: string }> {
  const { url, ak, sk, projectId } = endpoint;
  const store = join(folder, 'store');
  const servedBefore = await readPages(url);
  const collecting: Progress[] = [];
  let toldMs = performance.now();
  const finished = await runWatched(
    [
      ...['export', '--json', '--region', 'cn-south-4', '--project', projectId],
      ...['--endpoint', url, '--store', `file:${store}`, '--log-level', 'warn'],
      ...['--quota-requests', '1000', '--quota-window-seconds', '1'],
    ],
    {
      temporary: join(folder, 'temporary'),
      env: { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk },
      ...(program === undefined ? {} : { program }),
      async observe(sample) {
        const pages = (await readPages(url)) - servedBefore;
        // Only the first sample after a page: later ones would count the seal as collecting.
        if (pages > (collecting.at(-1)?.pages ?? -1)) collecting.push({ ...sample, pages });
        if (performance.now() - toldMs < 10_000) return;
        toldMs = performance.now();
        const memory = `${mb(sample.peakBytes)}, ${seconds(sample.cpuMs)} of CPU`;
        say(`  page ${count(collecting.at(-1)?.pages ?? 0)}: ${memory}`);
      },
    },
  );
  const last = collecting.at(-1) as Progress;
  return {
    ...finished,
    store,
    collecting,
    sealMs: finished.cpuMs - last.cpuMs,
    writtenBytes: last.writtenBytes,
    keptBytes: sizeOf(join(store, '_runs')),
  };
}

/** CPU milliseconds per page between two pages, as far as samples are close to them. */
function cpuPerPage(collecting: readonly Progress[], from: number, to: number): number {
  const first = collecting.find(({ pages }) => pages >= from) as Progress;
  const last = collecting.findLast(({ pages }) => pages <= to) as Progress;
  return (last.cpuMs - first.cpuMs) / (last.pages - first.pages);
}

/** Everything that is measured with one number of nodes. */
async function measure(nodes: number, root: string, { before }: { before?: string } = {}) {
  const folder = join(root, String(nodes));
  say(`${count(nodes)} nodes`);
  const endpoint = await startEndpoint(nodes);
  try {
    const earlier = before ? await runExport(endpoint, join(folder, 'before'), before) : null;
    const exported = await runExport(endpoint, folder);
    const { store } = exported;
    say(`  exported: ${mb(exported.peakBytes)}, ${seconds(exported.cpuMs)} of CPU; verifying`);
    const temporary = join(folder, 'temporary');
    const verified = await runWatched(['verify', '--json', '--store', `file:${store}`], {
      temporary,
    });
    say(`  verified: ${mb(verified.peakBytes)}; comparing the rows`);
    const list = join(folder, 'served.ndjson');
    await saveList(endpoint.url, list);
    const faults = await compareRows(store, list);
    return { nodes, exported, earlier, verified, faults };
  } finally {
    endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
type Measured = Awaited<ReturnType<typeof measure>>;

function describeRows({ nodes, faults }: Measured): Figure {
  return {
    name: `rows of ${count(nodes)} nodes in both formats, read by DuckDB`,
    value: faults.length === 0 ? 'equal' : faults.join('; '),
    goal: 'equal to what the endpoint served',
    isMet: faults.length === 0,
  };
}

function measureFloor(nodes: number): number {
  const script = join(import.meta.dirname, 'encoding-floor.ts');
  const child = spawnSync(process.execPath, [...process.execArgv, script, String(nodes)], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return Number(child.stdout);
}

/** The CPU time of sealing, to that of encoding the same rows. */
function describeSeal({ nodes, exported }: Measured): Figure {
  say(`  encoding ${count(nodes)} rows without anything else`);
  const floorMs = measureFloor(nodes);
  const name = `CPU of sealing ${count(nodes)} nodes (${seconds(exported.sealMs)}), to encoding alone (${seconds(floorMs)})`;
  return atMost(name, exported.sealMs / floorMs, nodes <= hundredThousand ? 1.4 : 2.6, times);
}

/** What the comparison with the snapshot before costs a seal. */
async function measureChanges(nodes: number, root: string): Promise<Figure[]> {
  say(`sealing ${count(nodes)} nodes three times`);
  const [without, ...others] = await sealCases(nodes, root);
  if (!without) throw new Error('nothing was sealed');
  const [all, few] = others;
  const joinMs = joinWithDuckDb(all?.path ?? '', few?.path ?? '');
  const moreMs = (few?.cpuMs ?? 0) - without.cpuMs;
  return [
    ...others.flatMap(({ name, cpuMs, peakBytes, temporaryBytes, changes }) => [
      {
        name: `changes of ${count(nodes)} nodes, ${name}`,
        value: count(changes?.changed ?? 0),
        goal: '> 0, and no node added or removed',
        isMet: changes !== null && changes.changed > 0 && changes.added + changes.removed === 0,
      },
      atMost(
        `CPU of sealing, ${name} (${seconds(cpuMs)}), to ${without.name} (${seconds(without.cpuMs)})`,
        cpuMs / without.cpuMs,
        1.35,
        times,
      ),
      atMost(`… peak memory`, peakBytes, 220 * MB, mb),
      atMost(`… most temporary files`, temporaryBytes, (nodes / million) * 512 * MB, mb),
    ]),
    {
      name: `more CPU with a few changes (${seconds(moreMs)}), to DuckDB's join (${seconds(joinMs)})`,
      value: times(moreMs / joinMs),
      goal: '',
      isMet: null,
    },
  ];
}

/** Smoke: memory that grows with the number of nodes, in a comparison that a slow machine does not change. */
async function measureSmoke(nodes: number, root: string): Promise<Figure[]> {
  const small = await measure(nodes / 10, root);
  const large = await measure(nodes, root);
  const sizes = `${count(nodes)} nodes, to ${count(nodes / 10)}`;
  const ratio = (part: 'exported' | 'verified') => large[part].peakBytes / small[part].peakBytes;
  return [
    atMost(`peak memory of export, ${sizes}`, ratio('exported'), 1.5, times),
    atMost(`peak memory of verify, ${sizes}`, ratio('verified'), 1.5, times),
    describeRows(small),
    describeRows(large),
  ];
}

async function measureAll(nodes: number, root: string, before?: string): Promise<Figure[]> {
  const reference = await measure(hundredThousand, root, { ...(before && { before }) });
  const whole = await measure(nodes, root);
  const { exported, verified } = whole;
  const { collecting, writtenBytes, keptBytes } = exported;
  const lastPage = Math.floor(nodes / nodesPerPage);
  const early = cpuPerPage(collecting, 10, 90);
  const late = cpuPerPage(collecting, lastPage - 200, lastPage);
  const size = `${count(nodes)} nodes`;
  const cold = measureColdStart(21);
  // The least of all rounds: other processes can only make a start slower.
  const startMs = Math.min(...cold.overMs);
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return [
    atMost(`peak memory of export, ${size}`, exported.peakBytes, 200 * MB, mb),
    atMost(
      `… to that of ${count(hundredThousand)} nodes`,
      exported.peakBytes / reference.exported.peakBytes,
      1.5,
      times,
    ),
    describeSeal(reference),
    describeSeal(whole),
    atMost(
      `most temporary files of export, ${size}`,
      exported.temporaryBytes,
      (nodes / million) * 320 * MB,
      mb,
    ),
    atMost(
      `bytes written while collecting (${mb(writtenBytes)}), to bytes kept (${mb(keptBytes)})`,
      writtenBytes / keptBytes,
      2,
      times,
    ),
    atMost(
      `CPU of a page at page ${count(lastPage)} (${ms(late)}), to page 50 (${ms(early)})`,
      late / early,
      1.2,
      times,
    ),
    atMost(
      `peak memory of export, ${count(hundredThousand)} nodes`,
      reference.exported.peakBytes,
      130 * MB,
      mb,
    ),
    describeEarlier(reference),
    atMost(`peak memory of verify, ${size}`, verified.peakBytes, 120 * MB, mb),
    atMost(
      'size of the collect bundle',
      cold.bytes / MB,
      1.46,
      (value) => `${value.toFixed(2)} MB`,
    ),
    atMost('loading it, more than an empty script, least of 21', startMs, 87, ms),
    describeRows(reference),
    describeRows(whole),
    ...(await measureChanges(nodes, root)),
  ];
}

function describeEarlier({ nodes, exported, earlier }: Measured): Figure {
  const name = `CPU of export, ${count(nodes)} nodes (${seconds(exported.cpuMs)}), to the version before`;
  const goal = '<= 0.70 x';
  if (!earlier) return { name, value: 'not measured: give --before', goal, isMet: null };
  return atMost(name, exported.cpuMs / earlier.cpuMs, 0.7, times);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    changes: { type: 'boolean', default: false },
    before: { type: 'string' },
  },
});
const nodes = Number(positionals[0] ?? (values.smoke ? hundredThousand : million));
if (!Number.isInteger(nodes / 10) || nodes < 50_000) {
  throw new Error('give a number of nodes that is a multiple of 10, at least 50000');
}
const root = mkdtempSync(join(tmpdir(), 'cgs-million-'));
try {
  const figures = values.changes
    ? await measureChanges(nodes, root)
    : values.smoke
      ? await measureSmoke(nodes, root)
      : await measureAll(nodes, root, values.before);
  const lines = figures.map(({ name, value, goal, isMet }) => {
    const verdict = isMet === null ? '' : isMet ? 'met' : '**not met**';
    return `| ${name} | ${value} | ${goal} | ${verdict} |`;
  });
  console.log(['| | measured | goal | |', '| --- | ---: | ---: | --- |', ...lines].join('\n'));
  if (figures.some(({ isMet }) => isMet === false)) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
