// Goal: the built command against an endpoint of another make, each a process of its own: what is sealed is what was served, the
// quota holds as the endpoint counts it, kills and a second exporter change nothing, and nothing secret gets out.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, describe, expect, test } from 'vitest';
import { requestsFor } from '../../lib/snapshot/plan.ts';
import { mostInWindow } from '../support/world.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const endpointFile = join(import.meta.dirname, '../support/plain-endpoint.mjs');
const children: ChildProcess[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

interface Report {
  arrivals: number[];
  offsets: number[];
  survivors: string[];
  served: [string, Record<string, unknown>][];
}

interface Endpoint {
  url: string;
  /** The text: it holds numbers that JSON.parse would change. */
  report(): Promise<{ text: string; report: Report }>;
}

async function startEndpoint(options: object): Promise<Endpoint> {
  const child = spawn(process.execPath, [endpointFile, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const port = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data) => resolve(String(data).trim())),
  );
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    async report() {
      const text = await (await fetch(`${url}/report`)).text();
      return { text, report: JSON.parse(text) as Report };
    },
  };
}

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-e2e-'));
  folders.push(folder);
  return folder;
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, ...args], {
    env: {
      PATH: process.env.PATH ?? '',
      HUAWEICLOUD_SDK_AK: 'AK',
      HUAWEICLOUD_SDK_SK: 'SK',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const texts = { out: '', err: '' };
  child.stdout?.on('data', (data) => {
    texts.out += String(data);
  });
  child.stderr?.on('data', (data) => {
    texts.err += String(data);
  });
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => resolve({ code, ...texts })),
  );
  return { child, ended };
}

