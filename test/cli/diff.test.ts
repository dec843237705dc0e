// Tests the command `diff`: which snapshots it compares, what it prints, and what it refuses.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, createFolder, exportSome } from './test-runtime.ts';

/** Three snapshots of a list that changes between requests. */
async function exportThree() {
  const drift = { insertsPerRequest: 3, deletesPerRequest: 2, offlinePerRequest: 4, seed: 3 };
  const world = await exportSome(3, { nodes: 60, drift });
  const { cwd, simulator } = world;
  const manifests = `_manifests/container_nodes/rgn=${simulator.region}/prj=${simulator.projectId}`;
  const names = readdirSync(join(cwd, 'lake', manifests)).map((name) => name.replace('.json', ''));
  const diff = (...args: string[]) => call(['diff', '--store', 'file:./lake', ...args], { cwd });
  return { ...world, names: names.sort() as [string, string, string], diff };
}

async function pairsOf({ code, runtime }: Awaited<ReturnType<typeof call>>) {
  expect(code, runtime.err()).toBe(0);
  const targets = runtime.json().targets as { previous: string; snapshot: string }[];
  return targets.map(({ previous, snapshot }) => [previous, snapshot]);
}

test('compares the last two complete snapshots, or those that are named', async () => {
  const { names, diff } = await exportThree();
  const [first, second, third] = names;
  expect(await pairsOf(await diff('--json'))).toEqual([[second, third]]);
  expect(await pairsOf(await diff(first, '--json'))).toEqual([[first, third]]);
  expect(await pairsOf(await diff(first, second, '--json'))).toEqual([[first, second]]);
  const swapped = await diff(third, first, '--json');
  expect(await pairsOf(swapped)).toEqual([[first, third]]);
  expect(swapped.runtime.logs()).toMatchObject([
    { message: expect.stringContaining('A is later') },
  ]);
  const asTime = (name: string) => name.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5');
  expect(await pairsOf(await diff(asTime(first), asTime(second), '--json'))).toEqual([
    [first, second],
  ]);
  expect(await pairsOf(await diff(first, '2099-01-01', '--json'))).toEqual([[first, third]]);
});

test('the three formats and --json agree on the number of changes', async () => {
  const { names, diff } = await exportThree();
  const [first, , third] = names;
  const { runtime: counted } = await diff(first, third, '--json');
  const [target] = counted.json().targets as Record<string, number>[];
  const { added = 0, removed = 0, changed = 0 } = target ?? {};
  expect(Math.min(added, changed)).toBeGreaterThan(0);
  const total = added + removed + changed;
  const { runtime: lines } = await diff(first, third, '--format', 'ndjson');
  const rows = lines
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(total);
  expect(rows.filter(({ change }) => change === 'added')).toHaveLength(added);
  const { runtime: csv } = await diff(first, third, '--format', 'csv');
  expect(csv.out().trimEnd().split('\r\n')).toHaveLength(total + 1);
  const { runtime: table } = await diff(first, third);
  expect(table.out()).toContain(`  ${added} added, ${removed} removed, ${changed} changed\n`);
  expect(table.out().trimEnd().split('\n')).toHaveLength(total + 2);
  expect(table.out()).toContain(`default container_nodes cn-south-4`);
});

test('leaves no temporary file', async () => {
  const { diff } = await exportThree();
  expect((await diff()).code).toBe(0);
  const left = readdirSync(tmpdir()).filter((name) => name.includes(`.${process.pid}.`));
  expect(left.filter((name) => name.startsWith('cgs-export-tmp-'))).toEqual([]);
});

test('refuses what cannot be compared, with the reason and exit code 2', async () => {
  const { diff, names } = await exportThree();
  const messageOf = async (...args: string[]) => {
    const { code, runtime } = await diff(...args, '--json');
    expect(code).toBe(2);
    return (runtime.json().errors as { message: string }[])[0]?.message;
  };
  expect(await messageOf('20200101T000000Z')).toContain('it has no snapshot 20200101T000000Z');
  expect(await messageOf('2020-01-01')).toContain(
    'it has no complete snapshot up to 20200101T235959Z',
  );
  expect(await messageOf(names[2])).toContain(`both arguments mean the snapshot ${names[2]}`);
  expect(await messageOf('soon')).toBe('A: "soon" is not a point in time');
  expect(await messageOf('1d', 'soon')).toBe('B: "soon" is not a point in time');
  expect(await messageOf('--table', 'x')).toBe(
    '--table: no target with a snapshot has the table "x"',
  );
  expect(await messageOf('--format', 'csv')).toBe('--format: cannot be combined with --json');
});

