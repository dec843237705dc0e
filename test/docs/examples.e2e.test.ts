// Tests that the commands and the SQL in the documents work: each runs on a store that the built program has exported.

import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import { readSigningKey } from '../../lib/snapshots/signature.ts';
import { someCases } from '../support/cases.ts';
import { type Block, pageOf, pages, root, tableRows } from './pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'cgs-docs-'));
const simulators: Simulator[] = [];
/** What `npm start` printed. */
let demoOutput = '';

/** Has the program by the name that it has when it is installed. */
const bin = join(folder, 'bin');

/** Runs with nothing of this process's environment but where programs are. */
async function run(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<string> {
  const { PATH = '' } = process.env;
  const env = { PATH: `${bin}:${PATH}`, HOME: folder, ...options.env };
  const { stdout } = await promisify(execFile)(command, args, { cwd: options.cwd, env });
  return stdout;
}

const cli = join(root, 'dist', 'cli.js');

/** A folder like a checkout after the build, with the demo's store if it is there. */
function createCheckout(name: string): string {
  const checkout = join(folder, name.replaceAll('/', '-'));
  mkdirSync(checkout);
  symlinkSync(join(root, 'dist'), join(checkout, 'dist'));
  if (existsSync(join(folder, 'demo-out'))) {
    cpSync(join(folder, 'demo-out'), join(checkout, 'demo-out'), { recursive: true });
  }
  return checkout;
}

interface StoredManifest {
  /** Below `_manifests/`. */
  path: string;
  snapshot: string;
  verdict: string;
  rows: number;
  values: Record<string, Record<string, number>>;
  scope: { account: string; region: string; projectId: string };
  parts: { key: string }[];
}
type StoredRow = Record<string, unknown> & { host_id: string };

function listManifests(store: string): StoredManifest[] {
  return readdirSync(join(store, '_manifests'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .map((path) => ({
      ...JSON.parse(readFileSync(join(store, '_manifests', path), 'utf8')),
      path,
    }));
}

/**
 * Manifests and rows by the files alone: none of lib reads them. A manifest that is not the one of its name counts for
 * nothing.
 */
function readStore(store: string): { manifests: StoredManifest[]; rowsOf: typeof readRows } {
  const manifests = listManifests(store).filter(({ path, snapshot, scope }) =>
    path.endsWith(`/rgn=${scope.region}/prj=${scope.projectId}/${snapshot}.json`),
  );
  function readRows(manifest: StoredManifest): StoredRow[] {
    const key = manifest.parts.find((part) => part.key.startsWith('container_nodes_ndjson/'))?.key;
    if (key === undefined) return [];
    const lines = gunzipSync(readFileSync(join(store, key)))
      .toString('utf8')
      .split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as StoredRow);
  }
  return { manifests, rowsOf: readRows };
}

/** Complete snapshots of each region and project, the newest first. A name more than a day ahead is never the newest. */
function listComplete(manifests: readonly StoredManifest[]): StoredManifest[][] {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const series = new Map<string, StoredManifest[]>();
  for (const manifest of manifests) {
    if (manifest.verdict !== 'complete' || manifest.snapshot > tomorrow) continue;
    const id = `${manifest.scope.region} ${manifest.scope.projectId}`;
    series.set(id, [...(series.get(id) ?? []), manifest]);
  }
  return [...series.values()].map((one) => one.sort((a, b) => (a.snapshot < b.snapshot ? 1 : -1)));
}

function pick(row: StoredRow, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}

function countBy(rows: readonly StoredRow[], names: readonly string[], count: string) {
  const groups = new Map<string, number>();
  for (const row of rows) {
    const id = JSON.stringify(pick(row, names));
    groups.set(id, (groups.get(id) ?? 0) + 1);
  }
  return [...groups].map(([id, rowCount]) => ({ ...JSON.parse(id), [count]: rowCount }));
}

/** The time in the statements that ask for the state at a time. */
const documentedTime = '2026-11-24T12:00:00Z';

/** Queries that look for what a good store need not have. */
const mayBeEmpty = ['changes', 'check', 'drifted', 'last-changes'];
/** Here every region and project has a complete snapshot on each day. test/ddl asks a store that lacks some. */
const isEmpty = ['days-without'];

/** What a query must return, by the name after `sql duckdb=` or `sql question=`. */
const checks: Record<string, (store: string, time: string) => Record<string, unknown>[]> = {
  unprotected: countUnprotected,
  'unprotected-count': countUnprotected,
  'unprotected-nodes'(store) {
    const names = [
      ...['account', 'region', 'project_id', 'host_id', 'host_name'],
      'private_ip',
      'agent_status',
      'protect_status',
    ];
    return readUnprotected(store).map((row) => pick(row, names));
  },
  'unprotected-since'(store) {
    const node = ['account', 'region', 'project_id', 'host_id', 'host_name'];
    const names = [...node, 'protect_status', 'protect_status_since'];
    return readUnprotected(store).map((row) => pick(row, names));
  },
  'agent-status'(store) {
    return countBy(readNewest(store), ['account', 'region', 'agent_status'], 'nodes');
  },
  editions(store) {
    return countBy(readNewest(store), ['account', 'is_container_node', 'version'], 'nodes');
  },
  drifted(store) {
    const drifted = readStore(store).manifests.filter(({ verdict }) => verdict === 'drifted');
    return drifted.map((one) => ({ ...nameSnapshot(one), nodes: one.rows }));
  },
  check(store) {
    const { manifests } = readStore(store);
    const ahead = manifests.find(({ snapshot }) => snapshot.startsWith('2099'));
    if (!ahead) return [];
    // damageStore() made two copies of the rows of its oldest snapshot, one of them for a snapshot of the future.
    const own = manifests.filter(({ scope }) => scope.projectId === ahead.scope.projectId);
    const oldest = own.sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1))[0] as StoredManifest;
    const { rows } = oldest;
    return [
      { ...nameSnapshot(oldest), rows, rows_read: 3 * rows },
      { ...nameSnapshot(ahead), rows, rows_read: 0 },
    ];
  },
  'as-of'(store, time) {
    return listComplete(readStore(store).manifests).flatMap((series) => {
      const found = series.find((one) => isoOf(one) <= time);
      return found ? [{ ...nameSnapshot(found), is_pruned: false }] : [];
    });
  },
  trend(store) {
    const complete = listComplete(readStore(store).manifests);
    const days = [...new Set(complete.flat().map(dayOf))];
    return days.map((day) => {
      const newest = complete.flatMap((series) => series.find((one) => dayOf(one) <= day) ?? []);
      const counts = newest.map(countProtection);
      const sumOf = (name: 'nodes' | 'unprotected' | 'offline') =>
        counts.reduce((sum, one) => sum + one[name], 0);
      return {
        ...{ day, targets: newest.length, nodes: sumOf('nodes') },
        ...{ unprotected: sumOf('unprotected'), offline: sumOf('offline') },
      };
    });
  },
  'days-without'(store) {
    const manifests = readStore(store).manifests.filter((one) => !dayOf(one).startsWith('2099'));
    const idOf = (one: StoredManifest, day: string) => `${one.scope.projectId} ${day}`;
    const complete = new Set(
      listComplete(manifests).flatMap((list) => list.map((one) => idOf(one, dayOf(one)))),
    );
    const found = new Map<string, Record<string, unknown>>();
    for (const day of new Set(manifests.map(dayOf))) {
      for (const one of manifests) {
        if (dayOf(one) > day || complete.has(idOf(one, day))) continue;
        const { snapshot: _snapshot, ...target } = nameSnapshot(one);
        found.set(idOf(one, day), { ...target, day });
      }
    }
    return [...found.values()];
  },
  'last-changes'(store) {
    const { manifests, rowsOf } = readStore(store);
    return listComplete(manifests).flatMap(([newest, before]) => {
      if (!newest || !before) return [];
      const { snapshot: _snapshot, ...target } = nameSnapshot(newest);
      return listChanges(rowsOf(before), rowsOf(newest)).map(({ host_id, host_name, change }) => ({
        ...{ ...target, previous_snapshot_at: instantOf(before), snapshot_at: instantOf(newest) },
        ...{ host_id, host_name, change },
      }));
    });
  },
  coverage(store) {
    return readStore(store).manifests.map((one) => ({
      ...{ ...nameSnapshot(one), verdict: one.verdict },
      ...countProtection(one),
    }));
  },
  changes(store) {
    const { manifests, rowsOf } = readStore(store);
    return listComplete(manifests).flatMap((series) =>
      series.slice(0, -1).flatMap((one, place) => {
        const before = rowsOf(series[place + 1] as StoredManifest);
        const { snapshot: _snapshot, ...target } = nameSnapshot(one);
        const snapshot_at = instantOf(one);
        return listChanges(before, rowsOf(one)).map((row) => ({ snapshot_at, ...target, ...row }));
      }),
    );
  },
};

