// Tests the command `nodes`: which snapshot it reads, which nodes it shows, against DuckDB over the same files, and what it refuses.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { snapshotName, snapshotTimeMs, tombstoneKey } from '../../lib/core/object-keys.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { openDuck } from '../formats/readers.ts';
import { dayMs, projects, seedPeople, targetOf } from '../support/people-history.ts';
import { copyToFolder, seedStore } from '../support/seeded-store.ts';
import { call, createFolder, createTestRuntime } from './test-runtime.ts';

async function openPeople() {
  const { store, timeOf, endMs } = await seedPeople();
  const cwd = createFolder();
  copyToFolder(store, join(cwd, 'lake'));
  const nodes = (...args: string[]) => call(['nodes', '--store', 'file:./lake', ...args], { cwd });
  const nameOf = (day: number) => snapshotName(timeOf(day));
  const dateOf = (day: number) => new Date(timeOf(day)).toISOString().slice(0, 10);
  return { store, cwd, nodes, nameOf, dateOf, timeOf, endMs };
}

/** Reads the rows of a snapshot with DuckDB. */
async function openOracle(cwd: string) {
  const lake = join(cwd, 'lake', 'container_nodes');
  const files = readdirSync(lake, { recursive: true }).map(String);
  const duck = await openDuck();
  onTestFinished(() => duck.close());
  return (snapshot: string, where = 'true') => {
    const file = files.find((one) => one.includes(`prj=${projects[0]}/${snapshot}-`)) ?? '';
    const from = `read_parquet('${join(lake, file)}', hive_partitioning = false)`;
    return duck.readRows(`${from} WHERE ${where} ORDER BY host_id`);
  };
}

function parseLines(text: string): unknown[][] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const row = JSON.parse(line) as Record<string, unknown>;
    expect(Object.keys(row)).toEqual(containerNodes.columns.map(({ name }) => name));
    return containerNodes.columns.map(({ name, type }) => {
      const value = row[name];
      return type === 'timestamp' && value !== null ? Date.parse(String(value)) : value;
    });
  });
}

test('without options, the rows of the newest complete snapshot, all columns in order', async () => {
  const { cwd, nodes, nameOf } = await openPeople();
  const { code, runtime } = await nodes('--format', 'ndjson');
  expect(code).toBe(0);
  const rows = parseLines(runtime.out());
  expect(rows).toHaveLength(4);
  const ask = await openOracle(cwd);
  expect(rows).toEqual(await ask(nameOf(6)));
});

test('filters show what DuckDB finds', async () => {
  const { cwd, nodes, nameOf } = await openPeople();
  const ask = await openOracle(cwd);
  for (const [args, where, count] of [
    [['--unprotected'], "protect_status IS DISTINCT FROM 'opened'", 2],
    [['--offline'], "agent_status = 'offline'", 1],
    [['--offline', '--unprotected'], 'false', 0],
    [['--where', 'host_name='], "host_name = ''", 1],
    [['--where', 'private_ip=null'], 'private_ip IS NULL', 3],
    [['--where', 'host_name=节点-三', '--where', 'agent_status=offline'], "host_id = 'h3'", 1],
  ] as const) {
    const { runtime } = await nodes('--format', 'ndjson', ...args);
    const rows = parseLines(runtime.out());
    expect(rows, where).toHaveLength(count);
    expect(rows).toEqual(await ask(nameOf(6), where));
  }
});

test('warns of a condition that no node meets, with the values that occur', async () => {
  const { nodes } = await openPeople();
  const warningsOf = async (...args: string[]) =>
    (await nodes('--where', ...args)).runtime
      .logs()
      .filter(({ message }) => String(message).startsWith('--where'));
  expect(await warningsOf('protect_status=closd')).toMatchObject([
    {
      ...{ level: 'warn', message: '--where protect_status=closd matches no node' },
      hint: 'Values that occur in this column: closed, opened.',
    },
  ]);
  expect(await warningsOf('protect_status=opened')).toEqual([]);
  // Each of them is met by some node, but no node meets both.
  expect(await warningsOf('protect_status=closed', '--where', 'agent_status=offline')).toEqual([]);
});

test('--at takes the newest complete snapshot that is not later, a date up to its last second', async () => {
  const { cwd, nodes, nameOf, dateOf, timeOf } = await openPeople();
  const ask = await openOracle(cwd);
  for (const [at, day] of [
    [dateOf(1), 1],
    [dateOf(3), 1],
    [dateOf(4), 4],
    [new Date(timeOf(4) - 1_000).toISOString(), 1],
    [new Date(timeOf(4)).toISOString(), 4],
    ['2099-01-01', 6],
  ] as const) {
    const { runtime } = await nodes('--format', 'ndjson', '--at', at, '--project', projects[0]);
    expect(parseLines(runtime.out()), at).toEqual(await ask(nameOf(day)));
  }
});

