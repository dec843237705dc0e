// Tests that every command of the built file behaves as documented, and that stdout is either one JSON object or text.
// Method: the commands create the stores; the endpoint counts the requests.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { commands } from '../../lib/cli/program.ts';
import { startAlertReceiver } from '../support/alert-receiver.ts';
import { someCases } from '../support/cases.ts';
import {
  ampleQuota,
  cli,
  createFolder,
  type Ended,
  expectCode,
  flagsFor,
  keyOf,
  type Output,
  type Quota,
  readJson,
  runCli,
  startCli,
  startEndpoint,
  startProcess,
  until,
} from './processes.ts';

const names = commands.map(({ name }) => name);

/** Every line on stderr must be a log line. */
function expectLogLines({ err }: Ended): void {
  for (const line of err.split('\n').filter((one) => one !== '')) {
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), time: expect.any(String) });
  }
}

describe.concurrent('help', () => {
  test.each(names)(
    '%s --help prints the exit codes to stdout and exits with 0',
    async (command) => {
      const ended = await runCli([command, '--help'], { cwd: createFolder() });
      expectCode(ended, 0);
      expect(ended.err).toBe('');
      expect(ended.out).toMatch(/Exit codes:/);
      expect(ended.out).toMatch(/--json/);
    },
  );

  test('--help names every command; a reader that closes the pipe after one byte causes no crash', async () => {
    const cwd = createFolder();
    const ended = await runCli(['--help'], { cwd });
    expectCode(ended, 0);
    for (const name of names) expect(ended.out).toContain(name);
    const endpoint = await startEndpoint({ nodes: 30 });
    const flags = flagsFor(endpoint).join(' ');
    for (const line of ['--help', 'export --help', `export ${flags}`, `export --json ${flags}`]) {
      const script = `set -o pipefail; '${process.execPath}' '${cli}' ${line} | head -c 1`;
      const piped = await startProcess('bash', ['-c', script], { cwd, env: keyOf(endpoint) }).ended;
      expectCode(piped, 0);
      expect(piped.out).toHaveLength(1);
      expectLogLines(piped);
    }
  });
});

describe.concurrent('--json after a failure', () => {
  test.each(
    someCases([
      ['export', 2, ['export']],
      ['tick', 2, ['tick']],
      ['plan', 2, ['plan']],
      ['status', 2, ['status']],
      ['verify', 2, ['verify']],
      ['simulate', 2, ['simulate', '--latency', 'slow']],
      ['demo', 3, ['demo', '--out', 'file/below']],
      ['init', 2, ['init', '--out', 'file/below']],
      ['an unknown command', 2, ['exprot']],
    ] as [string, number, string[]][]),
  )('%s exits with %i and prints one JSON object', async (_name, code, args) => {
    const cwd = createFolder();
    // A file where a folder is needed.
    writeFileSync(join(cwd, 'file'), '');
    const ended = await runCli([...args, '--json'], { cwd });
    expectCode(ended, code);
    const output = readJson(ended);
    expect(output.status).toBe('failed');
    expect(output.errors.length).toBeGreaterThan(0);
    expectLogLines(ended);
  });
});