/** What a comparison of two snapshots leaves out. */
const uncompared = /^(?:snapshot_at|fetched_at|verdict|account|first_seen_at|.*_since)$/;

function listChanges(before: readonly StoredRow[], after: readonly StoredRow[]) {
  const old = new Map(before.map((row) => [row.host_id, row]));
  const now = new Map(after.map((row) => [row.host_id, row]));
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((host_id) => {
    const [was, is] = [old.get(host_id), now.get(host_id)];
    const names = Object.keys(is ?? {}).filter(
      (name) => !uncompared.test(name) && was?.[name] !== is?.[name],
    );
    if (was && is && names.length === 0) return [];
    return [
      {
        ...{ host_id, host_name: (is ?? was)?.host_name ?? null },
        change: was ? (is ? 'changed' : 'removed') : 'added',
        changed_columns: was && is ? JSON.stringify(names) : null,
        protect_status_before: was?.protect_status ?? null,
        protect_status: is?.protect_status ?? null,
      },
    ];
  });
}

function nameSnapshot({ scope, snapshot }: StoredManifest) {
  const { account, region, projectId } = scope;
  return { account, region, project_id: projectId, snapshot };
}

function countProtection({ rows, values }: StoredManifest) {
  const unprotected = rows - (values.protect_status?.opened ?? 0);
  return { nodes: rows, unprotected, offline: values.agent_status?.offline ?? 0 };
}

