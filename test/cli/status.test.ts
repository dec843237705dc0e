// Tests the command `status`.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, createFolder, exportSome, flagsFor, keyOf, simulate } from './test-runtime.ts';

test('shows the last snapshot of a configured target, its age and whether it is due', async () => {
  const { cwd, env, flags } = await exportSome();
  const { code, runtime } = await call(['status', '--json', ...flags], { cwd, env });
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

test('--store alone shows every target in the store, without key and region', async () => {
  const { cwd } = await exportSome();
  const { code, runtime } = await call(['status', '--store', 'file:./lake'], { cwd });
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/container_nodes +cn-south-4 .* complete +30 .* up to date/);
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
