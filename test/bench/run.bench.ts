// Measures the cost of a run apart from its requests: sealing 100,000 nodes, compared with hyparquet-writer alone on the
// same rows, and how long timer invocations wait. Method: the real core with a virtual clock; sealing in real time.
// Run: npx tsx test/bench/run.bench.ts

import type { Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { createRandom } from '../support/moving-list.ts';
import { createTestExporter } from '../support/test-exporter.ts';
import { encodePlain } from './plain-writer.ts';

const nodes = 100_000;
const rounds = 5;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const texts = createRandom(3);
const hex = (length: number) =>
  Array.from({ length }, () => Math.floor(texts() * 16).toString(16)).join('');

/** Every field that HSS documents, with values as varied as in a real inventory. */
function recordOf(id: string): Record<string, unknown> {
  const pick = (...values: string[]) => values[Math.floor(texts() * values.length)];
  const int = (below: number) => Math.floor(texts() * below);
  return {
    host_id: id,
    host_name: `node-${hex(6)}-${pick('web', '数据库', 'ｃａｃｈｅ', '🚀')}`,
    host_status: pick('ACTIVE', 'ACTIVE', 'ACTIVE', 'SHUTOFF'),
    agent_status: pick('online', 'online', 'offline', 'not_installed'),
    protect_status: pick('opened', 'closed'),
    agent_id: hex(64),
    protect_interrupt: texts() < 0.1,
    protect_degradation: texts() < 0.1,
    degradation_reason: '',
    container_tags: pick('cce', 'self', 'other'),
    private_ip: `10.${int(256)}.${int(256)}.${int(256)}`,
    public_ip: texts() < 0.2 ? `100.64.${int(256)}.${int(256)}` : null,
    resource_id: hex(32),
    group_name: `group-${int(40)}`,
    enterprise_project_name: `project-${int(12)}`,
    detect_result: pick('undetected', 'clean', 'risk', 'scanning'),
    asset: int(200),
    vulnerability: int(500),
    intrusion: int(10),
    policy_group_id: `policy-${int(20)}`,
    policy_group_name: `policy ${int(20)}`,
  };
}

async function timeSeal(): Promise<{ sealMs: number; rows: readonly Row[] }> {
  const ids = Array.from({ length: nodes }, (_, index) => `host-${String(index).padStart(6, '0')}`);
  const exporter = createTestExporter({
    ids,
    recordOf,
    quota: { requests: 10_000, windowSeconds: 1 },
  });
  let rows: Row[] = [];
  let startMs = 0;
  let sealMs = 0;
  await exporter.exportNow({
    encoders: [
      {
        ...parquetEncoder,
        open(options) {
          rows = [];
          const writer = parquetEncoder.open(options);
          return {
            async write(given) {
              rows.push(...given);
              await writer.write(given);
            },
            end: writer.end,
          };
        },
      },
      ndjsonEncoder,
    ],
    progress: ({ kind }) => {
      if (kind === 'seal') startMs = performance.now();
      if (kind === 'sealed') sealMs = performance.now() - startMs;
    },
  });
  return { sealMs, rows };
}

const seals: number[] = [];
const plains: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  const { sealMs, rows } = await timeSeal();
  seals.push(sealMs);
  const startMs = performance.now();
  encodePlain(rows, containerNodes.columns);
  plains.push(performance.now() - startMs);
}
const ratio = median(seals.map((ms, index) => ms / (plains[index] ?? Number.NaN)));

const exporter = createTestExporter({
  ids: Array.from({ length: 200 + 199 * 600 }, (_, index) => `host-${index}`),
});
const random = createRandom(11);
exporter.endpoint.latencyMs = () => 50 + random() * 150;
let waitedMs = 0;
let waitedMsMax = 0;
let busyMs = 0;
for (let tick = 0; tick < 100; tick += 1) {
  const startMs = exporter.clock.monotonicMs();
  let waited = 0;
  await exporter.tick({
    progress: (event) => {
      if (event.kind === 'wait') waited += event.delayMs;
    },
  });
  waitedMs += waited;
  waitedMsMax = Math.max(waitedMsMax, waited);
  busyMs += exporter.clock.monotonicMs() - startMs;
  exporter.clock.advance(60_000 - (exporter.clock.monotonicMs() - startMs));
}
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
console.log(`| | |
|---|---:|
| sealing ${nodes} nodes, both formats: read, normalize, sort, encode, hash | ${median(seals).toFixed(0)} ms |
| hyparquet-writer alone on the same rows | ${median(plains).toFixed(0)} ms |
| ratio, median of ${rounds} pairs | ${ratio.toFixed(2)} |
| 100 ticks, one per minute, responses of 50 to 200 ms: share of the quota used | ${percent(exporter.endpoint.arrivals.length / 500)} |
| longest wait in a tick | ${(waitedMsMax / 1_000).toFixed(2)} s |
| share of billed time spent waiting | ${percent(waitedMs / busyMs)} |
| billed time, compared with waiting for the quota in the process | ${percent(busyMs / (100 * 60_000))} |`);
