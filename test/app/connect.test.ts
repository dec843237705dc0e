// Tests that a configuration leads to the exports it describes, from the sign-in to the sealed snapshot. They run through
// a real socket against the simulator, which checks signatures, tokens and the quota. The store is a temporary folder.

import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Connection, type ConnectOptions, connect } from '../../lib/app/connect.ts';
import { loadConfig } from '../../lib/config/load.ts';
import type { Config } from '../../lib/config/model.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { verifyStore } from '../../lib/verification/verification.ts';

const quota = { requests: 20, windowSeconds: 1 };

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ nodes: 450, quota, ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

interface Wanted {
  accounts: { name: string; credentials: unknown; targets: Record<string, unknown>[] }[];
  more?: Record<string, unknown>;
  inFunction?: boolean;
}

async function configure({ accounts, more = {}, inFunction = false }: Wanted): Promise<Config> {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-connect-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'cgs-export.json');
  writeFileSync(file, JSON.stringify({ store: 'file:./lake', quota, accounts, ...more }));
  return loadConfig({ file, env: {}, cwd: folder, inFunction });
}

function targetAt({ url, region }: Simulator, more: Record<string, unknown> = {}) {
  return { region, endpoint: url, iamEndpoint: url, api: 'hss', ...more };
}

function keyOf({ ak, sk }: Simulator) {
  return { ak, sk };
}

function signInOf({ iamUser, iamPassword, iamDomain }: Simulator) {
  return { iamUser, iamPassword, iamDomain };
}

function open(config: Config, overrides: Partial<ConnectOptions> = {}) {
  const lines: string[] = [];
  const log: ConnectOptions['log'] = (...line) => lines.push(JSON.stringify(line));
  const connection = connect(config, { log, scrubber: createScrubber(), ...overrides });
  const signal = new AbortController().signal;
  const options = { signal, progress: () => {} };
  return {
    ...connection,
    lines,
    options,
    run: () => connection.collect('command', options),
  };
}

const statusOf = ({ store, scheduleMs, targets }: Connection) =>
  readStatus(store, scheduleMs, targets);

test('exports with a key: finds the project id, seals both formats, and reports the snapshot in the status', async () => {
  const simulator = await start();
  const config = await configure({
    accounts: [{ name: 'prod', credentials: keyOf(simulator), targets: [targetAt(simulator)] }],
  });
  const connection = open(config);
  const result = await connection.run();
  expect(result).toMatchObject({ status: 'sealed', errors: [], requests: 3 });
  const [sealed] = result.snapshots;
  expect(sealed?.manifest).toMatchObject({
    rows: 450,
    verdict: 'complete',
    scope: {
      account: 'prod',
      region: simulator.region,
      projectId: simulator.projectId,
      endpoint: simulator.url,
      enterpriseProjectId: 'all_granted_eps',
      filters: {},
    },
    writer: expect.stringMatching(/^cgs-export\/\d+\.\d+\.\d+/),
  });
  expect(sealed?.manifest.parts.map(({ format }) => format)).toEqual(['parquet', 'ndjson']);
  expect(await verifyStore(connection.store, () => {})).toMatchObject({
    faults: [],
    unnamed: [],
    parts: 2,
  });
  const { nodeRequests, throttled, unauthenticated } = simulator.stats();
  expect([nodeRequests, throttled, unauthenticated]).toEqual([3, 0, 0]);
  const [status] = await statusOf(connection);
  expect(status).toMatchObject({
    projectId: simulator.projectId,
    due: false,
    last: { rows: 450, verdict: 'complete' },
  });
  // The fourth request of the first export asked for the project id. The second export reads it from the store.
  const asked = simulator.stats().requests;
  expect(asked).toBe(4);
  expect((await connection.run()).status).toBe('sealed');
  expect(simulator.stats().requests).toBe(asked + 3);
});