test('warns that the newest snapshot drifted, and that slots were missed', async () => {
  const { nodes, nameOf, dateOf, endMs } = await openPeople();
  const warningsOf = async (...args: string[]) =>
    (await nodes(...args)).runtime.logs().map(({ level, message }) => `${level} ${message}`);
  const one = `prod container_nodes cn-south-4 ${projects[0]}`;
  expect(await warningsOf('--project', projects[0])).toEqual([
    `warn ${one}: the rows are those of ${nameOf(6)}: the newest snapshot ${snapshotName(endMs)} is drifted`,
  ]);
  expect(await warningsOf('--project', projects[0], '--at', dateOf(3))).toEqual([
    `warn ${one}: the rows are those of ${nameOf(1)}: 2 slots missed since`,
  ]);
  expect(await warningsOf('--project', projects[0], '--at', dateOf(4))).toEqual([]);
});

test('the table names each snapshot with its age, and ends with counts', async () => {
  const { nodes, nameOf } = await openPeople();
  const { code, runtime } = await nodes();
  expect(code).toBe(0);
  const lines = runtime.out().split('\n');
  const heading = new RegExp(
    `^prod container_nodes cn-south-4 ${projects[0]}: ${nameOf(6)}, .* old, 4 nodes$`,
  );
  expect(lines[0]).toMatch(heading);
  expect(lines[1]).toContain(`${projects[1]}: ${nameOf(6)}`);
  expect(lines[1]).toMatch(/, 0 nodes$/);
  expect(lines[2]?.trim().split(/ +/)).toEqual([
    ...['account', 'region', 'project', 'host_name', 'host_id'],
    ...['agent_status', 'protect_status', 'since', 'private_ip'],
  ]);
  expect(lines[4]).toMatch(
    /节点-三 +h3 +offline +opened +\d{4}-\d\d-\d\d 00:00 \(.*\) offline +10/,
  );
  expect(lines.slice(-3)).toEqual([
    '  4 nodes: 2 unprotected, 1 offline',
    '  of these: 0 container nodes, 0 other hosts, 4 not stated',
    '',
  ]);
  const { runtime: some } = await nodes('--unprotected');
  expect(some.out()).toContain('  2 nodes of 4; of these, 2 unprotected, 0 offline\n');
});

test('--json counts the nodes that are shown, for each target', async () => {
  const { nodes, nameOf, endMs } = await openPeople();
  const { code, runtime } = await nodes('--json', '--unprotected');
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({
    status: 'ok',
    targets: [
      {
        ...{ account: 'prod', projectId: projects[0], snapshot: nameOf(6), rows: 4 },
        ...{ nodes: 2, unprotected: 2, offline: 0, drifted: [snapshotName(endMs)], missedSlots: 0 },
      },
      { projectId: projects[1], rows: 0, nodes: 0 },
    ],
    withoutSnapshot: [],
    errors: [],
  });
});

/** Two targets whose hosts have every value of is_container_node. */
async function openMixed() {
  const kinds = [true, false, null, undefined];
  const makeNodes = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => {
        const kind = kinds[(index * 7 + count) % (index % 3 === 0 ? 1 : 4)];
        const protect_status = index % 2 === 0 ? 'closed' : 'opened';
        return [
          `h${index}`,
          { protect_status, ...(kind === undefined ? {} : { is_container_node: kind }) },
        ];
      }),
    );
  const timeMs = Math.floor(Date.now() / dayMs) * dayMs;
  const { store } = await seedStore(
    [
      { target: targetOf(projects[0]), timeMs, nodes: makeNodes(37) },
      { target: targetOf(projects[1]), timeMs, nodes: makeNodes(14) },
    ],
    dayMs,
  );
  const cwd = createFolder();
  copyToFolder(store, join(cwd, 'lake'));
  return {
    cwd,
    nodes: (...args: string[]) => call(['nodes', '--store', 'file:./lake', ...args], { cwd }),
  };
}