test('one snapshot alone, an empty store and a missing folder are refused', async () => {
  const { cwd } = await exportSome();
  const one = await call(['diff', '--store', 'file:./lake'], { cwd });
  expect(one.code).toBe(2);
  expect(one.runtime.err()).toContain('it has only one complete snapshot');
  const missing = await call(['diff', '--store', 'file:./nothing'], { cwd });
  expect(missing.code).toBe(2);
  expect(missing.runtime.err()).toContain('does not exist');
  const empty = await call(['diff', '--store', `file:${createFolder()}`], { cwd });
  expect(empty.code).toBe(2);
  expect(empty.runtime.err()).toContain('there is no snapshot in');
});

test('a manifest that is gone or cannot be read is an error, and the others are compared', async () => {
  const { diff, cwd, names, simulator } = await exportThree();
  const [first, second, third] = names;
  const folder = `_manifests/container_nodes/rgn=${simulator.region}/prj=${simulator.projectId}`;
  const pathOf = (name: string) => join(cwd, 'lake', folder, `${name}.json`);
  rmSync(pathOf(third));
  const gone = await diff('--json');
  expect(gone.code).toBe(5);
  expect(gone.runtime.json()).toMatchObject({
    status: 'failed',
    targets: [{ previous: first, snapshot: second }],
    errors: [
      { code: 'CORRUPT', message: expect.stringContaining(`${folder}/${third}.json: is missing`) },
    ],
  });
  expect((await diff()).runtime.err()).toContain(`${third}.json: is missing`);
  expect((await diff(first, second)).code).toBe(0);
  expect((await diff(first, third)).runtime.err()).toContain(`${third}.json: is missing`);
  writeFileSync(pathOf(second), '{');
  const none = await diff();
  expect(none.code).toBe(5);
  expect(none.runtime.err()).toContain(`${folder}/`);
});

test('an altered part is an integrity fault, and none of its rows is shown', async () => {
  const { diff, cwd, names } = await exportThree();
  const path = findPart(cwd, names[2]);
  writeFileSync(path, 'altered');
  const { code, runtime } = await diff('--format', 'ndjson');
  expect(code).toBe(5);
  expect(runtime.out()).toBe('');
  expect(runtime.err()).toContain('CORRUPT');
});

test('rows that retention deleted: exit 2, with the nearest snapshot that has its rows', async () => {
  const { diff, cwd, names, simulator } = await exportThree();
  const [first, second, third] = names;
  rmSync(findPart(cwd, first));
  expect((await diff(first)).code).toBe(5);
  const folder = join(
    cwd,
    `lake/_pruned/container_nodes/rgn=${simulator.region}/prj=${simulator.projectId}`,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${first}.json`), '{}\n');
  const { code, runtime } = await diff(first, '--json');
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    {
      code: 'PRUNED',
      message: expect.stringContaining(`the rows of ${first} were deleted by retention`),
      hint: `The nearest snapshot that has its rows is ${second}. Run \`cgs-export diff ${second} ${third} --store file:./lake\`.`,
    },
  ]);
  expect((await call(['diff', second, third, '--store', 'file:./lake'], { cwd })).code).toBe(0);
});

test('with a configuration, covers its targets and says which stored ones it leaves out', async () => {
  const { cwd, simulator } = await exportThree();
  const targetOf = (projectId: string) =>
    `store: file:./lake\naccounts: [{ name: default, targets: [{ region: ${simulator.region}, projectId: ${projectId} }] }]\n`;
  writeFileSync(join(cwd, 'cgs-export.yml'), targetOf(simulator.projectId));
  const covered = await call(['diff', '--json'], { cwd });
  expect(await pairsOf(covered)).toHaveLength(1);
  expect(covered.runtime.err()).not.toContain('left out');
  writeFileSync(join(cwd, 'cgs-export.yml'), targetOf('f'.repeat(32)));
  const other = await call(['diff', '--json'], { cwd });
  expect(other.code).toBe(2);
  expect(other.runtime.logs()).toContainEqual(
    expect.objectContaining({
      message: 'stored targets that the configuration does not have are left out',
      targets: [`default container_nodes ${simulator.region} ${simulator.projectId}`],
    }),
  );
});

function findPart(cwd: string, snapshot: string): string {
  const lake = join(cwd, 'lake', 'container_nodes');
  const found = readdirSync(lake, { recursive: true }).map(String);
  return join(
    lake,
    found.find((name) => name.includes(snapshot) && name.endsWith('.parquet')) ?? '',
  );
}