test('exports with a sign-in: one token for all requests, its project, and no secret in logs or store', async () => {
  const simulator = await start();
  const config = await configure({
    accounts: [{ name: 'prod', credentials: signInOf(simulator), targets: [targetAt(simulator)] }],
  });
  const connection = open(config);
  const result = await connection.run();
  expect(result).toMatchObject({ status: 'sealed', errors: [] });
  expect(result.snapshots[0]?.manifest).toMatchObject({
    rows: 450,
    scope: { projectId: simulator.projectId },
  });
  expect(simulator.stats()).toMatchObject({ tokensIssued: 1, unauthenticated: 0 });
  expect(connection.lines.length).toBeGreaterThan(0);
  const stored = await readStore(connection.store);
  for (const text of [...connection.lines, ...stored]) {
    expect(text).not.toContain(simulator.iamPassword);
    expect(text).not.toContain(simulator.iamUser);
  }
});

/** A folder that TMPDIR names during this test. */
function useTemporaryFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), 'cgs-parent-'));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = parent;
  onTestFinished(() => {
    process.env.TMPDIR = TMPDIR;
    rmSync(parent, { recursive: true, force: true });
  });
  return parent;
}

test('a collection warns before its first request if no temporary file can be made, and seals and compares', async () => {
  const simulator = await start();
  const config = await configure({
    accounts: [{ name: 'prod', credentials: keyOf(simulator), targets: [targetAt(simulator)] }],
  });
  const parent = useTemporaryFolder();
  rmSync(parent, { recursive: true });
  const connection = open(config);
  expect((await connection.run()).status).toBe('sealed');
  const [first = ''] = connection.lines.filter((line) => !line.includes('"debug"'));
  expect(first).toContain(`cannot use ${parent} for temporary files`);
  expect(first).toContain('Up to 64 MB of temporary data are kept in memory instead');
  expect(first).toContain('A list of more than 50,000 entries is not exported');
  expect(first).toContain('TEMP_UNUSABLE');
  const second = await connection.run();
  expect(second).toMatchObject({ status: 'sealed', errors: [] });
  expect(second.snapshots[0]?.manifest.changes).toMatchObject({ added: 0, removed: 0 });
});

