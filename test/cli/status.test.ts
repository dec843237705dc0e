// Tests the command `status`, and which targets it finds in a store.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findStoredTargets } from '../../lib/cli/status.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { encodeSchedule } from '../../lib/runs/schedule.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { call, createFolder, exportSome, flagsFor, keyOf, simulate } from './test-runtime.ts';

test('shows the last snapshot of a target, its age and whether it is due', async () => {
  const { cwd } = await exportSome();
  const args = ['status', '--json', '--store', 'file:./lake'];
  const { code, runtime } = await call(args, { cwd });
  expect(code).toBe(0);
  const { status, store, targets, errors } = runtime.json();
  expect({ status, errors }).toEqual({ status: 'ok', errors: [] });
  expect(store).toBe(`file:${cwd}/lake`);
  expect(targets).toMatchObject([
    {
      table: 'container_nodes',
      open: null,
      last: { verdict: 'complete', rows: 30, ageSeconds: expect.any(Number) },
      due: false,
      heldUntil: null,
    },
  ]);
});

test('--store shows every target in the store, without key and region', async () => {
  const { cwd } = await exportSome();
  const { code, runtime } = await call(['status', '--store', 'file:./lake'], { cwd });
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/container_nodes +cn-south-4 .* complete +30 .* up to date/);
});

test('with --store, --table picks a stored table, and --account is rejected', async () => {
  const { cwd } = await exportSome();
  const args = ['status', '--json', '--store', 'file:./lake'];
  const found = await call([...args, '--table', 'container_nodes'], { cwd });
  expect(found.runtime.json().targets).toHaveLength(1);
  const other = await call([...args, '--table', 'web_nodes'], { cwd });
  expect(other.runtime.json().targets).toEqual([]);
  const account = await call([...args, '--account', 'prod'], { cwd });
  expect(account.code).toBe(2);
  expect(account.runtime.json().errors).toMatchObject([
    { message: '--account: cannot be combined with --store' },
  ]);
});

test('needs no variables that only the API uses; nor does verify, but plan does', async () => {
  const { cwd, simulator } = await exportSome();
  const target = `{ region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "\${URL}" }`;
  const account = `{ name: default, credentials: { ak: "\${AK}", sk: "\${SK}" }, targets: [${target}] }`;
  writeFileSync(join(cwd, 'cgs-export.yml'), `store: file:./lake\naccounts: [${account}]\n`);
  const { code, runtime } = await call(['status', '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json().targets).toMatchObject([{ last: { rows: 30 }, due: false }]);
  expect((await call(['verify'], { cwd })).code).toBe(0);
  expect((await call(['plan'], { cwd })).code).toBe(2);
});

test('shows an open run with the rows that it has read', async () => {
  const simulator = await simulate({ nodes: 700 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  await call(['tick', ...flagsFor(simulator).slice(0, 8), '--quota-requests', '2'], options);
  const { code, runtime } = await call(['status', '--store', 'file:./lake', '--json'], options);
  expect(code).toBe(0);
  expect(runtime.json().targets).toMatchObject([
    { open: { phase: 'collecting', pages: 2, total: 700 }, last: null, latest: null },
  ]);
  const people = await call(['status', '--store', 'file:./lake'], options);
  expect(people.runtime.out()).toMatch(/open: \d{8}T\d{6}Z collecting 399\/700/);
});

test('reports an empty store', async () => {
  const { code, runtime } = await call(['status', '--store', 'file:./lake']);
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/^file:.*lake holds no snapshot and no open run yet\n$/);
});

test('finds targets with snapshots and targets in the schedule, each once', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  const bytes = Buffer.from('{}');
  const manifest = (table: string, name: string) =>
    `_manifests/${table}/rgn=cn-south-4/prj=p1/${name}.json`;
  await store.put(manifest('b_nodes', '20261124T060000Z'), bytes);
  await store.put(manifest('b_nodes', '20261125T060000Z'), bytes);
  await store.put(manifest('b_nodes', 'no-snapshot'), bytes);
  const state = { open: null, sealed: null, failures: 0, retryAtMs: 0 };
  const targets = {
    'a_nodes/rgn=eu-west-101/prj=p2': state,
    'b_nodes/rgn=cn-south-4/prj=p1': state,
  };
  await store.put(scheduleKey, encodeSchedule({ targets, holds: {}, projects: {} }));
  expect(await findStoredTargets(store)).toEqual([
    { table: 'a_nodes', region: 'eu-west-101', projectId: 'p2' },
    { table: 'b_nodes', region: 'cn-south-4', projectId: 'p1' },
  ]);
});
