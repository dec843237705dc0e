// What a page costs in requests to the store, counted in front of a real server at the service's own quota, 5 in 60 s.
// Method: the built command against the built simulator and a real radosgw, through a proxy that counts: an `export`, and beside
// it, in a bucket of its own, a `tick` a minute. Counted from the second window on, so that nothing of the start is in it.
// Run: npm run rgw:start && npm run build && npx tsx test/bench/requests.bench.ts [minutes]

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RoadRequest, startFaultyProxy } from '../support/faulty-proxy.ts';
import { createBucket, rgw } from '../support/rgw.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const minutes = Number(process.argv[2] ?? 6);
const windowMs = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
const children: ChildProcess[] = [];

function start(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [cli, ...args, '--log-level', 'error'], {
    env: {
      PATH: process.env.PATH,
      HUAWEICLOUD_SDK_AK: rgw.key.ak,
      HUAWEICLOUD_SDK_SK: rgw.key.sk,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

/** A list of its own, too long to be read meanwhile, with the store's key: the environment has only one. */
async function startList(name: string): Promise<{ config: string; requests: RoadRequest[] }> {
  const road = await startFaultyProxy({ target: rgw.url });
  const child = start([
    ...['simulate', '--json', '--nodes', '100000', '--ak', rgw.key.ak, '--sk', rgw.key.sk],
  ]);
  const { url, projectId } = await new Promise<{ url: string; projectId: string }>((resolve) =>
    child.stdout?.once('data', (data) => resolve(JSON.parse(String(data)))),
  );
  const config = join(folder, `${name}.yml`);
  writeFileSync(
    config,
    `store: obs://${await createBucket()}/lake
obs: { endpoint: "${road.url}", pathStyle: true }
accounts:
  - name: prod
    targets: [{ region: cn-south-4, projectId: ${projectId}, endpoint: "${url}" }]
`,
  );
  return { config, requests: road.requests };
}

/** Pages are stored with the checkpoint that names them, so pages are counted by the list's own requests. */
function count(requests: readonly RoadRequest[], startMs: number, endMs: number) {
  const counted = requests.filter(({ atMs }) => atMs >= startMs && atMs < endMs);
  const kinds = new Map<string, number>();
  for (const { method, name } of counted) {
    const kind = `${method} ${/_\w+/.exec(name)?.[0] ?? name}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const pages = counted.filter(
    ({ method, name }) => method === 'PUT' && name.endsWith('checkpoint.json'),
  ).length;
  return { pages, all: counted.length, kinds };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

try {
  const [exporting, ticking] = [await startList('export'), await startList('tick')];
  const startMs = performance.now();
  const exported = start(['export', '--json', '--config', exporting.config]);
  for (let minute = 0; minute < minutes; minute += 1) {
    await wait(startMs + minute * windowMs - performance.now());
    start(['tick', '--json', '--config', ticking.config]);
  }
  await wait(startMs + minutes * windowMs - performance.now() - 1_000);
  exported.kill('SIGKILL');
  const from = startMs + windowMs - 1_000;
  const until = startMs + minutes * windowMs - 1_000;
  console.log(`| ${minutes - 1} windows of 5 in 60 s | pages | store requests | a page | of what |
|---|---:|---:|---:|---|`);
  for (const [name, { requests }] of Object.entries({ export: exporting, tick: ticking })) {
    const { pages, all, kinds } = count(requests, from, until);
    const parts = [...kinds].map(([kind, times]) => `${times} ${kind}`).join(', ');
    console.log(`| ${name} | ${pages} | ${all} | ${(all / pages).toFixed(2)} | ${parts} |`);
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
