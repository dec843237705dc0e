// Measures the CPU of an idle invocation of the built function, with 200 targets compared with 1: a whole process with its first
// invocation, and a later invocation of the same process. Run: npm run build && npx tsx test/bench/idle.bench.ts

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { scheduleKey, snapshotName, targetId } from '../../lib/core/object-keys.ts';
import { emptySchedule, encodeSchedule, slotMs } from '../../lib/runs/schedule.ts';

const bundle = join(import.meta.dirname, '../../dist/functions/collect/index.js');
const scheduleMs = 24 * 3_600_000;
const rounds = 7;
const invocations = 500;
const targetsPerAccount = 4;

/** A configuration and a schedule in which every target was sealed in the slot of now. Returns the size of the schedule, bytes. */
function prepare(folder: string, count: number): number {
  const nowMs = Date.now();
  const schedule = emptySchedule();
  const accounts = [];
  for (let first = 0; first < count; first += targetsPerAccount) {
    const name = `account-${first / targetsPerAccount}`;
    const targets = [];
    for (let index = first; index < Math.min(count, first + targetsPerAccount); index += 1) {
      const projectId = index.toString(16).padStart(32, '0');
      targets.push({ region: 'cn-north-4', projectId });
      const snapshot = snapshotName(slotMs(nowMs, scheduleMs));
      const missed = { count: 0, untilMs: slotMs(nowMs, scheduleMs), scheduleMs };
      const key = { table: 'container_nodes', region: 'cn-north-4', projectId };
      schedule.targets[targetId(key)] = {
        ...{ account: name, user: '0123456789ab', open: null, sealed: snapshot },
        lastSealed: { snapshot, manifestSha256: 'a'.repeat(64) },
        ...{ sealedAtMs: nowMs, failures: 0, retryAtMs: 0, missed, reportedFaults: [] },
      };
    }
    accounts.push({ name, credentials: { ak: `AK${name}`, sk: `secret-of-${name}` }, targets });
  }
  const config = { store: `file:${folder}/lake`, mounted: true, schedule: '24h', accounts };
  writeFileSync(join(folder, 'cgs-export.yml'), JSON.stringify(config));
  const bytes = encodeSchedule(schedule);
  const file = join(folder, 'lake', scheduleKey);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return bytes.length;
}

/** The script of one process. It prints its CPU up to the end of the first invocation, and that of a later one, milliseconds. */
const script = `
const { handler } = require(process.argv[1]);
const context = { getRemainingTimeInMilliSeconds: () => 60000, getRequestID: () => 'bench' };
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true;
const cpuMs = async (times, before = process.cpuUsage()) => {
  for (let index = 0; index < times; index += 1) {
    const { status } = await handler({}, context);
    if (status !== 'idle') throw new Error('the invocation is not idle but ' + status);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / times;
};
(async () => {
  const first = await cpuMs(1, { user: 0, system: 0 });
  await cpuMs(200);
  write(JSON.stringify({ first, later: await cpuMs(${invocations}) }));
})();
`;

function measure(folder: string): { first: number; later: number } {
  const env = { ...process.env, CGS_EXPORT_CONFIG: join(folder, 'cgs-export.yml') };
  const { status, stdout } = spawnSync(process.execPath, ['-e', script, bundle], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`node exited with ${status}`);
  return JSON.parse(stdout);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const cases = [1, 200].map((count) => {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
  return { count, folder, bytes: prepare(folder, count), first: [], later: [] } as {
    count: number;
    folder: string;
    bytes: number;
    first: number[];
    later: number[];
  };
});
try {
  for (let round = 0; round < rounds; round += 1) {
    for (const one of cases) {
      const { first, later } = measure(one.folder);
      one.first.push(first);
      one.later.push(later);
    }
  }
} finally {
  for (const { folder } of cases) rmSync(folder, { recursive: true, force: true });
}

console.log('| idle tick | new process, CPU ms | later tick, CPU ms | schedule.json, kB |');
console.log('|---|---:|---:|---:|');
for (const { count, bytes, first, later } of cases) {
  const name = count === 1 ? '1 target' : `${count} targets`;
  const size = (bytes / 1_000).toFixed(1);
  console.log(`| ${name} | ${median(first).toFixed(0)} | ${median(later).toFixed(3)} | ${size} |`);
}
const [one, many] = cases;
if (one && many) {
  const ratio = (name: 'first' | 'later') => (median(many[name]) / median(one[name])).toFixed(2);
  console.log(`| ratio | ${ratio('first')} x | ${ratio('later')} x | |`);
}
