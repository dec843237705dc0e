// Tests 200 targets of 50 accounts (without CASES=all: a quarter of both) in one configuration through the built CLI: export,
// status, plan and metrics.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';
import { countCases } from '../support/cases.ts';

const accountCount = countCases(50);
const regions = ['cn-north-4', 'cn-south-4', 'cn-east-3', 'ap-southeast-1'];
const targetCount = accountCount * regions.length;
const keyCount = 5;

const nameOf = (account: number) => `account-${String(account).padStart(2, '0')}`;
const projectOf = (account: number, region: number) =>
  // Differs in its last characters only: the start alone would not tell two targets apart.
  `0f1e${(account * regions.length + region + 1).toString(16).padStart(28, '0')}`;

/** Each endpoint accepts one key. The accounts take turns. */
async function startFleet() {
  const moreProjects = Array.from({ length: targetCount }, (_, index) => projectOf(0, index));
  const keys = Array.from({ length: keyCount }, (_, index) => index);
  const endpoints = await Promise.all(
    keys.map((index) =>
      startEndpoint({
        ...{ ak: `FLEETACCESSKEY00000${index}`, sk: `fleet-secret-key-number-${index}` },
        ...{ nodes: 5 + index, seed: index + 1, moreProjects },
      }),
    ),
  );
  const cwd = createFolder();
  const accounts = Array.from({ length: accountCount }, (_, account) => {
    const { url, script } = endpoints[account % keyCount] as (typeof endpoints)[number];
    const address = { endpoint: url, iamEndpoint: url, api: 'hss' };
    return {
      name: nameOf(account),
      credentials: { ak: script.ak, sk: script.sk },
      targets: regions.map((region, index) => {
        return { region, projectId: projectOf(account, index), ...address };
      }),
    };
  });
  const write = (quota: object) =>
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      JSON.stringify({
        store: 'file:./lake',
        schedule: '6h',
        formats: ['parquet'],
        quota,
        accounts,
      }),
    );
  return { cwd, write };
}

const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test(`${targetCount} targets are exported, and status and plan of them fit a terminal of 100 columns`, async () => {
  const { cwd, write } = await startFleet();
  write({ requests: 10_000, windowSeconds: 1 });
  const exported = await runCli(['export', '--json'], { cwd });
  expectCode(exported, 0);
  expect(readJson(exported).snapshots).toHaveLength(targetCount);
  const schedule = readTree(join(cwd, 'lake')).get('_runs/schedule.json');
  expect(schedule?.length).toBeLessThan(150_000);

  // From here on with the quota of the service: 1,800 requests per schedule of 6 h.
  write({ requests: 5, windowSeconds: 60 });
  const narrow = { cwd, env: { COLUMNS: '100' } };
  const status = await runCli(['status', '--check'], narrow);
  expectCode(status, 0);
  const [first, second] = status.out.split('\n');
  expect(first).toContain(`${targetCount} targets of ${accountCount} accounts in file:`);
  expect(second).toBe(`${targetCount} sealed, 0 due`);
  expect(status.out.match(/^account-\d\d .* complete .* up to date$/gm)).toHaveLength(targetCount);
  expect(widest(status.out)).toBeLessThanOrEqual(100);
  const json = readJson<{ summary: object; targets: object[] }>(
    await runCli(['status', '--json'], { cwd }),
  );
  expect(json.summary).toMatchObject({
    ...{ targets: targetCount, accounts: accountCount, sealed: targetCount },
    slotMissed: 0,
  });
  expect(json.targets).toHaveLength(targetCount);
  const metrics = await runCli(['status', '--format', 'prometheus'], { cwd });
  expect(metrics.out.match(/^cgs_export_slot_missed\{.*\} 0$/gm)).toHaveLength(targetCount);

  const plan = await runCli(['plan'], narrow);
  expectCode(plan, 0);
  const [fits = ''] = plan.out.split('\n');
  expect(fits).toBe(
    `fits: ${targetCount} targets of ${accountCount} accounts, ${targetCount} of 1,800 requests per schedule`,
  );
  expect(plan.out).toMatch(new RegExp(`^total +${targetCount} +0 +${targetCount} .* yes$`, 'm'));
  expect(plan.out.match(/^account-\d\d +4 +0 +4 .* yes$/gm)).toHaveLength(accountCount);
  expect(widest(plan.out)).toBeLessThanOrEqual(100);
  // Lines in a pipe are not cut unless COLUMNS says so: programs look for names in them.
  for (const command of ['status', 'plan']) {
    const fitted = await runCli([command], { cwd, env: { COLUMNS: '80' } });
    expect(widest(fitted.out)).toBeLessThanOrEqual(80);
    const whole = await runCli([command], { cwd });
    expect(
      whole.out.match(/^account-\d\d {2}container_nodes .*0f1e0{20,}[0-9a-f]+ .*$/gm),
    ).toHaveLength(targetCount);
  }
  const planned = readJson<{ targets: object[]; total: object }>(
    await runCli(['plan', '--json'], { cwd }),
  );
  expect(planned.targets).toHaveLength(targetCount);
  expect(planned.total).toMatchObject({ requests: targetCount, unknown: 0, fits: true });

  // Half as many requests as targets: it does not fit, and the accounts can be split.
  write({ requests: 1, windowSeconds: Math.round((2 * 6 * 3_600) / targetCount) });
  const overbooked = await runCli(['plan', '--json'], { cwd });
  expectCode(overbooked, 0);
  const { total, advice } = readJson<{ total: object; advice: { configurations: string[][] } }>(
    overbooked,
  );
  expect(total).toMatchObject({ fits: false });
  // The whole quota of 12 hours would leave nothing for pages that are read again.
  expect(advice).toMatchObject({ scheduleSeconds: 24 * 3_600 });
  expect(advice.configurations.flat()).toHaveLength(accountCount);
  expect(advice.configurations.length).toBeGreaterThan(1);
});