test('a collection without temporary files stops after the first page of a list that is too long', async () => {
  const simulator = await start({ nodes: 50_001 });
  const config = await configure({
    accounts: [{ name: 'prod', credentials: keyOf(simulator), targets: [targetAt(simulator)] }],
  });
  rmSync(useTemporaryFolder(), { recursive: true });
  const connection = open(config);
  const result = await connection.run();
  expect(result).toMatchObject({ status: 'failed', snapshots: [], requests: 1 });
  expect(result.errors).toMatchObject([{ name: 'ScratchError', code: 'TEMP_UNUSABLE' }]);
  expect(result.errors[0]?.message).toContain('The list has 50,001 entries');
  expect(simulator.stats().nodeRequests).toBe(1);
  expect((await connection.run()).requests).toBe(0);
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('a collection removes the temporary files of processes that are gone, and makes none itself', async () => {
  const parent = useTemporaryFolder();
  const simulator = await start();
  const config = await configure({
    accounts: [{ name: 'prod', credentials: keyOf(simulator), targets: [targetAt(simulator)] }],
  });
  const left = mkdtempSync(join(parent, 'cgs-export-tmp-unknown.1.abc-'));
  writeFileSync(join(left, '0'), 'of a killed process');
  const agedS = (Date.now() - 25 * 3_600_000) / 1_000;
  for (const path of [join(left, '0'), left]) utimesSync(path, agedS, agedS);
  const connection = open(config);
  expect((await connection.run()).status).toBe('sealed');
  expect(readdirSync(parent).filter((name) => name.startsWith('cgs-export-tmp-'))).toEqual([]);
});

async function readStore(store: ReturnType<typeof open>['store']): Promise<string[]> {
  const objects = await store.list('');
  const texts = objects.map(
    async ({ key }) => `${key} ${Buffer.from((await store.get(key)) ?? [])}`,
  );
  return Promise.all(texts);
}

test('rejects two targets of the same project and table, and names both', async () => {
  const simulator = await start();
  const config = await configure({
    accounts: [
      { name: 'by-key', credentials: keyOf(simulator), targets: [targetAt(simulator)] },
      { name: 'by-sign-in', credentials: signInOf(simulator), targets: [targetAt(simulator)] },
    ],
  });
  const connection = open(config);
  const result = await connection.run();
  expect(result).toMatchObject({ status: 'failed', snapshots: [], requests: 0 });
  const [error] = result.errors;
  expect(error).toBeInstanceOf(ConfigError);
  expect(error?.message).toContain('accounts.1.targets.0');
  expect(error?.message).toContain('accounts.0.targets.0');
  expect(simulator.stats().nodeRequests).toBe(0);
});

test('accepts two targets of one project with different tables', async () => {
  const simulator = await start({ nodes: 20 });
  const filtered = { filters: { agentStatus: 'offline' }, table: 'offline_nodes' };
  const config = await configure({
    accounts: [
      {
        name: 'prod',
        credentials: keyOf(simulator),
        targets: [targetAt(simulator), targetAt(simulator, filtered)],
      },
    ],
    more: { formats: ['parquet'] },
  });
  const { snapshots, errors } = await open(config).run();
  expect(errors).toEqual([]);
  const [all, offline] = snapshots.map(({ manifest }) => manifest);
  expect(all?.parts.map(({ format }) => format)).toEqual(['parquet']);
  expect(all).toMatchObject({ table: 'container_nodes', rows: 20, scope: { filters: {} } });
  expect(offline).toMatchObject({
    table: 'offline_nodes',
    scope: { filters: { agentStatus: 'offline' } },
    values: { agent_status: { offline: offline?.rows } },
  });
});

test('reports a region without a project by its path in the configuration, and exports the other targets', async () => {
  const simulator = await start({ nodes: 20 });
  const config = await configure({
    accounts: [
      {
        name: 'prod',
        credentials: keyOf(simulator),
        targets: [targetAt(simulator, { region: 'cn-north-9' }), targetAt(simulator)],
      },
    ],
  });
  const { status, snapshots, errors } = await open(config).run();
  expect(status).toBe('failed');
  expect(snapshots).toHaveLength(1);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(ConfigError);
  expect(errors[0]?.message).toMatch(/^accounts\.0\.targets\.0\.projectId: .*cn-north-9/);
});

test('exports only the nodes that match the filters, and says so in the manifest', async () => {
  const simulator = await start();
  const filters = { containerNode: false, version: 'hss.version.null' };
  const config = await configure({
    accounts: [
      {
        name: 'prod',
        credentials: keyOf(simulator),
        targets: [targetAt(simulator, { table: 'other_hosts', filters })],
      },
    ],
  });
  const { snapshots, errors } = await open(config).run();
  expect(errors).toEqual([]);
  const matching = simulator
    .nodes()
    .filter((node) => node.is_container_node !== true && node.version === 'hss.version.null');
  expect(matching.length).toBeGreaterThan(0);
  expect(snapshots[0]?.manifest).toMatchObject({
    rows: matching.length,
    scope: { filters },
  });
});

test('logs each warning of the configuration once', async () => {
  const targets = [{ region: 'cn-north-4', projectId: 'abc' }];
  const accounts = [{ name: 'prod', credentials: { ak: 'A', sk: 'secret' }, targets }];
  const config = await configure({ accounts });
  const { lines, warnings } = open(config);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    ['warn', expect.stringContaining('accounts.0.targets.0.projectId: '), expect.anything()],
  ]);
  expect(warnings).toEqual(config.warnings);
});

test('connects only the targets that are picked', async () => {
  const simulator = await start();
  const targets = [targetAt(simulator), targetAt(simulator, { table: 'other_nodes' })];
  const config = await configure({
    accounts: [
      { name: 'one', credentials: keyOf(simulator), targets },
      {
        name: 'two',
        credentials: keyOf(simulator),
        targets: [targetAt(simulator, { table: 'third' })],
      },
    ],
  });
  const picked = (options: Partial<ConnectOptions>) =>
    open(config, options).targets.map(({ account, table }) => `${account} ${table}`);
  expect(picked({})).toEqual(['one container_nodes', 'one other_nodes', 'two third']);
  expect(picked({ isPicked: ({ account }) => account === 'one' })).toEqual([
    'one container_nodes',
    'one other_nodes',
  ]);
  expect(picked({ isPicked: ({ table }) => table === 'third' })).toEqual(['two third']);
  expect(picked({ isPicked: () => false })).toEqual([]);
});