test('says how many of the listed hosts are container nodes, as DuckDB counts them', async () => {
  const { cwd, nodes } = await openMixed();
  const duck = await openDuck();
  onTestFinished(() => duck.close());
  const lake = join(cwd, 'lake', 'container_nodes');
  const count = async (where: string) => {
    const groups = await duck.query(
      `SELECT project_id, count(*) FILTER (is_container_node)::INT, count(*) FILTER (NOT is_container_node)::INT,
        count(*) FILTER (is_container_node IS NULL)::INT
       FROM read_parquet('${lake}/**/*.parquet', hive_partitioning = false) WHERE ${where} GROUP BY ALL ORDER BY ALL`,
    );
    return groups.map(([, containerNodes, otherHosts, notStated]) => {
      return { containerNodes, otherHosts, notStated } as Record<string, number>;
    });
  };
  for (const [args, where] of [
    [[], 'true'],
    [['--unprotected'], "protect_status IS DISTINCT FROM 'opened'"],
  ] as const) {
    const expected = await count(where);
    const { runtime } = await nodes('--json', ...args);
    const targets = runtime.json().targets as { hostKinds: unknown }[];
    expect(targets.map(({ hostKinds }) => hostKinds)).toEqual(expected);
    const sum = (name: string) => expected.reduce((total, one) => total + (one[name] ?? 0), 0);
    expect(Math.min(...['containerNodes', 'otherHosts', 'notStated'].map(sum))).toBeGreaterThan(1);
    const { runtime: text } = await nodes(...args);
    expect(text.out().replace(/\n +/g, ' ')).toContain(
      `of these: ${sum('containerNodes')} container nodes, ${sum('otherHosts')} other hosts, ${sum('notStated')} not stated; only container nodes: --where is_container_node=true`,
    );
  }
});

test('says nothing about the kinds of hosts if all are container nodes, and no filter that finds nothing', async () => {
  const { nodes } = await openMixed();
  const { runtime: only } = await nodes('--where', 'is_container_node=true');
  expect(only.out()).not.toContain('of these:');
  const { runtime: others } = await nodes('--where', 'is_container_node=false');
  expect(others.out()).toContain('of these: 0 container nodes, ');
  expect(others.out()).not.toContain('--where');
  const { runtime: none } = await nodes('--where', 'host_name=nobody');
  expect(none.out()).not.toContain('of these:');
});

test('a spreadsheet takes no name for a formula, and a terminal no control characters', async () => {
  const { nodes, dateOf } = await openPeople();
  const { runtime: csv } = await nodes('--format', 'csv', '--at', dateOf(4));
  expect(csv.out().startsWith('\ufeffsnapshot_at,')).toBe(true);
  expect(csv.out()).toContain(",h2,'=cmd(),");
  expect(csv.out()).toContain('evil\u001b[2J\u202eabc');
  const { runtime: table } = await nodes('--at', dateOf(4));
  expect(table.out()).toContain('evil\\u001b[2J\\u202eabc');
});

test('rows that retention deleted: exit 2, with the nearest snapshot that has its rows, of each target', async () => {
  const { cwd, nodes, nameOf, dateOf } = await openPeople();
  const lake = join(cwd, 'lake', 'container_nodes');
  const deleted = [
    { project: projects[0], name: nameOf(1) },
    ...projects.map((project) => ({ project, name: nameOf(5) })),
  ];
  for (const { project, name } of deleted) {
    const part = readdirSync(lake, { recursive: true, encoding: 'utf8' }).find(
      (path) => path.includes(`prj=${project}/${name}-`) && path.endsWith('.parquet'),
    );
    rmSync(join(lake, part ?? ''));
    const tombstone = join(cwd, 'lake', tombstoneKey(targetOf(project), name));
    mkdirSync(dirname(tombstone), { recursive: true });
    writeFileSync(tombstone, '{}\n');
  }
  const nearest = (day: number, project = '') => {
    const time = new Date(snapshotTimeMs(nameOf(day)) ?? 0).toISOString().replace('.000', '');
    const picks = `--table container_nodes --region cn-south-4 --project ${project} `;
    const command = `cgs-export nodes --at ${time} ${project && picks}--store file:./lake`;
    return `The nearest snapshot that has its rows is ${nameOf(day)}. Run \`${command}\`.`;
  };
  const one = await nodes('--at', dateOf(2), '--json', '--project', projects[0]);
  expect(one.code).toBe(2);
  expect(one.runtime.json().errors).toMatchObject([
    { code: 'PRUNED', hint: nearest(0, projects[0]) },
  ]);
  const [, ...args] = (/`(.*)`/.exec(nearest(0, projects[0]))?.[1] ?? '').split(' ');
  expect((await call(args, { cwd })).code).toBe(0);
  const both = await nodes('--at', dateOf(5), '--json');
  expect(both.code).toBe(2);
  const ofBoth = projects.map((project, index) => {
    return `prod container_nodes cn-south-4 ${project}: ${nearest([4, 6][index] ?? 0, project)}`;
  });
  expect(both.runtime.json().errors).toMatchObject([{ code: 'PRUNED', hint: ofBoth.join(' ') }]);
});

