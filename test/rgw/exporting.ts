// Responsible for running the built exporter with the real store, and for reading the result
// without the exporter's code.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { openDuck } from '../formats/readers.ts';
import { timerInvocation, unpackFunction } from '../support/function-process.ts';
import { sha256 } from '../support/plain-signature.ts';
import { rgw } from '../support/rgw.ts';
import { listNames, readObject } from '../support/signed-fetch.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const bundle = join(import.meta.dirname, '../../dist/functions/collect/index.js');

/**
 * A simulator that accepts the store's key: by flags, the exporter uses the key of the environment
 * for both.
 */
export async function simulate(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator({ quota: null, ...rgw.key, ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

export interface CommandOutcome {
  code: number | null;
  result: {
    status: string;
    snapshots: { snapshot: string; rows: number; verdict: string; manifest: string }[];
    requests: number;
    errors: { code: string; message: string; hint: string }[];
  };
  logs: string;
  /** The largest resident memory of the process, bytes. */
  peakBytes: number;
}

export interface ExportSetup {
  simulator: Simulator;
  bucket: string;
  /** Default: the gateway itself. */
  storeUrl?: string;
  /** Default true. */
  pathStyle?: boolean;
  /** Default: a quota that causes no waiting. */
  quota?: { requests: number; windowSeconds: number };
  /** Lines of the configuration, for example of `verify`. */
  settings?: readonly string[];
}

function writeConfig(setup: ExportSetup): string {
  const { simulator, bucket, storeUrl, pathStyle, quota, settings = [] } = setup;
  const { requests, windowSeconds } = quota ?? { requests: 200, windowSeconds: 1 };
  return [
    `store: obs://${bucket}/lake`,
    `quota: { requests: ${requests}, windowSeconds: ${windowSeconds} }`,
    `obs: { endpoint: "${storeUrl ?? rgw.url}", pathStyle: ${pathStyle ?? true} }`,
    ...settings,
    'accounts:',
    '  - name: prod',
    '    targets:',
    `      - { region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "${simulator.url}" }`,
  ].join('\n');
}

/**
 * Unpacks the built function with its configuration. Each call of the result is one invocation in a
 * new process.
 */
export async function deployFunction(
  options: ExportSetup,
): Promise<() => Promise<Pick<CommandOutcome, 'result' | 'logs'>>> {
  const archive = await writeZip([
    { path: 'index.js', bytes: readFileSync(bundle) },
    { path: 'cgs-export.yml', bytes: Buffer.from(writeConfig(options)) },
  ]);
  const unpacked = await unpackFunction(archive);
  onTestFinished(() => unpacked.remove());
  const { ak, sk } = options.simulator;
  return async () => {
    const { ok, error, result, log } = await unpacked.run({
      ...timerInvocation,
      requestId: 'request',
      memorySize: 256,
      agency: null,
      userData: { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk },
    });
    // The function throws if its run was overtaken. Then the last log line has the result.
    const overtaken =
      error?.code === 'OVERTAKEN' ? JSON.parse(log.trim().split('\n').at(-1) ?? '') : null;
    if (!ok && !overtaken) throw new Error(`${error?.message}\n${log}`);
    return { result: (overtaken ?? result) as CommandOutcome['result'], logs: log };
  };
}

/** Runs `command`, which prints JSON, in another process until it ends. `result` is that of a command that exports. */
export function runCli(
  command: string | readonly string[],
  options: ExportSetup & { env?: Record<string, string> },
): Promise<CommandOutcome> {
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
  const args = ['--require', watch, cli, ...[command].flat(), '--json', '--config', config];
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

/** Reads a manifest and its parts with the second client. Throws if a part is missing or has another hash. */
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

/** What the endpoint served: the columns `compared` of each node, ordered by the bytes of its id. */
export function servedRows(simulator: Simulator): unknown[][] {
  return simulator
    .nodes()
    .map((node) =>
      compared.map((name) => node[name === 'agent_status_raw' ? 'agent_status' : name] ?? null),
    )
    .sort(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
}

/** The columns `compared` of the sealed rows in both formats. DuckDB reads the Parquet part. */
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
 * Checks the bucket continuously: the name of every data object must have its hash, every manifest
 * must have all its parts, and every pointer in _latest must name a manifest. `stop` returns the
 * faults and the number of checks.
 */
export function watchBucket(bucket: string): {
  stop(): Promise<{ checks: number; faults: string[] }>;
} {
  let isWatching = true;
  let checks = 0;
  const faults: string[] = [];
  const known = new Set<string>();
  const list = (prefix: string) => listNames(rgw.key, rgw.url, bucket, prefix);
  async function check(): Promise<void> {
    for (const name of await list('lake/container_nodes')) {
      if (known.has(name)) continue;
      const bytes = await readObject(rgw.key, rgw.url, bucket, name);
      const nameHash = /-([0-9a-f]{12})\.(?:parquet|ndjson\.gz)$/.exec(name)?.[1];
      if (bytes === null || sha256(bytes).slice(0, 12) !== nameHash)
        faults.push(`${name} does not match the hash in its name`);
      known.add(name);
    }
    for (const name of await list('lake/_manifests/')) {
      if (known.has(name)) continue;
      const failure = await readSnapshot(bucket, name.slice('lake/'.length)).then(
        () => null,
        String,
      );
      if (failure !== null) faults.push(failure);
      known.add(name);
    }
    for (const name of await list('lake/_latest/')) {
      const pointer = JSON.parse(String(await readObject(rgw.key, rgw.url, bucket, name))) as {
        manifest: string;
        manifestSha256: string;
      };
      const { manifestSha256 } = await readSnapshot(bucket, pointer.manifest);
      if (manifestSha256 !== pointer.manifestSha256) faults.push(`${name} names other bytes`);
    }
    checks += 1;
  }
  const watching = (async () => {
    while (isWatching) {
      // fetch throws a TypeError while the gateway is down. That is not a fault of the stored objects.
      await check().catch((error: unknown) => {
        if (!(error instanceof TypeError)) faults.push(String(error));
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async stop() {
      isWatching = false;
      await watching;
      return { checks, faults };
    },
  };
}
