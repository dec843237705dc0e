// Tests the command `plan`: estimates from the store and from the service.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { call, createFolder, exportSome, keyOf, simulate } from './test-runtime.ts';

const slow = ['--quota-requests', '5', '--quota-window-seconds', '60'];

describe('without --probe', () => {
  test('reports an unknown size and sends nothing', async () => {
    const simulator = await simulate();
    const flags = ['--region', 'cn-south-4', '--project', 'p', '--endpoint', simulator.url];
    const args = ['plan', ...flags, '--store', 'file:./lake', ...slow];
    const { code, runtime } = await call([...args, '--json'], { env: keyOf(simulator) });
    expect(code).toBe(0);
    expect(runtime.json()).toMatchObject({
      status: 'ok',
      targets: [{ rows: null, rowsFrom: null, requests: null, minutes: null, quotaShare: null }],
      accounts: [{ account: 'default', requests: null, unknown: 1, fits: null }],
      total: { requests: null, minutes: null, quotaShare: null, unknown: 1, fits: null },
      requestsPerSchedule: 7_200,
      advice: null,
      quota: { requests: 5, windowSeconds: 60 },
      scheduleSeconds: 86_400,
      warnings: [expect.stringContaining('--probe')],
      errors: [],
    });
    const people = await call(args, { env: keyOf(simulator) });
    expect(people.runtime.out()).toContain('unknown');
    expect(people.runtime.out()).toMatch(/^total +1 +1 +unknown +unknown +unknown +unknown\n/m);
    expect(people.runtime.out()).toContain('warning: The size of 1 target is not known');
    expect(simulator.stats().requests).toBe(0);
  });

  test('each dataset is a list with a quota of its own', async () => {
    const cwd = createFolder();
    const targets = ['a', 'b', 'c'].map((letter) => {
      const projectId = letter.repeat(32);
      return `{ region: cn-north-4, projectId: ${projectId}, datasets: [container_nodes, container_clusters] }`;
    });
    const key = '{ ak: AK, sk: "${SK}" }';
    const config = [
      ...['store: file:./lake', 'schedule: 1m', 'quota: { requests: 5, windowSeconds: 60 }'],
      `accounts: [{ name: prod, credentials: ${key}, targets: [${targets.join(', ')}] }]`,
    ].join('\n');
    writeFileSync(join(cwd, 'cgs-export.yml'), config);
    const options = { cwd, env: { SK: 'some-secret' } };
    const { code, runtime } = await call(['plan', '--json'], options);
    expect(code).toBe(0);
    // 6 requests in all, of which 3 are for each list.
    expect(runtime.json()).toMatchObject({
      total: { unknown: 6, busiest: 3, fits: null },
      requestsPerSchedule: 5,
      advice: null,
    });
    const people = await call(['plan'], options);
    expect(people.runtime.out()).toContain(
      'at least 3 of 5 requests per schedule, in the list that needs most\n',
    );
  });

  test('warns about a project id that cannot be one of the service, and sends nothing', async () => {
    const flags = ['--region', 'cn-north-4', '--project', 'abc', '--store', 'file:./lake'];
    const env = { HUAWEICLOUD_SDK_AK: 'AK', HUAWEICLOUD_SDK_SK: 'some-secret' };
    const { code, runtime } = await call(['plan', '--json', ...flags], { env });
    expect(code).toBe(0);
    const warning = '--project: is not 32 hex digits, as project ids are';
    expect(runtime.json()).toMatchObject({
      warnings: [expect.stringContaining(`${warning}. Copy the id`), expect.anything()],
    });
    expect(runtime.err().split(warning)).toHaveLength(2);
    const people = await call(['plan', ...flags], { env });
    expect(people.runtime.out()).toContain(`warning: ${warning}`);
  });

  test('a target whose address is in another region is a fault of the configuration', async () => {
    const flags = ['--region', 'cn-nowhere-9', '--store', 'file:./lake'];
    const endpoint = ['--endpoint', 'https://hss.cn-south-4.myhuaweicloud.com'];
    const env = { HUAWEICLOUD_SDK_AK: 'AK', HUAWEICLOUD_SDK_SK: 'some-secret' };
    const { code, runtime } = await call(['plan', '--json', ...flags, ...endpoint], { env });
    expect(code).toBe(2);
    expect(runtime.json()).toMatchObject({
      errors: [{ message: '--endpoint: is a host of another region' }],
    });
  });

  test('takes the size from the last snapshot', async () => {
    const { cwd, env, flags, simulator } = await exportSome(1, { nodes: 1_000 });
    const sent = simulator.stats().requests;
    const args = ['plan', '--json', ...flags.slice(0, 8), ...slow];
    const { code, runtime } = await call(args, { cwd, env });
    expect(code).toBe(0);
    // 1,000 nodes: a page of 200, then pages of 199. Six pages in two windows, of 7,200 requests per day.
    expect(runtime.json()).toMatchObject({
      targets: [{ rows: 1_000, rowsFrom: 'last snapshot', requests: 6, minutes: 1 }],
      total: { requests: 6, minutes: 1, quotaShare: 0.000833, unknown: 0, fits: true },
      warnings: [],
    });
    expect(simulator.stats().requests).toBe(sent);
  });
});