const dayOf = ({ snapshot }: StoredManifest) => snapshot.slice(0, 8);
/** To the second. */
const isoOf = ({ snapshot }: StoredManifest) =>
  snapshot.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z');
const instantOf = (one: StoredManifest) => isoOf(one).replace('Z', '.000Z');

function readNewest(store: string): StoredRow[] {
  const { manifests, rowsOf } = readStore(store);
  return listComplete(manifests).flatMap(([newest]) => (newest ? rowsOf(newest) : []));
}

function readUnprotected(store: string): StoredRow[] {
  return readNewest(store).filter((row) => row.protect_status !== 'opened');
}

function countUnprotected(store: string): Record<string, unknown>[] {
  const names = ['region', 'snapshot_at', 'is_container_node'];
  return countBy(readUnprotected(store), names, 'unprotected');
}

type Change = (list: object[], offset: number) => void;
const drop = (list: object[], offset: number, count: number) =>
  void (offset === 0 && list.splice(0, count));
const drift: Change = (list, offset) => {
  // Two nodes change places, once in each pass: the same disorder twice.
  if (offset > 0 && offset < 200) [list[5], list[350]] = [list[350] as object, list[5] as object];
  // So that a query which reads the drifted snapshot gives another result.
  for (const node of list) Object.assign(node, { protect_status: 'closed' });
};

/** By project: what happens to its list in the second and in the third export. */
const changes: Record<string, readonly [Change, Change]> = {
  a1: [(list, offset) => drop(list, offset, 20), drift],
  b2: [drift, (list, offset) => drop(list, offset, 30)],
  c3: [() => {}, (list) => void list.splice(0)],
  d4: [() => {}, () => {}],
  e5: [(list) => void list.splice(0), (list) => void (list.length || list.push(...newNodes))],
  f6: [drift, drift],
};
const newNodes = ['n1', 'n2', 'n3'].map((host_id) => ({ host_id, agent_status: 'online' }));