test('an unreadable newer manifest is an error, and the rows are printed', async () => {
  const { cwd, nodes, nameOf, endMs } = await openPeople();
  const folder = join(cwd, `lake/_manifests/container_nodes/rgn=cn-south-4/prj=${projects[0]}`);
  writeFileSync(join(folder, `${snapshotName(endMs)}.json`), '{');
  const { code, runtime } = await nodes('--format', 'ndjson');
  expect(code).toBe(5);
  expect(parseLines(runtime.out())[0]?.[0]).toBe(
    Date.parse(nameOf(6).replace(/(....)(..)(..).*/, '$1-$2-$3')),
  );
  expect(runtime.err()).toContain('CORRUPT');
});

test('a newest manifest that is gone is an error in nodes, node and history, and the rest is printed', async () => {
  const { cwd, nameOf, endMs } = await openPeople();
  const folder = `_manifests/container_nodes/rgn=cn-south-4/prj=${projects[0]}`;
  rmSync(join(cwd, 'lake', folder, `${snapshotName(endMs)}.json`));
  for (const args of [['nodes'], ['node', 'h1'], ['history']]) {
    const { code, runtime } = await call([...args, '--store', 'file:./lake'], { cwd });
    expect(code, args[0]).toBe(5);
    expect(runtime.out()).toContain(args[0] === 'node' ? 'still listed' : nameOf(6));
    expect(runtime.err()).toContain(`${folder}/${snapshotName(endMs)}.json: is missing: _head/`);
  }
});

test('no manifest that can be read: exit 5, with its key', async () => {
  const { cwd, nodes } = await openPeople();
  const folder = join(cwd, `lake/_manifests/container_nodes/rgn=cn-south-4/prj=${projects[1]}`);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{');
  const { code, runtime } = await nodes('--project', projects[1]);
  expect(code).toBe(5);
  expect(runtime.err()).toContain(`prj=${projects[1]}/`);
  expect((await nodes()).code).toBe(5);
});

test('refuses what cannot be listed, with the reason', async () => {
  const { nodes, timeOf } = await openPeople();
  const messageOf = async (...args: string[]) => {
    const { code, runtime } = await nodes(...args, '--json');
    expect(code).toBe(2);
    return (runtime.json().errors as { message: string }[])[0]?.message;
  };
  expect(await messageOf('--where', 'protect_stat=x')).toBe(
    '--where: there is no column "protect_stat"; did you mean "protect_status"?',
  );
  expect(await messageOf('--at', 'soon')).toBe('--at: "soon" is not a point in time');
  const before = new Date(timeOf(0) - dayMs).toISOString();
  expect(await messageOf('--at', before)).toContain('it has no complete snapshot up to');
  expect(await messageOf('--format', 'csv')).toBe('--format: cannot be combined with --json');
});

test('ends quietly when the reader closes the pipe', async () => {
  const { cwd } = await openPeople();
  const runtime = createTestRuntime({ cwd });
  runtime.stdout.drained = async () => false;
  const args = ['nodes', '--store', 'file:./lake', '--format', 'ndjson'];
  expect(await runProgram(args, runtime)).toBe(0);
  expect(runtime.err()).not.toContain('error');
});

test('rows that were read late in their slot: nodes and history say when, and --at before that warns', async () => {
  const timeMs = Date.UTC(2026, 10, 20);
  const startedAtMs = timeMs + 9.5 * 3_600_000;
  const { store } = await seedStore([{ timeMs, startedAtMs, nodes: { h1: {} } }], dayMs);
  const cwd = createFolder();
  copyToFolder(store, join(cwd, 'lake'));
  const ask = async (...args: string[]) => {
    const { code, runtime } = await call([...args, '--store', 'file:./lake'], { cwd });
    expect(code).toBe(0);
    return runtime;
  };
  const early = await ask('nodes', '--at', '2026-11-20T08:00:00Z');
  expect(early.out()).toMatch(/read from 2026-11-20T09:30:00Z to \d/);
  expect(early.err()).toContain('after the time asked for, so they can show later states');
  for (const late of [['--at', '2026-11-20'], []]) {
    expect((await ask('nodes', ...late)).err()).not.toContain('after the time asked for');
  }
  expect((await ask('history')).out()).toContain('read from 2026-11-20T09:30:00Z to ');
  const startedAt = new Date(startedAtMs).toISOString();
  const shown = (await ask('nodes', '--json')).json();
  expect(shown).toMatchObject({ targets: [{ startedAt, sealedAt: expect.any(String) }] });
});
