// Measures how many store requests a page needs with the service's quota of 5 requests in 60 s.
// Method: the built CLI with the built simulator and a real radosgw, through a proxy that counts. An `export` runs at the same
// time as one `tick` per minute in another bucket. Counting starts with the second window, to leave out the start. Before
// that, an `export` of 10,000 nodes at full speed shows the requests of sealing and the number of objects.
// Run: npm run rgw:start && npm run build && npx tsx test/bench/requests.bench.ts [minutes]

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  countKinds,
  isPage,
  type ProxiedRequest,
  startFaultyProxy,
} from '../support/faulty-proxy.ts';
import { createBucket, rgw } from '../support/rgw.ts';
import { listNames } from '../support/signed-fetch.ts';

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

/** A new list and a new bucket. The endpoint uses the store's key, because the environment can hold only one key. */
async function startList(
  name: string,
  nodes: number,
  quota: { requests: number; windowSeconds: number },
): Promise<{ config: string; requests: ProxiedRequest[]; bucket: string }> {
  const proxy = await startFaultyProxy({ target: rgw.url });
  const child = start([
    ...['simulate', '--json', '--no-quota', '--nodes', String(nodes)],
    ...['--ak', rgw.key.ak, '--sk', rgw.key.sk],
  ]);
  const { url, projectId } = await new Promise<{ url: string; projectId: string }>((resolve) =>
    child.stdout?.once('data', (data) => resolve(JSON.parse(String(data)))),
  );
  const config = join(folder, `${name}.yml`);
  const bucket = await createBucket();
  writeFileSync(
    config,
    `store: obs://${bucket}/lake
quota: { requests: ${quota.requests}, windowSeconds: ${quota.windowSeconds} }
obs: { endpoint: "${proxy.url}", pathStyle: true }
accounts:
  - name: prod
    targets: [{ region: cn-south-4, projectId: ${projectId}, endpoint: "${url}" }]
`,
  );
  return { config, requests: proxy.requests, bucket };
}

/** The store requests of a whole snapshot and after its last page, and the objects afterwards. */
async function measureSnapshot(): Promise<string> {
  const nodes = 10_000;
  const list = await startList('snapshot', nodes, { requests: 200, windowSeconds: 1 });
  const child = start(['export', '--json', '--config', list.config]);
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`export exited with ${code}`);
  const pages = Math.ceil((nodes - 1) / 199);
  // The first PUT of a checkpoint opens the run and stores no page.
  const puts = list.requests.flatMap((request, index) => (isPage(request) ? [index] : []));
  const afterPages = list.requests.length - 1 - (puts[pages] ?? Number.NaN);
  const objects = new Map<string, number>();
  for (const name of await listNames(rgw.key, rgw.url, list.bucket, 'lake/')) {
    const [, top = ''] = name.split('/');
    objects.set(top, (objects.get(top) ?? 0) + 1);
  }
  const stored = [...objects].map(([top, times]) => `${times} ${top}`).join(', ');
  return `snapshot of ${nodes} nodes: ${list.requests.length} requests, ${afterPages} of them after the last page; objects: ${stored}`;
}

function count(requests: readonly ProxiedRequest[], startMs: number, endMs: number) {
  const counted = requests.filter(({ atMs }) => atMs >= startMs && atMs < endMs);
  const pages = counted.filter(isPage).length;
  return { pages, all: counted.length, kinds: countKinds(counted) };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

try {
  console.log(await measureSnapshot());
  const service = { requests: 5, windowSeconds: 60 };
  const exporting = await startList('export', 100_000, service);
  const ticking = await startList('tick', 100_000, service);
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
  console.log(`| ${minutes - 1} windows of 5 in 60 s | pages | store requests | per page | kinds |
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