/** Three accounts and two regions, each with three snapshots. */
async function exportManyTargets(cwd: string): Promise<void> {
  let round = 1;
  const regions = ['cn-south-4', 'cn-north-4'];
  const accounts = ['one', 'two', 'three'].map((name) => ({
    name,
    ak: `DOCSKEY${name}`,
    sk: `docs-secret-of-account-${name}`,
    targets: [] as string[],
  }));
  for (const [index, [name, later]] of Object.entries(changes).entries()) {
    const region = regions[index % 2] ?? '';
    const account = accounts[index >> 1] as (typeof accounts)[number];
    const { ak, sk } = account;
    const simulator = await startSimulator({
      ...{ nodes: 420, quota: null, seed: index + 1, region, projectId: name.repeat(16), ak, sk },
      beforePage: ({ offset, list }) => {
        if (round > 1) later[round === 2 ? 0 : 1](list, offset);
      },
    });
    simulators.push(simulator);
    const { projectId, url } = simulator;
    account.targets.push(JSON.stringify({ region, projectId, endpoint: url }));
  }
  const lines = accounts.flatMap(({ name, ak, sk, targets }) => [
    `  - name: ${name}`,
    `    credentials: { ak: ${ak}, sk: ${sk} }`,
    '    targets:',
    ...targets.map((target) => `      - ${target}`),
  ]);
  const general = ['store: file:./demo-out', 'quota: { requests: 1000, windowSeconds: 1 }'];
  writeFileSync(join(cwd, 'cgs-export.yml'), [...general, 'accounts:', ...lines, ''].join('\n'));
  await run('node', [cli, 'export'], { cwd });
  for (round = 2; round <= 3; round += 1) {
    // 6: sealed, some of them drifted.
    await expect(run('node', [cli, 'export'], { cwd })).rejects.toMatchObject({ code: 6 });
  }
}

/** Makes the store as hard to query as one can be. What `newest` reads does not change. */
async function damageStore(store: string): Promise<void> {
  const manifests = listManifests(store).sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1));
  const pathOf = ({ path }: StoredManifest) => join(store, '_manifests', path);
  const write = (path: string, manifest: StoredManifest, space: number) => {
    const { path: _path, ...content } = manifest;
    writeFileSync(path, `${JSON.stringify(content, null, space)}\n`);
  };
  // On one line, or on several.
  for (const [index, one] of manifests.entries()) write(pathOf(one), one, index % 2 === 0 ? 0 : 2);
  const [oldest] = manifests as [StoredManifest];
  const parquet = oldest.parts.find(({ key }) => key.endsWith('.parquet'))?.key ?? '';
  // A file that no manifest names.
  const folderOf = (key: string) => join(store, key, '..');
  cpSync(join(store, parquet), join(folderOf(parquet), '20260101T000000Z-000000000000.parquet'));
  // A manifest under another name, and one in the folder of another region.
  write(join(pathOf(oldest), '..', '20991231T000000Z.json'), oldest, 0);
  const elsewhere = pathOf(oldest).replace(/rgn=[^/]+/, 'rgn=cn-east-3');
  mkdirSync(join(elsewhere, '..'), { recursive: true });
  write(elsewhere, oldest, 0);
  // A snapshot of a host whose clock was years ahead.
  const snapshot = '20991231T000001Z';
  const key = join(parquet, '..', `${snapshot}-000000000000.parquet`);
  cpSync(join(store, parquet), join(store, key));
  const ahead = { ...oldest, snapshot, parts: [{ key, format: 'parquet' }] };
  write(join(pathOf(oldest), '..', `${snapshot}.json`), ahead, 0);
  // An old part of a version that had fewer columns.
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const path = join(store, parquet);
  await connection.run(
    `COPY (SELECT * EXCLUDE (verdict, is_container_node, version) FROM read_parquet('${path}', hive_partitioning = false)) TO '${path}.old' (FORMAT parquet)`,
  );
  instance.closeSync();
  renameSync(`${path}.old`, path);
}

const manyTargets = join(folder, 'many-targets');

beforeAll(async () => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
  mkdirSync(bin);
  symlinkSync(cli, join(bin, 'cgs-export'));
  mkdirSync(manyTargets);
  const [output] = await Promise.all([
    run('node', [cli, 'demo'], { cwd: folder }),
    exportManyTargets(manyTargets).then(() => damageStore(join(manyTargets, 'demo-out'))),
  ]);
  demoOutput = output;
});

