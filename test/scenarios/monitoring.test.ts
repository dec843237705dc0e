// Tests what an operator of several accounts sees, with the built program and an endpoint in another process: turns of targets,
// accounts in every output, why a target is held, and what `status --check` finds.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  createFolder,
  type Endpoint,
  expectCode,
  findObject,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';

interface TargetJson {
  account: string;
  table: string;
  missedSlots: number;
  problems: { kind: string; code: string | null }[];
}

/** An account for each name, with one table of the same name. `keys`: names of the variables of its key. */
function writeConfig(
  cwd: string,
  { url, script }: Endpoint,
  names: readonly string[],
  settings: string,
  keyOfAccount: (name: string) => string = () => 'GOOD',
): void {
  const accounts = names.map(
    (name) => `  - name: ${name}
    credentials: { ak: "\${${keyOfAccount(name)}_AK}", sk: "\${${keyOfAccount(name)}_SK}" }
    targets: [{ table: ${name}_nodes, region: ${script.region}, projectId: ${script.projectId}, endpoint: "${url}" }]
`,
  );
  writeFileSync(
    join(cwd, 'cgs-export.yml'),
    `store: file:./lake\n${settings}\naccounts:\n${accounts.join('')}`,
  );
}

function variablesOf(endpoint: Endpoint): Record<string, string> {
  const { HUAWEICLOUD_SDK_AK: ak = '', HUAWEICLOUD_SDK_SK: sk = '' } = keyOf(endpoint);
  return { GOOD_AK: ak, GOOD_SK: sk, BAD_AK: 'BADACCESSKEY00000000', BAD_SK: 'x'.repeat(40) };
}

const logLines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('8 targets of 5 requests share 25 requests per slot in turn, and missed slots are counted', async () => {
  const endpoint = await startEndpoint({ nodes: 900 });
  const names = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8'];
  const options = { cwd: createFolder(), env: variablesOf(endpoint) };
  const settings = 'schedule: 6s\nformats: [parquet]\nquota: { requests: 25, windowSeconds: 6 }';
  writeConfig(options.cwd, endpoint, names, settings);
  const sealed: string[] = [];
  const missed = new Map<string, number>();
  const warned: string[] = [];
  const endMs = performance.now() + 80_000;
  while (sealed.length < 16 && performance.now() < endMs) {
    const ended = await runCli(['tick', '--json', '--time-limit', '20'], options);
    expectCode(ended, 0);
    sealed.push(...readJson(ended).snapshots.map(({ account }) => account));
    for (const { level, message, account, slot, missedSlots } of logLines(ended.err)) {
      if (!String(message).includes('without a snapshot')) continue;
      expect(level).toBe('warn');
      warned.push(`${account} ${slot}`);
      missed.set(String(account), Number(missedSlots));
    }
    await delay(200);
  }
  expect(sealed.slice(0, 16)).toEqual([...names, ...names]);
  expect(warned.length).toBeGreaterThan(0);
  expect(new Set(warned).size).toBe(warned.length);
  const { targets } = readJson<{ targets: TargetJson[] }>(
    await runCli(['status', '--json'], options),
  );
  expect(targets.map(({ account }) => account)).toEqual(names);
  for (const { account, missedSlots } of targets) {
    // A slot may have passed since the last tick.
    expect(missedSlots).toBeGreaterThanOrEqual(missed.get(account) ?? 0);
  }
});

describe('three accounts, one with a wrong key', () => {
  let endpoint: Endpoint;
  let options: { cwd: string; env: Record<string, string> };
  beforeAll(async () => {
    endpoint = await startEndpoint({ nodes: 30 });
    options = { cwd: createFolder(), env: variablesOf(endpoint) };
    const settings = 'quota: { requests: 1000, windowSeconds: 1 }';
    const keyOfAccount = (name: string) => (name === 'bad' ? 'BAD' : 'GOOD');
    writeConfig(options.cwd, endpoint, ['one', 'two', 'bad'], settings, keyOfAccount);
  });

  test('a tick names the account of each snapshot and of each error, and prints each error once', async () => {
    const ended = await runCli(['tick', '--json'], options);
    expectCode(ended, 3);
    const { snapshots, errors } = readJson(ended);
    expect(snapshots.map(({ account }) => account)).toEqual(['one', 'two']);
    expect(errors).toMatchObject([
      { code: 'REFUSED', message: expect.stringMatching(/^bad_nodes\/.* \(account bad, run /) },
    ]);
    const shown = logLines(ended.err).filter(({ code }) => code === 'REFUSED');
    expect(shown).toHaveLength(1);
    const named = logLines(ended.err).filter(({ target }) => target !== undefined);
    expect(named.length).toBeGreaterThan(3);
    for (const line of named)
      expect(`${line.account}_nodes`).toBe(String(line.target).split('/')[0]);
  });

  test('the next tick says what is held, why and until when', async () => {
    const people = await runCli(['tick'], options);
    expectCode(people, 0);
    expect(people.out).toMatch(/^held until 20\S+Z: bad bad_nodes /);
    expect(people.out).toMatch(/since 20\S+Z \(1 in a row\): REFUSED: /);
    expect(people.out).toMatch(/\nidle, 0 requests: .*; the next slot begins at 20\S+Z\n$/);
  });

  test('plan, status and the store itself name every account; --check exits with 7', async () => {
    const plan = await runCli(['plan'], options);
    for (const name of ['one', 'two', 'bad']) {
      expect(plan.out).toMatch(new RegExp(`^${name} +${name}_nodes`, 'm'));
    }
    expect(plan.out).toMatch(/^total .* at least 2 /m);
    const good = await runCli(['status'], options);
    expectCode(good, 0);
    const checked = await runCli(['status', '--check', '--problems', '--json'], options);
    expectCode(checked, 7);
    expect(readJson<{ targets: TargetJson[] }>(checked).targets).toMatchObject([
      { account: 'bad', problems: [{ kind: 'held', code: 'REFUSED' }, { kind: 'never sealed' }] },
    ]);
    const stored = await runCli(['status', '--store', 'file:./lake', '--json'], options);
    expect(
      readJson<{ targets: TargetJson[] }>(stored).targets.map(({ account }) => account),
    ).toEqual(['bad', 'one', 'two']);
    const metrics = await runCli(['status', '--format', 'prometheus'], options);
    expect(metrics.out).toMatch(/^cgs_export_held\{account="bad",[^}]*\} 1$/m);
  });

  test('a damaged manifest and a mistyped folder', async () => {
    const key = findObject(join(options.cwd, 'lake'), /^_manifests\/two_nodes\/.*\.json$/);
    writeFileSync(join(options.cwd, 'lake', key), '{');
    const status = await runCli(['status'], options);
    expectCode(status, 0);
    expect(status.out).toMatch(/^one +one_nodes .* complete +30 /m);
    expect(status.out).toMatch(/unreadable: CORRUPT: _manifests\/two_nodes\//);
    expectCode(await runCli(['status', '--check', '--account', 'one'], options), 0);
    expectCode(await runCli(['status', '--check', '--account', 'two'], options), 7);
    const typo = await runCli(['status', '--store', 'file:./typo'], options);
    expectCode(typo, 2);
    expect(typo.err).toMatch(/the folder \S+typo does not exist/);
  });
});