function exportArgs(
  endpoint: Endpoint,
  folder: string,
  requests = 25,
  windowSeconds = 1,
): string[] {
  return [
    ...[
      'export',
      '--json',
      '--region',
      'cn-south-4',
      '--project',
      'p1',
      '--endpoint',
      endpoint.url,
    ],
    ...['--store', `file:${folder}`, '--quota-requests', String(requests)],
    ...['--quota-window-seconds', String(windowSeconds)],
  ];
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** Every cell as text, by host_id, as DuckDB reads it. */
async function readTable(from: string): Promise<Map<string, Record<string, unknown>>> {
  const connection = await (await DuckDBInstance.create()).connect();
  const reader = await connection.runAndReadAll(`SELECT * FROM ${from}`);
  const rows = reader.getRowObjectsJson() as Record<string, unknown>[];
  connection.closeSync();
  const byId = new Map(rows.map((row) => [String(row.host_id), row]));
  expect(byId.size).toBe(rows.length);
  return byId;
}

/** What the contract makes of a served record: written here from the contract, not with the project's code. */
function expectedRow(record: Record<string, unknown>, text: string): Record<string, unknown> {
  const extra: string[] = [];
  if (typeof record.vulnerability === 'string') extra.push('"vulnerability":"12"');
  if (record.new_field) {
    expect(text).toContain('12345678901234567890');
    extra.push('"new_field":{"deep":[12345678901234567890,"x"]}');
  }
  return {
    host_name: record.host_name,
    host_status: record.host_status,
    agent_status: record.agent_status === 'not_register' ? 'not_installed' : record.agent_status,
    agent_status_raw: record.agent_status,
    protect_status: record.protect_status,
    protect_interrupt: record.protect_interrupt,
    private_ip: record.private_ip,
    public_ip: null,
    asset: record.asset,
    vulnerability: null,
    intrusion: null,
    group_name: null,
    account: 'default',
    region: 'cn-south-4',
    project_id: 'p1',
    extra: extra.length === 0 ? null : `{${extra.join(',')}}`,
  };
}

describe('export', () => {
  test('10,000 nodes that drift, with every fault: equal, row by row, to what was served', async () => {
    const kinds = [
      '429',
      '500',
      '503',
      'html',
      'reset',
      'truncated',
      'broken',
      'null',
      'shape',
      'slow',
    ];
    const faults = Object.fromEntries(kinds.map((kind, index) => [3 + index * 5, kind]));
    const endpoint = await startEndpoint({ nodes: 10_000, inserts: 2, deletes: 1, faults });
    const folder = createFolder();
    const { code, out, err } = await start(exportArgs(endpoint, folder)).ended;
    expect(err.split('\n').filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect(code).toBe(0);
    const result = JSON.parse(out) as { snapshots: { rows: number; manifest: string }[] };
    const { text, report } = await endpoint.report();
    expect(mostInWindow(report.arrivals, 1_000)).toBeLessThanOrEqual(25);

    const files = listFiles(folder);
    const parquet = files.find((path) => path.endsWith('.parquet'));
    const ndjson = files.find((path) => path.endsWith('.ndjson.gz'));
    const rows = await readTable(`read_parquet('${parquet}')`);
    const served = new Map(report.served);
    expect(report.survivors.length).toBeGreaterThan(9_000);
    expect(report.survivors.filter((id) => !rows.has(id))).toEqual([]);
    expect(result.snapshots[0]?.rows).toBe(rows.size);
    const fromJson = readFileSync(ndjson ?? '');
    const lines = gunzipSync(fromJson).toString('utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(rows.size);
    for (const line of lines) {
      const json = JSON.parse(line) as Record<string, unknown>;
      const id = String(json.host_id);
      const record = served.get(id);
      if (!record) throw new Error(`${id} was never served`);
      const expected = expectedRow(record, text);
      expect(json).toMatchObject(expected);
      expect(rows.get(id)).toMatchObject(expected);
    }
    expect(lines.map((line) => (JSON.parse(line) as { host_id: string }).host_id)).toEqual(
      [...rows.keys()].sort(),
    );
    const verified = await start(['verify', '--json', '--store', `file:${folder}`]).ended;
    expect(verified.code).toBe(0);
  }, 60_000);

  test('while nothing moves: the least requests, none throttled, never over the quota', async () => {
    const endpoint = await startEndpoint({ nodes: 4_321 });
    const { code } = await start(exportArgs(endpoint, createFolder(), 5, 0.7)).ended;
    expect(code).toBe(0);
    const { report } = await endpoint.report();
    expect(report.arrivals.length).toBe(requestsFor(4_321, 200));
    expect(mostInWindow(report.arrivals, 700)).toBeLessThanOrEqual(5);
  }, 60_000);

  test('0 nodes: a sealed, empty snapshot that DuckDB opens', async () => {
    const endpoint = await startEndpoint({ nodes: 0 });
    const folder = createFolder();
    expect((await start(exportArgs(endpoint, folder)).ended).code).toBe(0);
    const parquet = listFiles(folder).find((path) => path.endsWith('.parquet'));
    expect((await readTable(`read_parquet('${parquet}')`)).size).toBe(0);
  });

  test('kill -9 at random moments, then to the end: the quota held over all, at most one page twice a kill', async () => {
    const endpoint = await startEndpoint({ nodes: 5_000 });
    const folder = createFolder();
    const args = exportArgs(endpoint, folder, 6, 1);
    for (const delayMs of [700, 1_300]) {
      const { child, ended } = start(args);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill('SIGKILL');
      await ended;
    }
    const { code, out } = await start(args).ended;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ snapshots: [{ rows: 5_000, verdict: 'complete' }] });
    const { report } = await endpoint.report();
    expect(mostInWindow(report.arrivals, 1_000)).toBeLessThanOrEqual(6);
    expect(report.arrivals.length).toBeLessThanOrEqual(requestsFor(5_000, 200) + 2);
  }, 120_000);

  test('two at once on one store: one waits, both seal, the quota holds', async () => {
    const endpoint = await startEndpoint({ nodes: 2_000 });
    const folder = createFolder();
    const both = [1, 2].map(() => start(exportArgs(endpoint, folder, 6, 1)).ended);
    const ended = await Promise.all(both);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(ended.some(({ err }) => err.includes('waiting for it to end'))).toBe(true);
    const names = ended.map(
      ({ out }) =>
        (JSON.parse(out) as { snapshots: { snapshot: string }[] }).snapshots[0]?.snapshot,
    );
    expect(new Set(names).size).toBe(2);
    const { report } = await endpoint.report();
    expect(mostInWindow(report.arrivals, 1_000)).toBeLessThanOrEqual(6);
    const verified = await start(['verify', '--json', '--store', `file:${folder}`]).ended;
    expect(JSON.parse(verified.out)).toMatchObject({ faults: [], unnamed: [], manifests: 2 });
  }, 60_000);
});

describe('bad answers', () => {
  const page = { total_num: 0, data_list: [] };
  const cases: [string, object, number, RegExp][] = [
    ['a wrong secret', { sk: 'another' }, 3, /"code":"REFUSED"/],
    [
      '403',
      { always: { status: 403, body: { error_code: 'APIGW.0302', error_msg: 'no' } } },
      3,
      /hss:containers:list/,
    ],
    ['a skewed clock', { sk: 'another', clockSkewMs: 20 * 60_000 }, 3, /clock/],
    [
      'an HTML page',
      {
        always: { status: 200, body: '<html>hi</html>', headers: { 'content-type': 'text/html' } },
      },
      1,
      /HTML/,
    ],
    ['another service', { always: { status: 200, body: { buckets: [] } } }, 1, /NOT_A_PAGE/],
    [
      'no such API',
      { always: { status: 404, body: { error_code: 'APIGW.0101', error_msg: 'x' } } },
      1,
      /endpoint/,
    ],
    ['202, which is no page', { always: { status: 202, body: page } }, 1, /202/],
    ['more nodes than offsets reach', { totalNum: 3_000_000 }, 1, /LIST_TOO_LONG/],
  ];
  test.each(cases)('%s', async (_name, options, code, text) => {
    const endpoint = await startEndpoint(options);
    const ended = await start(exportArgs(endpoint, createFolder())).ended;
    expect(ended.code).toBe(code);
    const result = JSON.parse(ended.out) as { status: string; errors: { hint: string }[] };
    expect(result.status).toBe('failed');
    expect(result.errors[0]?.hint.length).toBeGreaterThan(20);
    expect(ended.out).toMatch(text);
    const { report } = await endpoint.report().catch(() => ({ report: { arrivals: [] } }));
    if (code === 3) expect((report.arrivals ?? []).length).toBeLessThanOrEqual(1);
  });

  test('a closed port: tried again, then 4', async () => {
    const endpoint = {
      url: 'http://127.0.0.1:59999',
      report: () => Promise.reject(new Error('none')),
    };
    const ended = await start(exportArgs(endpoint, createFolder(), 1_000, 1)).ended;
    expect(ended.code).toBe(4);
    expect(ended.out).toMatch(/ECONNREFUSED/);
  }, 60_000);

  test('a list in disorder: sealed as drifted, 6', async () => {
    const endpoint = await startEndpoint({ nodes: 700, moves: 60 });
    const folder = createFolder();
    const ended = await start(exportArgs(endpoint, folder, 100, 1)).ended;
    expect(ended.code).toBe(6);
    expect(listFiles(folder).some((path) => path.includes('/_latest/'))).toBe(false);
  }, 60_000);
});

describe('stored state that was altered on disk', () => {
  test.each([
    ['checkpoint.json', (bytes: Buffer) => bytes.subarray(0, -5)],
    [
      'schedule.json',
      (bytes: Buffer) => Buffer.from(bytes.toString().replace('"failures":0', '"failures":1')),
    ],
    ['_quota/', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['pages/', (bytes: Buffer) => bytes.subarray(0, -1)],
  ])(
    '%s: named, left as it is, 5',
    async (part, harm) => {
      const endpoint = await startEndpoint({ nodes: 3_000 });
      const folder = createFolder();
      const args = exportArgs(endpoint, folder, 5, 2);
      const first = start(args);
      for (let pages = 0; pages < 5; ) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        pages = listFiles(folder).filter((path) => path.includes('/pages/')).length;
      }
      first.child.kill('SIGINT');
      expect((await first.ended).code).toBe(4);
      const victim = listFiles(folder).find((path) => path.includes(part)) ?? '';
      const harmed = harm(readFileSync(victim));
      writeFileSync(victim, harmed);
      const ended = await start(args).ended;
      expect(ended.code).toBe(5);
      expect(ended.out).toContain(victim.slice(folder.length + 1));
      expect(readFileSync(victim)).toEqual(harmed);
      expect(listFiles(folder).filter((path) => path.endsWith('.parquet'))).toEqual([]);
    },
    60_000,
  );
});

describe('secrets', () => {
  test('in no output, log line or object, at debug level, with an endpoint that repeats what it is sent', async () => {
    const secrets = ['AKCANARY7777', 'SKCANARY+/8888=', 'TOKENCANARY"9999'];
    const [ak, sk, token] = secrets as [string, string, string];
    const env = {
      HUAWEICLOUD_SDK_AK: ak,
      HUAWEICLOUD_SDK_SK: sk,
      HUAWEICLOUD_SDK_SECURITY_TOKEN: token,
    };
    const faults = { 1: '500', 2: '500', 4: '500' };
    const good = await startEndpoint({ nodes: 900, ak, sk, echo: true, faults });
    const bad = await startEndpoint({ ak, sk: 'x', echo: true });
    const folder = createFolder();
    const texts: string[] = [];
    for (const endpoint of [good, bad]) {
      const args = [...exportArgs(endpoint, folder, 100, 1), '--log-level', 'debug'];
      const { out, err } = await start(args, env).ended;
      texts.push(out, err);
    }
    for (const path of listFiles(folder)) {
      const bytes = readFileSync(path);
      texts.push(path, bytes.toString('latin1'));
      if (path.endsWith('.gz')) texts.push(gunzipSync(bytes).toString('utf8'));
    }
    expect(texts.join('').length).toBeGreaterThan(10_000);
    for (const secret of secrets) {
      const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
      for (const form of forms) expect(texts.filter((text) => text.includes(form))).toEqual([]);
    }
  }, 60_000);
});