afterAll(async () => {
  for (const simulator of simulators) await simulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** README.zh-CN.md has the commands of README.md: test/docs/translation.test.ts compares them. */
const originals = pages.filter(({ path }) => path !== 'README.zh-CN.md');

function blocksOf(pattern: RegExp): { path: string; block: Block }[] {
  return originals.flatMap(({ path, blocks }) =>
    blocks.filter(({ info }) => pattern.test(info)).map((block) => ({ path, block })),
  );
}

/** Numbers, names, hashes and times differ from run to run; everything else must be as documented. */
function maskFigures(text: string): string {
  return text
    .replaceAll(/file:\S*\/demo-out/g, 'file:demo-out')
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'DATE')
    .replaceAll(/\d{8}T\d{6}Z/g, 'SNAPSHOT')
    .replaceAll(/\b[0-9a-f]{12,64}\b/g, 'HASH')
    .replaceAll(/\d[\d,.]*/g, '0')
    .replaceAll(/\b(page|request|row|manifest|part)s\b/g, '$1')
    .replaceAll(/[ \t]+/g, ' ')
    .trim();
}

describe('commands', () => {
  test('every code block says how it is treated', () => {
    const known =
      /^(sh|sh run|sh run=background|(?:sh|python) file=[\w.-]+|text|text cron|text output=demo|yaml (?:comment|config|faults)|yaml (?:file|lines)=[\w.-]+|json|json manifest|json pointer|ini|mermaid|(?:sh|python|sql) lake|sh cron|python (?:airflow|duckdb|reader)|sql spark|sql duckdb=[a-z-]+|sql (?:question|clusters)=[a-z-]+)$/;
    const unknown = pages.flatMap(({ path, blocks }) =>
      blocks
        .filter(({ info }) => !known.test(info))
        .map(({ info, line }) => `${path}:${line} ${info}`),
    );
    expect(unknown).toEqual([]);
  });

  test('what README.md shows of `npm start` is what it prints', () => {
    const shown = blocksOf(/^text output=demo$/);
    expect(shown.map(({ path }) => path)).toEqual(['README.md']);
    const printed = maskFigures(demoOutput);
    let from = 0;
    for (const part of maskFigures(shown[0]?.block.text ?? '').split('…')) {
      const place = printed.indexOf(part.trim(), from);
      expect(place, `${part}\nis not in\n${printed}`).toBeGreaterThanOrEqual(from);
      from = place + part.trim().length;
    }
  });

  test('the line for cron of the guide runs, and the one for a host is that of the example', () => {
    const isTick = (line: string) => line.startsWith('* * * * *');
    const tickLines = (path: string) =>
      blocksOf(/^text/)
        .filter((one) => one.path === path)
        .flatMap(({ block }) => block.text.split('\n').filter(isTick));
    const example = readFileSync(join(root, 'examples/cron/cgs-export.crontab'), 'utf8');
    expect(tickLines('docs/deploy-elsewhere.md')).toEqual(example.split('\n').filter(isTick));
    expect(tickLines('docs/getting-started.md')).toHaveLength(1);
    expect(blocksOf(/^text cron$/).map(({ path }) => path)).toEqual(['docs/getting-started.md']);
  });

  test('the line for the signing key can be added to keys.env, and cron and files of variables then have the key', async () => {
    const cwd = createCheckout('signing-key');
    const [keys] = blocksOf(/^sh file=keys\.env$/);
    writeFileSync(join(cwd, 'keys.env'), `${keys?.block.text}\n`);
    const isForKeys = (text: string) => /keygen --out|>> keys\.env/.test(text);
    // These blocks are in a list.
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const commands = [...page.matchAll(/^ {3}```sh\n([^`]*)```/gm)].map(([, text]) => text ?? '');
    await run('sh', ['-euc', commands.filter(isForKeys).join('\n')], { cwd });
    const env = readFileSync(join(cwd, 'keys.env'), 'utf8');
    const pem = readFileSync(join(cwd, 'keys', 'signing-private.pem'), 'utf8');
    const [, value = ''] = /^CGS_SIGNING_KEY=(.*)$/m.exec(env) ?? [];
    expect(readSigningKey(value)?.keyId).toBe(readSigningKey(pem)?.keyId);
    // Nothing that sh, systemd, Docker or Kubernetes reads in a way of its own: quotes, backslashes, spaces, `export`.
    expect(env).toMatch(/^(?:[A-Z_]+=[\w+/-]+\n){3}$/);
    const [line] = blocksOf(/^text cron$/);
    const cron = asCron(line?.block.text ?? '', cwd);
    const [, ak = '', sk = ''] = /_AK=(.*)\n.*_SK=(.*)\n/.exec(env) ?? [];
    const simulator = await startSimulator({ nodes: 20, quota: null, ak, sk });
    simulators.push(simulator);
    const { region, projectId, url: endpoint } = simulator;
    const target = JSON.stringify({ region, projectId, endpoint });
    const config = [
      'store: file:./lake',
      'signing: { privateKey: "${CGS_SIGNING_KEY}" }',
      `accounts: [{ name: prod, targets: [${target}] }]`,
    ];
    writeFileSync(join(cwd, 'cgs-export.yml'), config.join('\n'));
    await run('sh', ['-euc', cron], { cwd });
    expect(readdirSync(join(cwd, 'lake', '_keys'))).toEqual([`${readSigningKey(pem)?.keyId}.pem`]);
  });

  const runnable = [...new Set(blocksOf(/^sh run/).map(({ path }) => path))];

  test('the pages for operators have commands that run', () => {
    const expected = [
      'docs/audit.md',
      'docs/getting-started.md',
      'docs/operations.md',
      'docs/query.md',
    ];
    expect(runnable).toEqual(expect.arrayContaining(expected));
    expect(runnable[0]).toBe('README.md');
  });

  // README.md is the first one.
  test.each(someCases(runnable))('the commands of %s run', async (path) => {
    const checkout = createCheckout(path);
    const blocks = pages.find((page) => page.path === path)?.blocks ?? [];
    for (const { info, text } of blocks) {
      const [, file] = /^(?:sh|yaml|python) file=(.+)$/.exec(info) ?? [];
      if (file !== undefined) writeFileSync(join(checkout, file), text);
    }
    const port = await findFreePort();
    const withPort = (text: string) => text.replaceAll('8181', String(port));
    const background = blocks.filter(({ info }) => info === 'sh run=background');
    const script = [
      ...background.flatMap(({ text }) => [
        `${withPort(text)} > background.log 2>&1 &`,
        'trap "kill $!" EXIT',
        'for i in $(seq 200); do grep -q "http://" background.log && break; sleep 0.05; done',
      ]),
      ...blocks.flatMap(({ info, text }) => {
        if (info === 'text cron') return [asCron(text, checkout)];
        return info === 'sh run' ? [withPort(text)] : [];
      }),
    ];
    // One shell for the page, so that a variable of one block is known in the next.
    writeFileSync(join(checkout, 'page.sh'), `${script.join('\n')}\n`);
    for (const { info, text } of blocks) {
      const [, file] = /^(?:sh|yaml|python) file=(.+)$/.exec(info) ?? [];
      if (file !== undefined) writeFileSync(join(checkout, file), withPort(text));
    }
    const output = await run('sh', ['-eu', 'page.sh'], { cwd: checkout });
    expect(output).not.toBe('');
  });

  test('every command that the documents call is one of the program', async () => {
    const help = await run('node', [cli, '--help'], { cwd: folder });
    const commands = [...help.matchAll(/^ {2}([a-z]+) .*/gm)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(6);
    const called = /(?:node dist\/cli\.js|`cgs-export) ([a-z]+)\b/g;
    const typed = /(?:^|&& |; |npx )cgs-export ([a-z]+)\b/gm;
    const named = pages.flatMap(({ lines, blocks }) => [
      ...lines.flatMap((line) => [...line.matchAll(called)].map(([, name]) => name)),
      ...blocks.flatMap(({ text }) => [...text.matchAll(typed)].map(([, name]) => name)),
    ]);
    expect(named.length).toBeGreaterThan(50);
    expect([...new Set(named)].filter((name) => !commands.includes(name))).toEqual([]);
  });
});

