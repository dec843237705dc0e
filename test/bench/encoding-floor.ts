// Responsible for the floor of sealing: the CPU time of encoding the simulator's nodes, as sorted rows that are in memory
// already, into both formats. In batches, because collecting garbage in a large heap would be a part of it otherwise.
// Run as a script: tsx test/bench/encoding-floor.ts NODES prints the milliseconds.

import type { Row, RowContext } from '../../lib/core/ports.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { createNodeMaker } from '../../lib/simulator/nodes.ts';

const { columns } = containerNodes;
const batchMax = 100_000;
const key = columns.findIndex(({ name }) => name === containerNodes.keyColumn);

async function encodeBoth(rows: readonly Row[]): Promise<void> {
  const options = {
    ...{ columns, sortedBy: containerNodes.keyColumn, createdBy: 'cgs-export/bench', metadata: {} },
    sink() {},
  };
  for (const encoder of [parquetEncoder, ndjsonEncoder]) {
    const writer = encoder.open(options);
    await writer.write(rows);
    await writer.end();
  }
}

function makeRows(first: number, count: number): Row[] {
  const makeNode = createNodeMaker({ seed: 1, flavour: 'hss', nodes: first + count, odd: {} });
  const rows = Array.from({ length: count }, (_, index) => {
    // As in a real run, the nodes of one page have the time of the page.
    const fetchedAtMs = Date.UTC(2026, 10, 26) + Math.floor((first + index) / 200) * 1_000;
    const context: RowContext = {
      ...{ snapshotAtMs: Date.UTC(2026, 10, 26), fetchedAtMs, verdict: 'complete' },
      ...{ account: 'bench', region: 'cn-south-4', projectId: 'de300000000000000000000000000de3' },
    };
    return containerNodes.normalize(makeNode(first + index), context);
  });
  return rows.sort((a, b) => compareUtf8(a[key] as string, b[key] as string));
}

const nodes = Number(process.argv[2]);
let cpuMs = 0;
for (let first = 0; first < nodes; first += batchMax) {
  const rows = makeRows(first, Math.min(batchMax, nodes - first));
  const before = process.cpuUsage();
  await encodeBoth(rows);
  const { user, system } = process.cpuUsage(before);
  cpuMs += (user + system) / 1_000;
}
process.stdout.write(String(cpuMs));