describe.concurrent('the commands', () => {
  test('plan, tick, status and verify work with one configuration', async () => {
    const endpoint = await startEndpoint({ nodes: 1_000, latencyMs: { min: 5, max: 20 } });
    // One request fewer than the list has pages. The window is longer than a tick takes, even on a busy machine, so
    // that no slot becomes free during one.
    const quota: Quota = { requests: 5, windowSeconds: 10 };
    const { region, projectId } = endpoint.script;
    const cwd = createFolder();
    const target = `{ region: ${region}, projectId: ${projectId}, endpoint: "${endpoint.url}" }`;
    const writeConfig = ({ requests, windowSeconds }: Quota) =>
      writeFileSync(
        join(cwd, 'cgs-export.yml'),
        `store: file:./lake
schedule: 1d
quota: { requests: ${requests}, windowSeconds: ${windowSeconds} }
accounts: [{ name: prod, targets: [${target}] }]
`,
      );
    writeConfig(quota);
    const options = { cwd, env: keyOf(endpoint) };
    const call = async <T = Output>(args: string[], code = 0): Promise<T> => {
      const ended = await runCli([...args, '--json'], options);
      expectCode(ended, code);
      expectLogLines(ended);
      return readJson<T>(ended);
    };
    const sent = async () => (await endpoint.report()).servings.length;

    expect(await call<object>(['plan'])).toMatchObject({
      status: 'ok',
      targets: [{ rows: null, requests: null }],
      warnings: [expect.stringContaining('--probe')],
    });
    expect(await sent()).toBe(0);
    expect(await call<object>(['plan', '--probe'])).toMatchObject({
      targets: [{ rows: 1_000, rowsFrom: 'probe', requests: 6 }],
      warnings: [],
    });
    expect(await sent()).toBe(1);
    expect((await endpoint.report()).servings[0]).toMatchObject({ offset: 0, limit: 10 });

    expect(await call<object>(['status'])).toMatchObject({
      status: 'ok',
      targets: [{ last: null, open: null, due: true }],
    });
    const ticked = await call(['tick']);
    expect(ticked).toMatchObject({ status: 'paused', snapshots: [], errors: [] });
    expect(ticked.requests).toBeLessThanOrEqual(quota.requests);
    expect(await call<object>(['status'])).toMatchObject({
      targets: [{ open: { phase: 'collecting', total: 1_000 } }],
    });
    // Nothing is sealed yet, so there is nothing to verify.
    await call(['verify'], 2);
    let ended = ticked;
    for (let ticks = 0; ended.status === 'paused' && ticks < 10; ticks += 1) {
      await delay(quota.windowSeconds * 1_000);
      ended = await call(['tick']);
    }
    expect(ended).toMatchObject({ status: 'sealed', snapshots: [{ rows: 1_000 }] });
    expect(await call<object>(['tick'])).toMatchObject({ status: 'idle', requests: 0 });
    expect(await call<object>(['status'])).toMatchObject({
      targets: [{ open: null, due: false, last: { rows: 1_000, verdict: 'complete' } }],
    });
    expect(await call<object>(['plan'])).toMatchObject({
      targets: [{ rows: 1_000, rowsFrom: 'last snapshot', requests: 6 }],
    });
    expect(await call<object>(['verify'])).toMatchObject({
      status: 'verified',
      manifests: 1,
      parts: 2,
      faults: [],
    });
    expect(await sent()).toBe(1 + Math.ceil(999 / 199));

    // --table selects; an unknown table is a usage error.
    writeConfig(ampleQuota);
    await call(['export', '--table', 'nodes'], 2);
    expect((await call(['export', '--table', 'container_nodes'])).snapshots).toHaveLength(1);
    expect(await call<object>(['verify'])).toMatchObject({ manifests: 2, faults: [] });
  }, 240_000);

  test('plan warns when the pages need more time than the schedule allows', async () => {
    const endpoint = await startEndpoint({ totalNum: 1_900_000 });
    const cwd = createFolder();
    const { region, projectId } = endpoint.script;
    const target = `{ region: ${region}, projectId: ${projectId}, endpoint: "${endpoint.url}" }`;
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      `store: file:./lake\nschedule: 1d\naccounts: [{ name: prod, targets: [${target}] }]\n`,
    );
    const ended = await runCli(['plan', '--probe', '--json'], { cwd, env: keyOf(endpoint) });
    expectCode(ended, 0);
    expect(readJson<object>(ended)).toMatchObject({
      targets: [{ rows: 1_900_000, requests: 9_548 }],
      warnings: [expect.stringMatching(/more than the schedule allows/)],
    });
  });

  test('simulate prints its address, serves nodes to export and exits with 0 on SIGTERM', async () => {
    const cwd = createFolder();
    const simulator = startCli(['simulate', '--json', '--nodes', '250'], { cwd });
    await until(() => simulator.texts.out.includes('\n'), 'the address');
    const address = JSON.parse(simulator.texts.out) as Record<string, string>;
    expect(Object.keys(address)).toEqual(['url', 'ak', 'sk', 'projectId']);
    const ended = await runCli(
      [
        ...['export', '--json', '--region', 'cn-south-4', '--project', address.projectId ?? ''],
        ...['--endpoint', address.url ?? '', '--store', 'file:./lake'],
      ],
      { cwd, env: { HUAWEICLOUD_SDK_AK: address.ak ?? '', HUAWEICLOUD_SDK_SK: address.sk ?? '' } },
    );
    expectCode(ended, 0);
    expect(readJson(ended).snapshots).toMatchObject([{ rows: 250, verdict: 'complete' }]);
    simulator.child.kill('SIGTERM');
    expectCode(await simulator.ended, 0);
  });

  test('init writes a configuration that is valid with its variables set, and never overwrites a file', async () => {
    const cwd = createFolder();
    const written = await runCli(['init', '--json'], { cwd });
    expectCode(written, 0);
    const file = join(cwd, 'cgs-export.yml');
    expect(readJson<object>(written)).toMatchObject({ status: 'written', file, errors: [] });
    const text = readFileSync(file, 'utf8');
    const again = await runCli(['init'], { cwd });
    expectCode(again, 2);
    expect(again.out).toBe('');
    expect(readFileSync(file, 'utf8')).toBe(text);
    const unset = await runCli(['plan', '--json'], { cwd });
    expectCode(unset, 2);
    expect(
      readJson(unset)
        .errors.map(({ hint }) => hint)
        .join(),
    ).toContain('HUAWEICLOUD_SDK_AK');
    const env = {
      HUAWEICLOUD_SDK_AK: 'SOMEACCESSKEY0000000',
      HUAWEICLOUD_SDK_SK: 'some-secret-key',
    };
    expectCode(await runCli(['plan'], { cwd, env }), 0);
    // The configuration is valid without the variables, but nothing was exported yet.
    const before = await runCli(['status', '--json'], { cwd });
    expectCode(before, 2);
    expect(readJson(before).errors).toMatchObject([
      { message: `store: the folder ${join(cwd, 'export')} does not exist` },
    ]);
    mkdirSync(join(cwd, 'export'));
    expectCode(await runCli(['status'], { cwd }), 0);
  });

  test('demo exports three times, verifies, writes a report and shows how to query', async () => {
    const cwd = createFolder();
    const ended = await runCli(['demo', '--json'], { cwd });
    expectCode(ended, 0);
    const output = readJson<
      Output & { out: string; report: string; queries: Record<string, string> }
    >(ended);
    expect(output).toMatchObject({ status: 'sealed', out: join(cwd, 'demo-out') });
    expect(readFileSync(output.report, 'utf8')).toContain('<!DOCTYPE html>');
    const names = ['nodes', 'diff', 'verify', 'status', 'ddl', 'duckdb'];
    expect(Object.keys(output.queries)).toEqual(names);
    const verified = await runCli(['verify', '--store', 'file:./demo-out'], { cwd });
    expectCode(verified, 0);
    expect(verified.out).toContain('verified: 3 manifests');
    expect(verified.out + verified.err).not.toMatch(/warn|unnamed/i);
  });

  test('alerts test delivers a marked alert', async () => {
    const endpoint = await startEndpoint();
    const { script } = endpoint;
    const receiver = await startAlertReceiver(script);
    const cwd = createFolder();
    const text = `store: file:./lake
alerts: { webhook: { url: "\${HOOK_URL}", secret: "\${HOOK_SECRET}" } }
accounts: [{ name: prod, targets: [{ region: ${script.region}, projectId: ${script.projectId} }] }]
`;
    writeFileSync(join(cwd, 'cgs-export.yml'), text);
    const env = { ...keyOf(endpoint), HOOK_URL: receiver.url, HOOK_SECRET: receiver.secret };
    const ended = await runCli(['alerts', 'test'], { cwd, env });
    await receiver.close();
    expectCode(ended, 0);
    expect(ended.out).toBe('webhook: a test alert was delivered\n');
    expect(receiver.accepted).toMatchObject([{ rule: 'test', state: 'event' }]);
  });
});
