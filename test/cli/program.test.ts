import { describe, expect, test } from 'vitest';
import { reportCrash } from '../../lib/cli/program.ts';
import { call, createTestWorld } from './world.ts';

const commands = [
  'export',
  'tick',
  'plan',
  'status',
  'verify',
  'simulate',
  'demo',
  'init',
  'schema',
];
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

describe('--help suffices', () => {
  test('the program names every command', async () => {
    const { code, world } = await call(['--help']);
    expect(code).toBe(0);
    for (const name of commands) expect(world.out()).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test.each(commands)('%s', async (name) => {
    const { code, world } = await call([name, '--help']);
    expect(code).toBe(0);
    const common = ['--config', '--json', '--log-level'];
    for (const option of [...common, ...(own[name] ?? [])]) expect(world.out()).toContain(option);
    for (const heading of ['Writes:', 'Exit codes:', 'Environment:', 'Examples:']) {
      expect(world.out()).toContain(heading);
    }
    expect(world.out()).toContain(`$ cgs-export ${name}`);
    expect(world.err()).toBe('');
  });
});

test('--version', async () => {
  const { code, world } = await call(['--version']);
  expect(code).toBe(0);
  expect(world.out()).toMatch(/^\d+\.\d+\.\d+/);
});

describe('usage: exit 2', () => {
  test('no command: the help, on stderr', async () => {
    const { code, world } = await call([]);
    expect(code).toBe(2);
    expect(world.out()).toBe('');
    expect(world.err()).toContain('Usage: cgs-export');
  });

  test.each([
    [['exprot'], 'Did you mean export?'],
    [['export', '--jsn'], "unknown option '--jsn'"],
    [['export', 'now'], 'too many arguments'],
    [['export', '--region'], 'argument missing'],
    [['export', '--log-level', 'loud'], 'Allowed choices'],
  ])('%j', async (args, said) => {
    const { code, world } = await call(args);
    expect(code).toBe(2);
    expect(world.out()).toBe('');
    expect(world.err()).toContain(said);
  });

  test('with --json: one object, nothing else', async () => {
    const { code, world } = await call(['export', '--json', '--nonsense']);
    expect(code).toBe(2);
    expect(world.json()).toEqual({
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
    expect((await call(['plan', '--json', 'x'])).world.json()).toMatchObject({ status: 'failed' });
  });

  test('a log level in the environment that is none', async () => {
    const options = { env: { CGS_EXPORT_LOG_LEVEL: 'loud' } };
    const { code, world } = await call(['status', '--json'], options);
    expect(code).toBe(2);
    expect(JSON.stringify(world.json().errors)).toContain('CGS_EXPORT_LOG_LEVEL');
  });

  test('a key on the command line is not repeated', async () => {
    const env = { HUAWEICLOUD_SDK_SK: 'very-secret-key-0123456789' };
    for (const json of [[], ['--json']]) {
      const args = ['export', ...json, `--sk=${env.HUAWEICLOUD_SDK_SK}`];
      const { code, world } = await call(args, { env });
      expect(code).toBe(2);
      expect(world.out() + world.err()).not.toContain(env.HUAWEICLOUD_SDK_SK);
    }
  });
});

describe('an error that is ours: exit 1', () => {
  test('told like every other', () => {
    const world = createTestWorld();
    expect(reportCrash(['export', '--json'], world, new TypeError('x is undefined'))).toBe(1);
    expect(world.json()).toMatchObject({
      status: 'failed',
      snapshots: [],
      errors: [{ code: 'INTERNAL', message: 'TypeError: x is undefined' }],
    });
    expect(world.err()).not.toContain('program.test.ts');
  });

  test('from within a command; its stack only when asked for', async () => {
    const broken = () => {
      throw new TypeError('x is undefined');
    };
    const quiet = createTestWorld();
    const loud = createTestWorld();
    const { runProgram } = await import('../../lib/cli/program.ts');
    expect(
      await runProgram(['init'], { ...quiet, stdout: { ...quiet.stdout, write: broken } }),
    ).toBe(1);
    expect(quiet.logs()).toMatchObject([{ code: 'INTERNAL' }]);
    const args = ['init', '--log-level', 'debug'];
    expect(await runProgram(args, { ...loud, stdout: { ...loud.stdout, write: broken } })).toBe(1);
    expect(loud.err()).toContain('program.test.ts');
  });
});
