// Tests the command `doctor`: its text, its JSON and its exit code. test/scenarios/doctor.test.ts tries each fault.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import {
  call,
  createFolder,
  createTestRuntime,
  flagsFor,
  keyOf,
  simulate,
} from './test-runtime.ts';

test('prints one line per check, the hint below it, and the counts', async () => {
  const simulator = await simulate({ nodes: 30 });
  const args = ['doctor', ...flagsFor(simulator), '--enterprise-project', '0'];
  const { code, runtime } = await call(args, { env: keyOf(simulator) });
  expect(code).toBe(0);
  const lines = runtime.out().split('\n');
  expect(lines[0]).toMatch(/^ok +configuration +1 target, store file:/);
  const warned = lines.findIndex((line) => /^warning +enterprise-project /.test(line));
  expect(lines[warned]).toMatch(/container_nodes\/rgn=cn-south-4\/prj=\w+ \(account default\): /);
  expect(lines[warned + 1]).toMatch(/^ {9}→ Set enterpriseProjectId/);
  expect(lines.at(-2)).toMatch(/^0 failed, \d warnings?, \d skipped, \d+ ok$/);
  expect(runtime.logs()).toMatchObject([
    { level: 'info', message: expect.stringMatching(/at most 4 requests.*50 requests per 1 s/) },
  ]);
});

test('with --json prints every check and, as errors, the failed ones', async () => {
  const simulator = await simulate({ sk: 'another-secret-key-0123456789' });
  const args = ['doctor', '--json', ...flagsFor(simulator)];
  const env = { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'a-wrong-secret-key-0123456789' };
  const { code, runtime } = await call(args, { env });
  expect(code).toBe(3);
  const { status, checks, errors } = runtime.json() as {
    [name: string]: unknown;
    checks: Record<string, unknown>[];
  };
  expect(status).toBe('failed');
  const fields = ['check', 'target', 'account', 'status', 'code', 'message', 'hint'];
  for (const check of checks) expect(Object.keys(check)).toEqual(fields);
  const failed = checks.filter((check) => check.status === 'failed');
  expect(failed).toMatchObject([{ check: 'sign-in', account: 'default', code: 'REFUSED' }]);
  const [{ code: errorCode, message, hint } = {}] = failed;
  expect(errors).toEqual([{ code: errorCode, message, hint }]);
});

test('the exit code is the worst: a configuration fault before a refused key', async () => {
  const simulator = await simulate();
  const { url, region, projectId, ak } = simulator;
  const cwd = createFolder();
  const target = { region, endpoint: url, projectId };
  const config = {
    store: 'file:./lake',
    accounts: [
      { name: 'a', credentials: { ak, sk: 'a-wrong-secret-key-0123456789' }, targets: [target] },
      { name: 'b', credentials: { ak: '${NOT_SET}', sk: 'x' }, targets: [target] },
    ],
  };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
  const { code, runtime } = await call(['doctor', '--json'], { cwd });
  expect(code).toBe(2);
  const { checks } = runtime.json() as { checks: { check: string; status: string }[] };
  const failed = checks.filter(({ status }) => status === 'failed').map(({ check }) => check);
  expect([...new Set(failed)]).toEqual(['configuration', 'sign-in']);
});

test('picks targets like other commands, and says if there are none', async () => {
  const cwd = createFolder();
  const config = {
    store: 'file:./lake',
    accounts: [
      { name: 'a', credentials: { ak: 'x', sk: 'y' }, targets: [{ region: 'cn-north-4' }] },
    ],
  };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
  const { code, runtime } = await call(['doctor', '--json', '--account', 'b'], { cwd });
  expect(code).toBe(2);
  expect(runtime.json()).toMatchObject({
    checks: [
      { check: 'configuration', status: 'failed', message: expect.stringContaining('--account') },
      { check: 'doctor', status: 'skipped' },
    ],
  });
});

test('a stop keeps what was found, and exits with 4', async () => {
  const runtimes: { raise(name: 'SIGINT'): void }[] = [];
  const simulator = await simulate({ beforePage: () => runtimes[0]?.raise('SIGINT') });
  const runtime = createTestRuntime({ env: keyOf(simulator) });
  runtimes.push(runtime);
  const code = await runProgram(['doctor', '--json', ...flagsFor(simulator)], runtime);
  expect(code).toBe(4);
  const { checks } = runtime.json() as { checks: { check: string; status: string }[] };
  expect(checks.map(({ check }) => check)).toContain('store-delete');
  expect(checks.at(-1)).toMatchObject({ check: 'doctor', status: 'failed', code: 'STOPPED' });
});
