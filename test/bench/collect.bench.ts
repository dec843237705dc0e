// Measures collecting a long list: peak memory, CPU per page early and late, and bytes written to bytes kept.
// Method: the real core and the file store in this process, with a source that makes pages in memory and no quota to wait for.
// It stops before the seal. Then a second run() reads the pass back, as a timer does that must judge it.
// Run: npx tsx test/bench/collect.bench.ts [nodes]

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Source, Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { saveMemory } from '../../lib/platform/memory.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import { startCheckpoint } from '../../lib/reading/checkpoint.ts';
import { policies } from '../../lib/runs/policy.ts';
import { readNextPage } from '../../lib/runs/read-page.ts';
import { openRunState, type RunPorts } from '../../lib/runs/run-state.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { createRandom } from '../support/moving-list.ts';
import { scopeOf, someTarget } from '../support/stored-run.ts';
import { toFetchedPage } from '../support/test-exporter.ts';

saveMemory();
const nodes = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };

/** A node with every documented field, as HSS lists it. The same index gives the same node. */
function nodeText(index: number): string {
  const random = createRandom(index + 1);
  const hex = (length: number) => {
    let text = '';
    while (text.length < length) text += Math.floor(random() * 2 ** 24).toString(16);
    return text.slice(0, length);
  };
  const id = `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${index.toString(16).padStart(12, '0')}`;
  return `{"host_id":"${id}","host_name":"node-${hex(6)}","host_status":"ACTIVE","agent_status":"online","protect_status":"opened","agent_id":"${hex(64)}","protect_interrupt":false,"protect_degradation":false,"degradation_reason":"","container_tags":"cce","private_ip":"10.${index % 256}.${(index >> 8) % 256}.${index >> 16}","public_ip":null,"resource_id":"${hex(32)}","group_name":"group-${index % 40}","enterprise_project_name":"project-${index % 12}","detect_result":"clean","asset":${index % 200},"vulnerability":${index % 500},"intrusion":0,"policy_group_id":"policy-${index % 20}","policy_group_name":"policy ${index % 20}"}`;
}

function readStatus(name: 'VmHWM' | 'VmRSS'): number {
  const kb = new RegExp(`${name}:\\s+(\\d+) kB`).exec(
    readFileSync('/proc/self/status', 'utf8'),
  )?.[1];
  return (Number(kb) * 1_024) / 1e6;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

let sourceMs = 0;
const source: Source = {
  async fetchPage({ offset, limit }) {
    const before = cpuMs();
    const records: string[] = [];
    for (let index = offset; index < Math.min(offset + limit, nodes); index += 1) {
      records.push(nodeText(index));
    }
    const page = toFetchedPage(
      `{"total_num":${nodes},"data_list":[${records.join(',')}]}`,
      Date.now(),
    );
    sourceMs += cpuMs() - before;
    return page;
  },
};

let written = 0;
let puts = 0;
const files = openFileStore({ root: folder, clock });
const store: Store = {
  ...files,
  put(key, bytes, options) {
    written += bytes.length;
    puts += 1;
    return files.put(key, bytes, options);
  },
};
const ports = {
  store,
  clock,
  log: () => {},
  encoders: [],
  budget: unlimitedBudget(new AbortController().signal),
  writer: 'bench',
  signing: null,
  scheduleMs: 1,
  policy: policies.command,
  progress: () => {},
  dataset: containerNodes,
  source,
  ledger: { admit: async () => true, sent: async () => {}, release: async () => {} },
  remembered: null,
  user: '',
  renew: async () => {},
  first: true,
  requested: () => {},
} as unknown as RunPorts;

try {
  const start = startCheckpoint({
    target: someTarget,
    dataset: 'container_nodes',
    schemaVersion: 1,
    snapshot: '20261124T060000Z',
    scope: scopeOf(someTarget),
    startedAtMs: Date.now(),
  });
  const state = openRunState(ports, someTarget, start);
  /** CPU per page without the source, by hundreds of pages, ms. */
  const perPage: number[] = [];
  let before = { cpu: cpuMs(), source: sourceMs };
  const startMs = cpuMs();
  while (state.checkpoint.phase === 'collecting') {
    await readNextPage(state);
    if (state.checkpoint.pageCount % 100 !== 0) continue;
    const now = { cpu: cpuMs(), source: sourceMs };
    perPage.push((now.cpu - before.cpu - (now.source - before.source)) / 100);
    before = now;
  }
  const collectedMs = cpuMs() - startMs;
  const peak = readStatus('VmHWM');
  const objects = await store.list('_runs/');
  const kept = objects.reduce((sum, { bytes }) => sum + bytes, 0);
  const { pageCount } = state.checkpoint;
  const ended = { cpu: cpuMs() };
  const resumed = openRunState(ports, someTarget, state.checkpoint);
  state.pass = null;
  await resumed.loadPass();
  const loadMs = cpuMs() - ended.cpu;
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  console.log(`| collecting ${nodes} nodes, ${pageCount} pages | |
|---|---:|
| peak memory of the process | ${peak.toFixed(0)} MB |
| CPU | ${(collectedMs / 1_000).toFixed(1)} s, of which making and parsing pages ${(sourceMs / 1_000).toFixed(1)} s |
| CPU of a page without making and parsing it: pages 1 to 100, 101 to 200 | ${perPage[0]?.toFixed(2)}, ${perPage[1]?.toFixed(2)} ms |
| … the last 1,000 pages | ${mean(perPage.slice(-10)).toFixed(2)} ms |
| PUTs per page | ${(puts / pageCount).toFixed(3)} |
| bytes written, to bytes kept | ${(written / 1e6).toFixed(1)} MB, ${(written / kept).toFixed(2)} x |
| objects | ${objects.length} |
| reading the pass back: CPU, memory afterwards, peak | ${(loadMs / 1_000).toFixed(1)} s, ${readStatus('VmRSS').toFixed(0)} MB, ${readStatus('VmHWM').toFixed(0)} MB |`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
