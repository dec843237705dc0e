// Measures what a deployment costs: GB-seconds of a snapshot (by ticks, and by one function that waits), cold start, idle
// ticks and the size of the zip.
// Method: the real core with a virtual clock (responses take 50–200 ms, store calls 10–40 ms, plus the store's settling
// time). The real time of the code is added, because it is billed too. Cold start and idle tick: the built bundle, one
// process each.
// Run: npx serverless package && npx tsx test/bench/deploy.bench.ts [nodes]

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { readArchive } from '../support/archive-reader.ts';
import { agency, writeConfig } from '../support/exporting-config.ts';
import { unpackFunction } from '../support/function-process.ts';
import { createRandom } from '../support/moving-list.ts';
import { createTestExporter } from '../support/test-exporter.ts';
import { createClock } from '../support/virtual-clock.ts';
import { listPackages } from './bundle-packages.ts';

const root = join(import.meta.dirname, '../..');
const nodes = Number(process.argv[2] ?? 100_000);
/** As in serverless.yml. */
const memoryMb = 256;
/** The settling time of each store in milliseconds: `settleMs` of its adapter. */
const stores = { files: 0, OBS: 1_500 };

function createSlowExporter(settleMs: number) {
  const random = createRandom(7);
  const clock = createClock();
  let storeCalls = 0;
  const exporter = createTestExporter({
    ids: Array.from({ length: nodes }, (_, index) => `host-${index}`),
    clock,
    store: {
      settleMs,
      async onCall({ phase }) {
        if (phase === 'after') return;
        storeCalls += 1;
        await clock.sleep(10 + random() * 30);
      },
    },
  });
  exporter.endpoint.latencyMs = () => 50 + random() * 150;
  return { exporter, clock, storeCalls: () => storeCalls };
}

const encoders = [parquetEncoder, ndjsonEncoder];

/** The billed time of `work`: virtual plus real milliseconds. */
async function bill(clock: { monotonicMs(): number }, work: () => Promise<unknown>) {
  const [virtualMs, realMs] = [clock.monotonicMs(), performance.now()];
  await work();
  return clock.monotonicMs() - virtualMs + (performance.now() - realMs);
}

async function measureTicks(settleMs: number) {
  const { exporter, clock, storeCalls } = createSlowExporter(settleMs);
  let billedMs = 0;
  let longestMs = 0;
  for (let ticks = 1; ; ticks += 1) {
    const startMs = clock.monotonicMs();
    let status = '';
    const ms = await bill(clock, async () => {
      status = (await exporter.tick({ encoders }, 900_000)).status;
    });
    billedMs += ms;
    longestMs = Math.max(longestMs, ms);
    if (status === 'sealed') {
      const before = storeCalls();
      const idleMs = await bill(clock, () => exporter.tick({ encoders }));
      return { ticks, billedMs, longestMs, idleCalls: storeCalls() - before, idleMs };
    }
    // The timer fires once per minute.
    clock.advance(Math.max(0, 60_000 - (clock.monotonicMs() - startMs)));
  }
}

async function measureWaiting(settleMs: number): Promise<number> {
  const { exporter, clock } = createSlowExporter(settleMs);
  return bill(clock, () => exporter.exportNow({ encoders }));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The first invocation of a process with the built bundle, when nothing is due. */
async function measureColdStart() {
  const zip = readFileSync(join(root, '.serverless/collect.zip'));
  const quota = { requests: 50, windowSeconds: 1 };
  const lake = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
  const simulator = await startSimulator({ ...agency, nodes: 10, quota });
  const config = Buffer.from(writeConfig(simulator, lake, quota));
  const files = readArchive(zip).filter(({ path }) => path !== 'cgs-export.yml');
  const unpacked = await unpackFunction(
    await writeZip([...files, { path: 'cgs-export.yml', bytes: config }]),
  );
  const run = () =>
    unpacked.run({
      event: {},
      handler: 'index.handler',
      requestId: 'bench',
      functionName: 'bench',
      memorySize: 256,
      timeoutMs: 60_000,
      agency,
      userData: {},
    });
  try {
    const first = await run();
    if (!first.ok) throw new Error(`${first.error?.message}\n${first.log}`);
    const outcomes = [];
    for (let round = 0; round < 11; round += 1) outcomes.push(await run());
    const bare: number[] = [];
    for (let round = 0; round < 11; round += 1) {
      const startMs = performance.now();
      spawnSync(process.execPath, ['-e', '0']);
      bare.push(performance.now() - startMs);
    }
    return {
      zipBytes: zip.length,
      bareMs: median(bare),
      loadMs: median(outcomes.map(({ loadedMs }) => loadedMs)),
      idleMs: median(outcomes.map(({ durationMs }) => durationMs)),
      peakMb: Math.max(...outcomes.map(({ peakBytes }) => peakBytes)) / 2 ** 20,
    };
  } finally {
    await Promise.all([simulator.stop(), unpacked.remove()]);
    rmSync(lake, { recursive: true });
  }
}

const gbSeconds = (ms: number) => ((ms / 1_000) * (memoryMb / 1_024)).toFixed(1);
const seconds = (ms: number) => (ms / 1_000).toFixed(0);
const kb = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
const rows: [string, string][] = [];
let idleCalls = 0;
for (const [name, settleMs] of Object.entries(stores)) {
  const ticks = await measureTicks(settleMs);
  const waitingMs = await measureWaiting(settleMs);
  idleCalls = Math.max(idleCalls, ticks.idleCalls);
  const ratio = (waitingMs / ticks.billedMs).toFixed(1);
  rows.push(
    [
      `GB-seconds on ${name}: by ticks, waiting`,
      `${gbSeconds(ticks.billedMs)}, ${gbSeconds(waitingMs)}: 1/${ratio}`,
    ],
    [
      `… ticks, seconds billed, longest tick`,
      `${ticks.ticks}, ${seconds(ticks.billedMs)} s, ${seconds(ticks.longestMs)} s`,
    ],
  );
}
const cold = await measureColdStart();
rows.push(
  [
    'cold start: Node itself, loading the bundle',
    `${cold.bareMs.toFixed(0)} ms, ${cold.loadMs.toFixed(0)} ms`,
  ],
  ['idle tick: store requests', String(idleCalls)],
  [
    'idle tick: the handler, first of a process, file store; peak memory',
    `${cold.idleMs.toFixed(0)} ms; ${cold.peakMb.toFixed(0)} MB`,
  ],
  ['zip', kb(cold.zipBytes)],
  ...listPackages()
    .filter(([, bytes]) => bytes >= 10_000)
    .map(([name, bytes]): [string, string] => [`in the bundle: ${name}`, kb(bytes)]),
);
console.log(`| ${nodes} nodes, ${memoryMb} MB | |
|---|---:|
${rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n')}`);
