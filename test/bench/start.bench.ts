// Measures how long the built command line needs to start: `--version` and `--help`, against an empty script in the same run.
// Method: one process after the other, in turn, so that the load of the machine is the same for all; CPU time of the process (user and
// system), because wall time depends on what else runs. Fails if the median of --version is more than 2.5 times that of the empty script.
// Run: npm run bench:start [rounds]

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli } from './watched-process.ts';

const rounds = Number(process.argv[2] ?? 15);
const limit = 2.5;

const folder = mkdtempSync(join(tmpdir(), 'start-'));
const empty = join(folder, 'empty.cjs');
writeFileSync(empty, '');
const scripts: Record<string, string[]> = {
  'an empty script': [empty],
  '--version': [cli, '--version'],
  '--help': [cli, '--help'],
};

/** Reports the CPU time of its process when it ends. Loaded before each script. */
const meter = join(folder, 'meter.cjs');
writeFileSync(
  meter,
  `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  require('node:fs').writeSync(3, String(user + system));
});`,
);

/** CPU milliseconds of one process, from its start to its end. */
function measure(args: readonly string[]): number {
  const stdio = ['ignore', 'ignore', 'inherit', 'pipe'] as const;
  const { status, output } = spawnSync(process.execPath, ['--require', meter, ...args], {
    stdio: [...stdio],
  });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`);
  return Number(output[3]) / 1_000;
}

const times = new Map<string, number[]>(Object.keys(scripts).map((name) => [name, []]));
for (let round = -1; round < rounds; round += 1) {
  for (const [name, args] of Object.entries(scripts)) {
    const cpuMs = measure(args);
    // The first round reads the files from the disk.
    if (round >= 0) times.get(name)?.push(cpuMs);
  }
}
rmSync(folder, { recursive: true });

const medianOf = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
const base = medianOf(times.get('an empty script') ?? []);
for (const [name, values] of times) {
  const median = medianOf(values);
  const ratio = median / base;
  console.log(`${name}: ${median.toFixed(0)} ms of CPU, ${ratio.toFixed(2)} times an empty script`);
  if (name === '--version' && ratio > limit) {
    console.error(`--version needs more than ${limit} times an empty script`);
    process.exitCode = 1;
  }
}