/** The shell line that runs a line of a crontab as cron does: in `sh`, without the variables of this shell. */
function asCron(text: string, folder: string): string {
  const command = text.replace(/^(\S+ ){5}/, '').replace('/srv/audit', folder);
  expect(command).toContain(folder);
  return `env -i HOME="$HOME" PATH="$PATH" sh -c '${command}' || { cat tick.log; exit 1; }`;
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** The SQL that `ddl` prints for a store. */
function printSql(store: string): Promise<string> {
  const args = [cli, 'ddl', '--engine', 'duckdb', '--store', `file:${store}`];
  return run('node', args, { cwd: folder });
}

/** Runs `work` with DuckDB in a folder. Not UTC: a statement that depends on the zone of the session would show it. */
async function withDuckDb<T>(cwd: string, work: (connection: DuckDBConnection) => Promise<T>) {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  const back = process.cwd();
  process.chdir(cwd);
  try {
    await connection.run("SET TimeZone = 'Asia/Shanghai'");
    return await work(connection);
  } finally {
    process.chdir(back);
    connection.closeSync();
    instance.closeSync();
  }
}

async function readRowsOf(connection: DuckDBConnection, sql: string) {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS().map(toPlain);
}

describe('SQL', () => {
  /** Queries that need nothing else, and those of the views of `ddl`. */
  const queries = blocksOf(/^sql duckdb=/);
  const questions = blocksOf(/^sql question=/);
  const nameOf = ({ block }: { block: Block }) => /=(.+)$/.exec(block.info)?.[1] ?? '';
  const textOf = (name: string) =>
    questions.find((question) => nameOf(question) === name)?.block.text ?? '';

  test('every check is used by a query', () => {
    const named = [...queries, ...questions].map(nameOf);
    expect(named.sort()).toEqual(Object.keys(checks).sort());
  });

  test.each([
    ['the demo', ''],
    ['several accounts, regions, drifted and empty snapshots', 'many-targets'],
  ])('every statement is right on a store with %s', async (_name, place) => {
    const cwd = join(folder, place);
    const store = join(cwd, 'demo-out');
    const { manifests } = readStore(store);
    if (place !== '') {
      // What makes the store hard to query must be there.
      expect(manifests.filter(({ verdict }) => verdict === 'drifted')).toHaveLength(4);
      expect(manifests.filter(({ rows }) => rows === 0)).toHaveLength(2);
      expect(manifests).toHaveLength(6 * 3 + 1);
      expect(listManifests(store)).toHaveLength(6 * 3 + 3);
      expect(readNewest(store).length).toBe(400 + 390 + 0 + 420 + 3 + 420);
    }
    const [time = ''] = manifests.map(isoOf).sort();
    const sql = await printSql(store);
    await withDuckDb(cwd, async (connection) => {
      await connection.run(sql);
      for (const query of [...queries, ...questions]) {
        const name = nameOf(query);
        const { text, line } = query.block;
        const result = await connection.runAndReadAll(text.replaceAll(documentedTime, time));
        const found = result.getRowObjectsJS().map(toPlain);
        const expected = checks[name]?.(store, time) ?? [];
        expect(sortRows(found), `${query.path}:${line}`).toEqual(sortRows(expected));
        if (!isEmpty.includes(name) && (place !== '' || !mayBeEmpty.includes(name))) {
          expect(found.length, name).toBeGreaterThan(0);
        }
      }
    });
  });

  test('rows that prune deleted are not missing rows', async () => {
    const store = join(folder, 'pruned', 'demo-out');
    cpSync(join(manyTargets, 'demo-out'), store, { recursive: true });
    const pruned = listComplete(readStore(store).manifests).flatMap(([, ...older]) => older);
    expect(pruned.length).toBeGreaterThan(4);
    for (const { path, parts } of pruned) {
      mkdirSync(join(store, '_pruned', path, '..'), { recursive: true });
      writeFileSync(join(store, '_pruned', path), '{}\n');
      for (const { key } of parts) if (!key.includes('_changes/')) rmSync(join(store, key));
    }
    const sql = await printSql(store);
    const found = await withDuckDb(folder, async (connection) => {
      await connection.run(sql);
      return readRowsOf(connection, textOf('check'));
    });
    // The snapshot of the future has never had rows of its own.
    expect(found.map(({ snapshot }) => snapshot)).toEqual(['20991231T000001Z']);
  });

  test('a lost part of a newest snapshot is an error or is found', async () => {
    const store = join(folder, 'lost-part', 'demo-out');
    cpSync(join(manyTargets, 'demo-out'), store, { recursive: true });
    const newest = listComplete(readStore(store).manifests).flatMap((series) => series.slice(0, 1));
    const lost = newest.find(({ rows }) => rows > 0) as StoredManifest;
    const key = lost.parts.find((part) => part.key.endsWith('.parquet'))?.key ?? '';
    rmSync(join(store, key));
    const sql = await printSql(store);
    await withDuckDb(join(store, '..'), async (connection) => {
      const text = queries.map(({ block }) => block.text).join('\n');
      await expect(connection.run(text)).rejects.toThrow(key);
      await connection.run(sql);
      const found = await readRowsOf(connection, textOf('check'));
      const { rows } = lost;
      expect(found).toContainEqual({ ...nameSnapshot(lost), rows, rows_read: 0 });
    });
  });

  test('the line for container nodes only leaves out the hosts that the service does not count', async () => {
    const text = textOf('unprotected-nodes');
    const changed = text.replace('-- AND', 'AND');
    expect(changed).not.toBe(text);
    const sql = await printSql(join(folder, 'demo-out'));
    const found = await withDuckDb(folder, async (connection) => {
      await connection.run(sql);
      return readRowsOf(connection, changed);
    });
    const all = readUnprotected(join(folder, 'demo-out'));
    const expected = all.filter((row) => row.is_container_node !== false);
    expect(found.map((row) => row.host_id)).toEqual(expected.map((row) => row.host_id));
    expect(expected.length).toBeLessThan(all.length);
  });

  test('the shell commands of docs/query.md print the nodes that are not online in the newest snapshots', async () => {
    const { blocks } = pageOf('docs/query.md');
    const block = blocks.find(({ info, text }) => info === 'sh run' && text.includes('jq -r'));
    const printed = await run('sh', ['-euc', block?.text ?? ''], { cwd: manyTargets });
    const toCell = (value: unknown) =>
      String(value ?? '')
        .replaceAll('\\', '\\\\')
        .replaceAll('\t', '\\t')
        .replaceAll('\n', '\\n');
    const expected = readNewest(join(manyTargets, 'demo-out'))
      .filter((row) => row.agent_status !== 'online')
      .map((row) => [row.region, row.host_name, row.agent_status].map(toCell).join('\t'));
    expect(expected.length).toBeGreaterThan(0);
    expect(printed.split('\n').slice(0, -1).sort()).toEqual(expected.sort());
  });

  test('the result in README.md is what its query returns on the demo, which always has the same nodes', () => {
    const [header = [], ...shown] = tableRows(pageOf('README.md'), 'query-it');
    const expected = countUnprotected(join(folder, 'demo-out'));
    expect(header).toEqual(Object.keys(expected[0] ?? {}));
    // The snapshot has the time of the run.
    const time = header.indexOf('snapshot_at');
    for (const row of shown) {
      expect(row[time]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00$/);
      row[time] = 'the time of the run';
    }
    const cells = expected.map((row) =>
      Object.values({ ...row, snapshot_at: 'the time of the run' }).map((value) =>
        value === null ? 'NULL' : String(value),
      ),
    );
    expect(shown.sort()).toEqual(cells.sort());
  });
});

function toPlain(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint'
        ? Number(value)
        : value instanceof Date
          ? value.toISOString()
          : value,
    ]),
  );
}

function sortRows(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

describe('the format', () => {
  /** The members of an object and of all objects in it, as paths. */
  function listMembers(value: unknown, path = ''): string[] {
    if (Array.isArray(value)) return value.flatMap((one) => listMembers(one, path));
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => {
      const own = path === '' ? name : `${path}.${name}`;
      const isOpen = ['values', 'unknownValues', 'mistyped', 'scope.filters'].includes(own);
      return [own, ...(isOpen ? [] : listMembers(inner, own))];
    });
  }

  test.each([
    ['manifest', '_manifests'],
    ['pointer', '_head'],
  ])('the %s in docs/format.md has the members of a real one', (name, prefix) => {
    const [documented] = blocksOf(new RegExp(`^json ${name}$`));
    const members = new Set(listMembers(JSON.parse(documented?.block.text ?? '')));
    const base = join(manyTargets, 'demo-out', prefix);
    const stored = new Set<string>();
    for (const path of readdirSync(base, { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.json')) continue;
      for (const member of listMembers(JSON.parse(readFileSync(join(base, path), 'utf8'))))
        stored.add(member);
    }
    expect([...members].sort()).toEqual([...stored].sort());
  });
});
