// Measures the encoders of sealing, compared with the library that they use and with another library.
// Run: npx tsx test/bench/seal.bench.ts [--rows 100000] [--rounds 7].
// Method: one process; every round runs all contenders in a rotating order. The results are medians, and the median of the
// ratios within a round, so that a slow phase of the machine affects all contenders. Peak RSS: one child process each.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { writeParquetjs } from '../formats/readers.ts';
import { encodePlain, toColumnData, toSchema } from './plain-writer.ts';

const { columns } = containerNodes;

/** Each encodes the same rows to the bytes of one file. */
const contenders: Record<string, (rows: readonly Row[]) => Promise<Uint8Array>> = {
  'cgs-export parquet': (rows) => encodeRows(parquetEncoder, rows),
  'hyparquet-writer alone, gzip, groups of 10,000': async (rows) => encodePlain(rows, columns),
  'hyparquet-writer alone, its defaults (snappy)': async (rows) =>
    new Uint8Array(
      parquetWriteBuffer({ columnData: toColumnData(rows, columns), schema: toSchema(columns) }),
    ),
  'parquetjs-lite, gzip, groups of 10,000': async (rows) => {
    const dir = mkdtempSync(join(tmpdir(), 'cgs-export-bench-'));
    try {
      await writeParquetjs(join(dir, 'a.parquet'), rows);
      return readFileSync(join(dir, 'a.parquet'));
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
  'cgs-export ndjson': (rows) => encodeRows(ndjsonEncoder, rows),
  'JSON.stringify of objects, gzipSync': async (rows) => {
    const lines = rows.map((row) =>
      JSON.stringify(
        Object.fromEntries(
          columns.map(({ name, type }, c) => [
            name,
            type === 'timestamp' ? new Date(row[c] as number) : row[c],
          ]),
        ),
      ),
    );
    return gzipSync(`${lines.join('\n')}\n`);
  },
};
const names = Object.keys(contenders);

interface Sample {
  wallMs: number;
  cpuMs: number;
  bytes: number;
}

async function measure(name: string, rows: readonly Row[]): Promise<Sample> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const bytes = (await contenders[name]?.(rows))?.length ?? 0;
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1000, bytes };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Peak memory of a process that makes the rows and runs one contender once, in MB. `rows`: runs no contender. */
function measurePeakMb(name: string, count: number): number {
  const script = fileURLToPath(import.meta.url);
  const child = spawnSync(
    process.execPath,
    [...process.execArgv, script, '--rows', String(count), '--one', name],
    { encoding: 'utf8' },
  );
  if (child.status !== 0) throw new Error(child.stderr);
  return Number(child.stdout) / 1000;
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '7' },
    one: { type: 'string' },
  },
});
const count = Number(values.rows);
const rows = createRows(count);

if (values.one !== undefined) {
  await contenders[values.one]?.(rows);
  process.stdout.write(String(process.resourceUsage().maxRSS));
} else {
  const samples = new Map(names.map((name) => [name, [] as Sample[]]));
  for (const name of names) await measure(name, rows); // warm
  for (let round = 0; round < Number(values.rounds); round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length] as string;
      samples.get(name)?.push(await measure(name, rows));
    }
  }
  const rowsOnlyMb = measurePeakMb('rows', count);
  console.log(
    `${count} rows, ${columns.length} columns, ${values.rounds} rounds, Node ${process.versions.node}, ${availableParallelism()} cores. Peak RSS includes ${rowsOnlyMb.toFixed(0)} MB to make and hold the rows.\n`,
  );
  console.log('| | wall ms | CPU ms | CPU, ratio to ours | file MB | peak RSS MB |');
  console.log('|---|---:|---:|---:|---:|---:|');
  for (const name of names) {
    const own = samples.get(name) as Sample[];
    const ours = samples.get(
      name.includes('ndjson') || name.includes('JSON') ? 'cgs-export ndjson' : 'cgs-export parquet',
    ) as Sample[];
    const ratio = median(own.map(({ cpuMs }, round) => cpuMs / (ours[round] as Sample).cpuMs));
    console.log(
      `| ${name} | ${median(own.map(({ wallMs }) => wallMs)).toFixed(0)} | ${median(own.map(({ cpuMs }) => cpuMs)).toFixed(0)} | ${ratio.toFixed(2)} | ${((own[0] as Sample).bytes / 1e6).toFixed(2)} | ${measurePeakMb(name, count).toFixed(0)} |`,
    );
  }
}
