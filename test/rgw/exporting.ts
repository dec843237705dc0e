// Owns the built command line at work on the real store: a process of its own, and readers that do not use our code.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { writeArchive } from '../../lib/deploy/archive.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { openDuck } from '../formats/readers.ts';
import { unpackFunction } from '../support/function-process.ts';
import { rgw } from '../support/rgw.ts';
import { listNames, readObject } from '../support/signed-fetch.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const bundle = join(import.meta.dirname, '../../dist/functions/collect/index.js');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The simulator knows the store's key: by flags both are asked with the one key of the environment. */
export async function simulate(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator({ quota: null, ...rgw.key, ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

export interface Ended {
  code: number | null;
  result: {
    status: string;
    snapshots: { snapshot: string; rows: number; verdict: string; manifest: string }[];
    requests: number;
    errors: { code: string; message: string; hint: string }[];
  };
  logs: string;
  /** The most memory the process had, bytes. */
  peakBytes: number;
}

export interface Exporting {
  simulator: Simulator;
  bucket: string;
  /** Default: straight to the gateway. */
  storeUrl?: string;
  /** Default true. */
  pathStyle?: boolean;
  /** Default: one that does not hold up. */
  quota?: { requests: number; windowSeconds: number };
}

function writeConfig({ simulator, bucket, storeUrl, pathStyle, quota }: Exporting): string {
  const { requests, windowSeconds } = quota ?? { requests: 200, windowSeconds: 1 };
  return [
    `store: obs://${bucket}/lake`,
    `quota: { requests: ${requests}, windowSeconds: ${windowSeconds} }`,
    `obs: { endpoint: "${storeUrl ?? rgw.url}", pathStyle: ${pathStyle ?? true} }`,
    'accounts:',
    '  - name: prod',
    '    targets:',
    `      - { region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "${simulator.url}" }`,
  ].join('\n');
}

/** The built function beside its configuration; each call is an invocation, a process of its own. */
export async function deployFunction(
  options: Exporting,
): Promise<() => Promise<Pick<Ended, 'result' | 'logs'>>> {
  const archive = await writeArchive([
    { path: 'index.js', bytes: readFileSync(bundle) },
    { path: 'cgs-export.yml', bytes: Buffer.from(writeConfig(options)) },
  ]);
  const unpacked = await unpackFunction(archive);
  onTestFinished(() => unpacked.remove());
  const { ak, sk } = options.simulator;
  return async () => {
    const { ok, error, result, log } = await unpacked.run({
      event: { version: 'v2.0', trigger_type: 'TIMER', trigger_name: 'every-minute' },
      handler: 'index.handler',
      requestId: 'request',
      functionName: 'cgs-export-collect',
      memorySize: 256,
      timeoutMs: 60_000,
      agency: null,
      userData: { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk },
    });
    // An overtaken run is thrown for the failure destination; what it came to stands in its last line.
    const ended =
      error?.code === 'OVERTAKEN' ? JSON.parse(log.trim().split('\n').at(-1) ?? '') : null;
    if (!ok && !ended) throw new Error(`${error?.message}\n${log}`);
    return { result: (ended ?? result) as Ended['result'], logs: log };
  };
}

/** One run of `command` to its end, as another process. */
export function runCli(
  command: 'export' | 'tick' | 'verify',
  options: Exporting & { env?: Record<string, string> },
): Promise<Ended> {
  const { simulator } = options;
  const folder = mkdtempSync(join(tmpdir(), 'cgs-rgw-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const peakFile = join(folder, 'peak');
  const watch = join(folder, 'watch.cjs');
  writeFileSync(
    watch,
    `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(peakFile)}, String(process.resourceUsage().maxRSS)));`,
  );
  const config = join(folder, 'cgs-export.yml');
  writeFileSync(config, writeConfig(options));
  const args = ['--require', watch, cli, command, '--json', '--config', config];
  const child = spawn(process.execPath, [...args, '--log-level', 'debug'], {
    env: {
      PATH: process.env.PATH,
      HUAWEICLOUD_SDK_AK: simulator.ak,
      HUAWEICLOUD_SDK_SK: simulator.sk,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let logs = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    logs += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      try {
        const peakBytes = Number(readFileSync(peakFile, 'utf8')) * 1024;
        resolve({ code, result: JSON.parse(out), logs, peakBytes });
      } catch {
        reject(new Error(`${command} ended with ${code}: ${out}\n${logs.slice(-4_000)}`));
      }
    });
  });
}

interface Manifest {
  snapshot: string;
  verdict: string;
  rows: number;
  parts: {
    role: string;
    format: string;
    key: string;
    sha256: string;
    rows: number;
    bytes: number;
  }[];
  previous: { snapshot: string; manifestSha256: string } | null;
}

/** The manifest and its parts, each by its hash; read with the second client. */
export async function readSnapshot(
  bucket: string,
  manifestKey: string,
): Promise<{ manifest: Manifest; manifestSha256: string; parts: Map<string, Buffer> }> {
  const bytes = await readObject(rgw.key, rgw.url, bucket, `lake/${manifestKey}`);
  if (bytes === null) throw new Error(`no ${manifestKey}`);
  const manifest = JSON.parse(bytes.toString()) as Manifest;
  const parts = new Map<string, Buffer>();
  for (const { role, format, key, sha256: hash } of manifest.parts) {
    const part = await readObject(rgw.key, rgw.url, bucket, `lake/${key}`);
    if (part === null) throw new Error(`${manifestKey} names ${key}, which is not there`);
    if (sha256(part) !== hash) throw new Error(`${key} has other bytes than its manifest says`);
    if (role === 'rows') parts.set(format, part);
  }
  return { manifest, manifestSha256: sha256(bytes), parts };
}

const compared = [
  ...['host_id', 'host_name', 'host_status', 'agent_status_raw', 'protect_status', 'agent_id'],
  ...['container_tags', 'private_ip', 'public_ip', 'group_name', 'enterprise_project_name'],
  ...['detect_result', 'asset', 'vulnerability', 'intrusion', 'policy_group_name'],
];

/** What the endpoint served, as rows of `compared`, in the order of their ids' bytes. */
export function servedRows(simulator: Simulator): unknown[][] {
  return simulator
    .nodes()
    .map((node) =>
      compared.map((name) => node[name === 'agent_status_raw' ? 'agent_status' : name] ?? null),
    )
    .sort(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
}

/** The sealed rows of both formats, Parquet as DuckDB reads it. */
export async function sealedRows(
  parts: ReadonlyMap<string, Buffer>,
): Promise<{ parquet: unknown[][]; ndjson: unknown[][] }> {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-rgw-'));
  const duck = await openDuck();
  try {
    const file = join(folder, 'part.parquet');
    writeFileSync(file, parts.get('parquet') ?? '');
    const parquet = await duck.query(`SELECT ${compared.join(', ')} FROM '${file}'`);
    const lines = gunzipSync(parts.get('ndjson') ?? '').toString();
    const ndjson = lines
      .trimEnd()
      .split('\n')
      .map((line) => {
        const row = JSON.parse(line) as Record<string, unknown>;
        return compared.map((name) => row[name]);
      });
    return { parquet, ndjson };
  } finally {
    duck.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A reader that looks at the bucket all the time: every data object must have the bytes that its name tells the hash of,
 * every manifest all of its parts, and _latest a manifest. Returns what was wrong, and how often it looked.
 */
export function watchBucket(bucket: string): {
  stop(): Promise<{ looks: number; wrong: string[] }>;
} {
  let going = true;
  let looks = 0;
  const wrong: string[] = [];
  const known = new Set<string>();
  const list = (prefix: string) => listNames(rgw.key, rgw.url, bucket, prefix);
  async function look(): Promise<void> {
    for (const name of await list('lake/container_nodes')) {
      if (known.has(name)) continue;
      const bytes = await readObject(rgw.key, rgw.url, bucket, name);
      const told = /-([0-9a-f]{12})\.(?:parquet|ndjson\.gz)$/.exec(name)?.[1];
      if (bytes === null || sha256(bytes).slice(0, 12) !== told) wrong.push(`${name} is not whole`);
      known.add(name);
    }
    for (const name of await list('lake/_manifests/')) {
      if (known.has(name)) continue;
      const failure = await readSnapshot(bucket, name.slice('lake/'.length)).then(
        () => null,
        String,
      );
      if (failure !== null) wrong.push(failure);
      known.add(name);
    }
    for (const name of await list('lake/_latest/')) {
      const pointer = JSON.parse(String(await readObject(rgw.key, rgw.url, bucket, name))) as {
        manifest: string;
        manifestSha256: string;
      };
      const { manifestSha256 } = await readSnapshot(bucket, pointer.manifest);
      if (manifestSha256 !== pointer.manifestSha256) wrong.push(`${name} names other bytes`);
    }
    looks += 1;
  }
  const watching = (async () => {
    while (going) {
      // A gateway that is down is no fault of what it holds.
      await look().catch((error: unknown) => {
        if (!(error instanceof TypeError)) wrong.push(String(error));
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async stop() {
      going = false;
      await watching;
      return { looks, wrong };
    },
  };
}

/** The most arrivals in any window, a window being open at its end. */
export function busiestWindow(simulator: Simulator, windowMs: number): number {
  const arrivals = simulator.requests().map(({ atMs }) => atMs);
  return Math.max(
    0,
    ...arrivals.map(
      (startMs) => arrivals.filter((atMs) => atMs >= startMs && atMs < startMs + windowMs).length,
    ),
  );
}