describe('users of the quota', () => {
  test('differ by key and by sign-in, and do not contain the key', async () => {
    const simulator = await start();
    const { ak, sk } = simulator;
    const account = (name: string, credentials: unknown) => ({
      name,
      credentials,
      targets: [targetAt(simulator, { table: `t_${name}` })],
    });
    const config = await configure({
      inFunction: true,
      more: { mounted: true },
      accounts: [
        account('a', { ak, sk }),
        account('b', { ak, sk: 'another' }),
        account('c', { ak: 'ANOTHER', sk }),
        account('d', signInOf(simulator)),
        account('e', 'agency'),
        account('f', 'agency'),
      ],
    });
    const users = open(config).targets.map(({ user }) => user);
    expect(users[0]).toBe(users[1]);
    expect(new Set(users).size).toBe(5);
    for (const user of users) expect(user).toMatch(/^[0-9a-f]{12}$/);
  });
});

describe('an agency', () => {
  test('is asked for its key at each request', async () => {
    const simulator = await start({ nodes: 450, securityToken: 'temporary-token' });
    const config = await configure({
      inFunction: true,
      more: { mounted: true },
      accounts: [{ name: 'prod', credentials: 'agency', targets: [targetAt(simulator)] }],
    });
    let asked = 0;
    const connection = open(config, {
      agencyKey: () => {
        asked += 1;
        return { kind: 'aksk', ...keyOf(simulator), securityToken: 'temporary-token' };
      },
    });
    expect(await connection.run()).toMatchObject({ status: 'sealed', errors: [] });
    // Once for each of three pages, and once for the project id.
    expect(asked).toBeGreaterThanOrEqual(4);
  });

  test('is a configuration error outside of a function', async () => {
    const simulator = await start();
    const config = await configure({
      inFunction: true,
      more: { mounted: true },
      accounts: [{ name: 'prod', credentials: 'agency', targets: [targetAt(simulator)] }],
    });
    const { status, errors } = await open(config).run();
    expect(status).toBe('failed');
    expect(errors[0]).toBeInstanceOf(ConfigError);
    expect(simulator.stats().requests).toBe(0);
  });
});

test('sends a wrong secret once, does not retry, and does not show it', async () => {
  const simulator = await start();
  const sk = 'wrong-secret-of-the-test';
  const config = await configure({
    accounts: [
      {
        name: 'prod',
        credentials: { ak: simulator.ak, sk },
        targets: [targetAt(simulator, { projectId: simulator.projectId })],
      },
    ],
  });
  const connection = open(config);
  const result = await connection.run();
  expect(result).toMatchObject({ status: 'failed', requests: 1 });
  expect(result.errors[0]).toMatchObject({ name: 'AuthError' });
  expect(simulator.stats()).toMatchObject({ unauthenticated: 1, requests: 1 });
  const texts = [...connection.lines, ...(await readStore(connection.store))];
  const [error] = result.errors;
  texts.push(`${error?.message} ${error?.hint} ${error?.stack}`);
  for (const text of texts) expect(text).not.toContain(sk);
});

test('a timer invocation works as long as its time allows, and the next one continues', async () => {
  const simulator = await start({ nodes: 20 });
  const config = await configure({
    accounts: [{ name: 'prod', credentials: keyOf(simulator), targets: [targetAt(simulator)] }],
    more: { schedule: '1d' },
  });
  const connection = open(config);
  const tick = (timeLeftMs: number) =>
    connection.collect('timer', { ...connection.options, timeLeftMs: () => timeLeftMs });
  expect(await tick(1_000)).toMatchObject({ status: 'paused', requests: 0, errors: [] });
  // The time was too short even to ask for the project id.
  expect((await statusOf(connection))[0]?.open).toBeNull();
  expect(await tick(60_000)).toMatchObject({ status: 'sealed', requests: 1 });
  expect(await tick(60_000)).toMatchObject({ status: 'idle', requests: 0 });
  expect(connection.scheduleMs).toBe(86_400_000);
  expect(connection.quota).toEqual({ requests: 20, windowMs: 1_000 });
});