test('plans all targets although an object of one is damaged, and exits with 5', async () => {
  const { cwd, env, flags, simulator } = await exportSome();
  const pointer = `_head/container_nodes/rgn=${simulator.region}/prj=${simulator.projectId}.json`;
  writeFileSync(join(cwd, 'lake', pointer), '{');
  const { code, runtime } = await call(['plan', '--json', ...flags], { cwd, env });
  expect(code).toBe(5);
  expect(runtime.json()).toMatchObject({
    status: 'failed',
    targets: [{ rows: 30 }],
    errors: [{ code: 'CORRUPT', message: expect.stringContaining(pointer) }],
  });
});

describe('with several accounts', () => {
  /** Accounts `one` with two tables and `two` with one. Only the first table of `one` has a snapshot. */
  async function planTwo(quota: string) {
    const { cwd, simulator, env } = await exportSome(1, { nodes: 1_000 });
    const { region, projectId, url } = simulator;
    const target = (table: string) =>
      `{ table: ${table}, region: ${region}, projectId: ${projectId}, endpoint: "${url}" }`;
    const key = `{ ak: "\${HUAWEICLOUD_SDK_AK}", sk: "\${HUAWEICLOUD_SDK_SK}" }`;
    const account = (name: string, ...tables: string[]) =>
      `  - { name: ${name}, credentials: ${key}, targets: [${tables.map(target).join(', ')}] }`;
    const lines = ['store: file:./lake', `quota: ${quota}`, 'accounts:'];
    lines.push(account('one', 'container_nodes', 'more_nodes'), account('two', 'other_nodes'));
    writeFileSync(join(cwd, 'cgs-export.yml'), `${lines.join('\n')}\n`);
    const json = (await call(['plan', '--json'], { cwd, env })).runtime.json();
    const text = (await call(['plan'], { cwd, env })).runtime.out();
    return { json, text };
  }

  test('an unknown size counts neither in the total nor in that of its account', async () => {
    const { json, text } = await planTwo('{ requests: 5, windowSeconds: 60 }');
    expect(json).toMatchObject({
      targets: [
        { account: 'one', requests: 6 },
        { account: 'one', requests: null },
        { account: 'two', requests: null },
      ],
      accounts: [
        { account: 'one', requests: null, unknown: 1, known: { requests: 6 } },
        { account: 'two', requests: null, unknown: 1, known: { requests: 0 } },
      ],
      total: { requests: null, quotaShare: null, unknown: 2, known: { requests: 6 } },
      warnings: [expect.stringMatching(/2 targets is not known.*cgs-export plan --probe/)],
    });
    expect(text).toMatch(/^one +container_nodes /m);
    expect(text).toMatch(
      /^not known whether it fits: 3 targets of 2 accounts, at least 8 of 7,200 /,
    );
    expect(text).toMatch(/^one +2 +1 +at least 6 /m);
    expect(text).toMatch(/^two +1 +1 +unknown /m);
    expect(text).toMatch(/^total +3 +2 +at least 6 +at least 60 s +at least 0\.083 % +unknown$/m);
  });

  test('more than the quota allows is reported, also if sizes are unknown', async () => {
    // 4 requests per day.
    const { json, text } = await planTwo('{ requests: 1, windowSeconds: 21600 }');
    expect(json.warnings).toEqual([
      expect.stringContaining('needs at least 150 % of the quota'),
      expect.stringContaining('not known'),
    ]);
    expect(text).toMatch(/^does not fit: 3 targets of 2 accounts, at least 8 of 4 requests /);
    expect(text).toMatch(/^total .* at least 150 % +no$/m);
    expect(json).toMatchObject({
      total: { fits: false },
      accounts: [{ fits: false }, { fits: null }],
      // 8 requests or more take two days, and leave too little in less than three. Both accounts have one key, so they
      // cannot be split.
      advice: { scheduleSeconds: 3 * 86_400, configurations: null },
    });
  });
});

