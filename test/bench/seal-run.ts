// Responsible for one measured step of the seal benchmark, each in a process of its own: store a run, seal it, or only encode its
// rows from memory (the floor).
// Run: npx tsx test/bench/seal-run.ts store|seal|floor FOLDER COUNT. Prints JSON: cpuMs, peakMb, diskMb.

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { describeHost } from '../../lib/platform/host.ts';
import { saveMemory } from '../../lib/platform/memory.ts';
import { openScratch } from '../../lib/platform/scratch.ts';
import { openRunPages } from '../../lib/reading/page-store.ts';
import { sealRun } from '../../lib/snapshots/seal.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { createRows } from '../formats/inventory.ts';
import { readInventory, storedTarget, storeInventory } from './stored-inventory.ts';

const encoders = [parquetEncoder, ndjsonEncoder];
const [step, folder = '', countText] = process.argv.slice(2);
const count = Number(countText);
const store = openFileStore({ root: join(folder, 'store'), clock: systemClock });

/** The bytes of all files in the folder now. */
function measureDisk(path: string): number {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => {
      const found = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
      return sum + (found?.size ?? 0);
    }, 0);
}

async function seal(): Promise<number> {
  saveMemory();
  const { checkpoint, prefix } = await readInventory(store);
  const parent = join(folder, 'temporary');
  mkdirSync(parent, { recursive: true });
  const host = describeHost(Math.random);
  const onExit = (act: () => void) => void process.once('exit', act);
  const scratch = openScratch({ parent, host, clock: systemClock, onExit });
  const keepAlive = async () => {};
  const pages = openRunPages({ store, dataset: containerNodes, prefix, keepAlive });
  let diskMax = 0;
  const timer = setInterval(() => {
    diskMax = Math.max(diskMax, measureDisk(parent));
  }, 100);
  await sealRun(
    {
      store,
      scratch,
      clock: systemClock,
      dataset: containerNodes,
      encoders,
      writer: 'cgs-export/bench',
      log: () => {},
      keepAlive,
      mayWait: true,
      scheduleMs: 86_400_000,
      onWait: () => {},
      remembered: null,
      readPages: pages.read,
    },
    storedTarget,
    checkpoint,
  );
  clearInterval(timer);
  return diskMax;
}

/** Returns when the rows were ready: making them is not part of the floor. */
async function encodeFloor(): Promise<NodeJS.CpuUsage> {
  const rows = createRows(count);
  const ready = process.cpuUsage();
  for (const encoder of encoders) {
    const { columns, keyColumn: sortedBy } = containerNodes;
    const options = { columns, sortedBy, createdBy: 'cgs-export/bench', metadata: {} };
    const writer = encoder.open({ ...options, sink: () => {} });
    await writer.write(rows);
    await writer.end();
  }
  return ready;
}

let before = process.cpuUsage();
let diskBytes = 0;
if (step === 'store') await storeInventory(store, count);
else if (step === 'seal') diskBytes = await seal();
else before = await encodeFloor();
const { user, system } = process.cpuUsage(before);
const peakMb = process.resourceUsage().maxRSS / 1_000;
console.log(JSON.stringify({ cpuMs: (user + system) / 1_000, peakMb, diskMb: diskBytes / 1e6 }));
