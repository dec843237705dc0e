// Tests the command line: help, usage errors and internal errors.

import { describe, expect, test } from 'vitest';
import { commands, reportCrash, runProgram } from '../../lib/cli/program.ts';
import { call, createTestRuntime } from './test-runtime.ts';

const names = ['export', 'tick', 'plan', 'status', 'verify', 'simulate', 'demo', 'init'];
const byFlags = ['--region', '--project', '--endpoint', '--store', '--iam-endpoint', '--api'];
const own: Record<string, string[]> = {
  export: ['--account', '--table', '--formats', '--quota-requests', ...byFlags],
  tick: ['--time-limit', ...byFlags],
  plan: ['--probe', ...byFlags],
  status: byFlags,
  verify: byFlags,
  simulate: ['--port', '--nodes', '--flavour', '--quota-mode', '--latency', '--drift', '--fault'],
  demo: ['--out'],
  init: ['--out'],
};

describe('--help', () => {
  test('lists every command', async () => {
    expect(commands.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    const { code, runtime } = await call(['--help']);
    expect(code).toBe(0);
    for (const name of names) expect(runtime.out()).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test.each(names)('%s: options, exit codes, variables and examples', async (name) => {
    const { code, runtime } = await call([name, '--help']);
    expect(code).toBe(0);
    const common = ['--config', '--json', '--log-level', '--log-format'];
    for (const option of [...common, ...(own[name] ?? [])]) expect(runtime.out()).toContain(option);
    for (const heading of ['Writes:', 'Exit codes:', 'Environment:', 'Examples:']) {
      expect(runtime.out()).toContain(heading);
    }
    expect(runtime.out()).toContain(`$ cgs-export ${name}`);
    expect(runtime.err()).toBe('');
  });
});

test('--version prints the version', async () => {
  const { code, runtime } = await call(['--version']);
  expect(code).toBe(0);
  expect(runtime.out()).toMatch(/^\d+\.\d+\.\d+/);
});

describe('wrong usage: exit code 2', () => {
  test('prints the help on stderr without a command', async () => {
    const { code, runtime } = await call([]);
    expect(code).toBe(2);
    expect(runtime.out()).toBe('');
    expect(runtime.err()).toContain('Usage: cgs-export');
  });

  test.each([
    [['exprot'], 'Did you mean export?'],
    [['export', '--jsn'], "unknown option '--jsn'"],
    [['export', 'now'], 'too many arguments'],
    [['export', '--region'], 'argument missing'],
    [['export', '--log-level', 'loud'], 'Allowed choices'],
  ])('%j prints a message on stderr', async (args, message) => {
    const { code, runtime } = await call(args);
    expect(code).toBe(2);
    expect(runtime.out()).toBe('');
    expect(runtime.err()).toContain(message);
  });

  test('prints one object and nothing else with --json', async () => {
    const { code, runtime } = await call(['export', '--json', '--nonsense']);
    expect(code).toBe(2);
    expect(runtime.json()).toEqual({
      status: 'failed',
      snapshots: [],
      requests: 0,
      errors: [
        {
          code: 'USAGE',
          message: "unknown option '--nonsense'",
          hint: 'See `cgs-export export --help`.',
        },
      ],
    });
    expect((await call(['plan', '--json', 'x'])).runtime.json()).toMatchObject({
      status: 'failed',
    });
  });

  test('rejects an unknown log level in the environment', async () => {
    const options = { env: { CGS_EXPORT_LOG_LEVEL: 'loud' } };
    const { code, runtime } = await call(['status', '--json'], options);
    expect(code).toBe(2);
    expect(JSON.stringify(runtime.json().errors)).toContain('CGS_EXPORT_LOG_LEVEL');
  });

  test('does not print a key that is given on the command line', async () => {
    const env = { HUAWEICLOUD_SDK_SK: 'very-secret-key-0123456789' };
    for (const json of [[], ['--json']]) {
      const args = ['export', ...json, `--sk=${env.HUAWEICLOUD_SDK_SK}`];
      const { code, runtime } = await call(args, { env });
      expect(code).toBe(2);
      expect(runtime.out() + runtime.err()).not.toContain(env.HUAWEICLOUD_SDK_SK);
    }
  });
});

describe('an internal error: exit code 1', () => {
  test('is reported like every other error', () => {
    const runtime = createTestRuntime();
    expect(reportCrash(['export', '--json'], runtime, new TypeError('x is undefined'))).toBe(1);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      snapshots: [],
      errors: [{ code: 'INTERNAL', message: 'TypeError: x is undefined' }],
    });
    expect(runtime.err()).not.toContain('program.test.ts');
  });

  test('in a command: its stack trace is logged with --log-level debug only', async () => {
    const broken = () => {
      throw new TypeError('x is undefined');
    };
    const quiet = createTestRuntime();
    const loud = createTestRuntime();
    expect(
      await runProgram(['init'], { ...quiet, stdout: { ...quiet.stdout, write: broken } }),
    ).toBe(1);
    expect(quiet.logs()).toMatchObject([{ code: 'INTERNAL' }]);
    const args = ['init', '--log-level', 'debug'];
    expect(await runProgram(args, { ...loud, stdout: { ...loud.stdout, write: broken } })).toBe(1);
    expect(loud.err()).toContain('program.test.ts');
  });
});