test('the advised schedule is the shortest of the usual ones that plan does not warn about', async () => {
  const { cwd, env, flags } = await exportSome(1, { nodes: 1_000 });
  const usual = ['1m', '2m', '3m', '5m', '10m', '15m', '20m', '30m', '1h', '2h'];
  const seconds = [60, 120, 180, 300, 600, 900, 1_200, 1_800, 3_600, 7_200];
  const { region, project, url } = { region: flags[1], project: flags[3], url: flags[5] };
  for (const quota of [
    '{ requests: 1, windowSeconds: 25 }',
    '{ requests: 1, windowSeconds: 120 }',
  ]) {
    const plans: { warnings: string[]; advice: { scheduleSeconds: number } | null }[] = [];
    for (const schedule of usual) {
      const target = `{ region: ${region}, projectId: ${project}, endpoint: "${url}" }`;
      const lines = ['store: file:./lake', `quota: ${quota}`, `schedule: ${schedule}`];
      lines.push(`accounts: [{ name: default, targets: [${target}] }]`);
      writeFileSync(join(cwd, 'cgs-export.yml'), `${lines.join('\n')}\n`);
      plans.push((await call(['plan', '--json'], { cwd, env })).runtime.json() as never);
    }
    const shortest = seconds[plans.findIndex(({ warnings }) => warnings.length === 0)];
    const advised = plans.flatMap(({ advice }) => (advice ? [advice.scheduleSeconds] : []));
    expect(advised.length).toBeGreaterThan(1);
    expect(new Set(advised)).toEqual(new Set([shortest]));
  }
});

describe('--probe', () => {
  test('sends one request, and warns if the schedule allows too little time', async () => {
    const simulator = await simulate({ nodes: 1_000 });
    const flags = ['--region', simulator.region, '--project', simulator.projectId];
    const where = ['--endpoint', simulator.url, '--store', 'file:./lake'];
    const quota = ['--quota-requests', '1', '--quota-window-seconds', '20000'];
    const args = ['plan', '--probe', '--json', ...flags, ...where, ...quota];
    const { code, runtime } = await call(args, { env: keyOf(simulator) });
    expect(code).toBe(0);
    expect(simulator.stats().nodeRequests).toBe(1);
    expect(runtime.json()).toMatchObject({
      targets: [{ rows: 1_000, rowsFrom: 'probe', requests: 6 }],
      warnings: [expect.stringContaining('more than the schedule allows')],
    });
    // A later plan knows the size, and a probe repeated at once does not ask again.
    for (const again of [args, args.filter((arg) => arg !== '--probe')]) {
      const later = await call(again, { env: keyOf(simulator), cwd: runtime.cwd });
      expect(later.runtime.json()).toMatchObject({ targets: [{ rows: 1_000, rowsFrom: 'probe' }] });
    }
    expect(simulator.stats().nodeRequests).toBe(1);
  });

  test('prints the plan and exits with 3 if the key is refused', async () => {
    const simulator = await simulate();
    const flags = ['--region', simulator.region, '--project', simulator.projectId];
    const where = ['--endpoint', simulator.url, '--store', 'file:./lake'];
    const { code, runtime } = await call(['plan', '--probe', '--json', ...flags, ...where], {
      cwd: createFolder(),
      env: { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' },
    });
    expect(code).toBe(3);
    expect(runtime.json()).toMatchObject({ status: 'failed', targets: [{ rows: null }] });
    expect(runtime.json().errors).toHaveLength(1);
  });
});
