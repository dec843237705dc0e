import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, createFolder, exportSome, flagsFor, keyOf, simulate } from './world.ts';

test('a configured target: last snapshot, age, due or not', async () => {
  const { cwd, env, flags } = await exportSome();
  const { code, world } = await call(['status', '--json', ...flags], { cwd, env });
  expect(code).toBe(0);
  const { status, store, targets, errors } = world.json();
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

test('--store alone tells of everything in it, without key and region', async () => {
  const { cwd } = await exportSome();
  const { code, world } = await call(['status', '--store', 'file:./lake'], { cwd });
  expect(code).toBe(0);
  expect(world.out()).toMatch(/container_nodes +cn-south-4 .* complete +30 .* up to date/);
});

test('a configuration whose variables of the API are not set is enough', async () => {
  const { cwd, simulator } = await exportSome();
  const target = `{ region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "\${URL}" }`;
  const account = `{ name: default, credentials: { ak: "\${AK}", sk: "\${SK}" }, targets: [${target}] }`;
  writeFileSync(join(cwd, 'cgs-export.yml'), `store: file:./lake\naccounts: [${account}]\n`);
  const { code, world } = await call(['status', '--json'], { cwd });
  expect(code).toBe(0);
  expect(world.json().targets).toMatchObject([{ last: { rows: 30 }, due: false }]);
  expect((await call(['verify'], { cwd })).code).toBe(0);
  expect((await call(['plan'], { cwd })).code).toBe(2);
});

test('an open run is shown with what it has read', async () => {
  const simulator = await simulate({ nodes: 700 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  await call(['tick', ...flagsFor(simulator).slice(0, 8), '--quota-requests', '2'], options);
  const { code, world } = await call(['status', '--store', 'file:./lake', '--json'], options);
  expect(code).toBe(0);
  expect(world.json().targets).toMatchObject([
    { open: { phase: 'collecting', pages: 2, total: 700 }, last: null, latest: null },
  ]);
  const people = await call(['status', '--store', 'file:./lake'], options);
  expect(people.world.out()).toMatch(/open: \d{8}T\d{6}Z collecting 399\/700/);
});

test('an empty store has nothing to tell', async () => {
  const { code, world } = await call(['status', '--store', 'file:./lake']);
  expect(code).toBe(0);
  expect(world.out()).toContain('nothing in file:');
});
