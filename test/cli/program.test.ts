// Tests the command line: help, usage errors, internal errors, and how an outcome is printed.

import { describe, expect, test } from 'vitest';
import { commands, printOutcome, reportCrash, runProgram } from '../../lib/cli/program.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { call, createTestRuntime } from './test-runtime.ts';

const names = commands.map(({ name }) => name);
const byFlags = ['--region', '--project', '--endpoint', '--store', '--iam-endpoint', '--api'];
const byStore = ['--store', '--region', '--obs-endpoint', '--path-style'];
/** Options of one command. A command that is not listed has the common ones only. */
const own: Record<string, string[]> = {
  export: ['--account', '--table', '--formats', '--quota-requests', ...byFlags],
  tick: ['--time-limit', ...byFlags],
  plan: ['--probe', ...byFlags],
  status: ['--account', '--table', ...byStore],
  verify: byStore,
  simulate: ['--port', '--nodes', '--flavour', '--quota-mode', '--latency', '--drift', '--fault'],
  demo: ['--out'],
  init: ['--out'],
};

describe('--help', () => {
  test('ends with the folder of the documentation, if this installation has one', async () => {
    const textFor = async (docs?: string) =>
      (await call(['--help'], docs === undefined ? {} : { docs })).runtime.out();
    expect(await textFor('/opt/cgs export/docs')).toMatch(
      /\nDocumentation: \/opt\/cgs export\/docs\n$/,
    );
    expect(await textFor()).not.toContain('Documentation');
  });

  test('lists every command', async () => {
    expect(names).toEqual(expect.arrayContaining(Object.keys(own)));
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

test.each([
  [['verify', '--public-key', ''], '--public-key'],
  [['verify', '--pins='], '--pins'],
  [['evidence', '20261124T060000Z', '--out', ''], '--out'],
  [['keygen', '--out', ''], '--out'],
  [['export', '--store', ''], '--store'],
])('an option with an empty value is an error of usage: %j', async (args, name) => {
  const { code, runtime } = await call([...args, '--json']);
  expect([code, runtime.json().errors]).toMatchObject([
    2,
    [{ code: 'CONFIG', message: `${name}: is empty` }],
  ]);
});

/** What a command needs to come as far as its configuration. */
const required: Record<string, string[]> = {
  node: ['web-1'],
  evidence: ['20261124T060000Z', '--out', 'evidence.zip'],
  report: ['--out', 'report'],
  ddl: ['--engine', 'duckdb'],
  alerts: ['test'],
};
const connecting = commands
  .filter(({ addTargetOptions }) => addTargetOptions)
  .map((one) => one.name);

test.each(connecting)(
  '%s: a hint about the configuration names only its own options',
  async (name) => {
    const { runtime: help } = await call([name, '--help']);
    const options = new Set(help.out().match(/--[a-z-]+/g));
    const faults = [[], ['--config', 'nowhere.yml'], ['--store', './lake'], ['--path-style']];
    for (const args of faults) {
      if (args[0] && !options.has(args[0])) continue;
      const asked = [name, ...(required[name] ?? []), ...args, '--json'];
      const { code, runtime } = await call(asked);
      expect(code, asked.join(' ')).toBe(2);
      const named = JSON.stringify(runtime.json()).match(/--[a-z-]+/g) ?? [];
      expect(
        named.filter((option) => !options.has(option)),
        asked.join(' '),
      ).toEqual([]);
      if (options.has('--store')) expect(named, asked.join(' ')).toContain('--store');
    }
  },
);

test('commands that only read the store have no options of the API', async () => {
  for (const name of ['status', 'history', 'nodes', 'node', 'diff', 'verify']) {
    const { runtime } = await call([name, '--help']);
    expect(runtime.out()).not.toMatch(/--(endpoint|iam-endpoint|api|formats|quota)/);
  }
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

  test.each([
    [
      ['prune', '--store', 'file:./x'],
      /`retention`, so `prune` needs a configuration file.*--config/,
    ],
    [['prune', '--path-style'], /`retention`, so `prune` needs a configuration file/],
    [['doctor', '--probe'], /`doctor` does not have --probe\. Commands that have it: plan\./],
    [
      ['init', '--store=./x'],
      /does not have --store\. Commands that have it: export, tick, .* and \d+ more\./,
    ],
  ])('an option that other commands have: %j says what to use', async (args, hint) => {
    const { code, runtime } = await call(args);
    expect(code).toBe(2);
    expect(runtime.err()).toMatch(/^error: unknown option '--\S+'\n(?:\(Did you mean .*\)\n)? {2}/);
    expect(runtime.err()).toMatch(hint);
    const { runtime: json } = await call([...args, '--json']);
    expect(json.json().errors).toMatchObject([
      { code: 'USAGE', hint: expect.stringMatching(hint) },
    ]);
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

describe('an outcome', () => {
  const errors = [{ code: 'NETWORK', message: 'no route', hint: 'check the cable' }];
  const outcome = { json: { a: 1, errors }, text: 'summary\n' };

  test('is text on stdout, and errors with their hints on stderr, for people', () => {
    const runtime = createTestRuntime({ terminal: true });
    printOutcome(openSession(runtime, createScrubber(), { json: false }), outcome);
    expect(runtime.out()).toBe('summary\n');
    expect(runtime.err()).toBe('error NETWORK: no route\n  check the cable\n');
  });

  test('has no control characters but line feeds, wherever a name came from', () => {
    const runtime = createTestRuntime({ terminal: true });
    const faults = [{ code: 'X', message: 'a\u001b[31m\nb', hint: 'c\u009b\nd' }];
    const text = 'red\u001b[31m\rname\nnext\n';
    printOutcome(openSession(runtime, createScrubber(), { json: false }), {
      ...{ json: { errors: faults }, text },
    });
    expect(runtime.out()).toBe('red\\u001b[31m\\u000dname\nnext\n');
    expect(runtime.err()).toBe('error X: a\\u001b[31m\nb\n  c\\u009b\n  d\n');
  });

  test('is one object on stdout, and log lines on stderr, with --json', () => {
    const runtime = createTestRuntime();
    printOutcome(openSession(runtime, createScrubber(), { json: true }), outcome);
    expect(runtime.json()).toEqual({ a: 1, errors });
    expect(runtime.logs()).toMatchObject([
      { level: 'error', code: 'NETWORK', message: 'no route', hint: 'check the cable' },
    ]);
  });

  test('is printed without secrets, in text and in JSON', () => {
    const scrubber = createScrubber();
    scrubber.add('verysecret');
    for (const json of [true, false]) {
      const runtime = createTestRuntime();
      const text = 'a verysecret summary\n';
      printOutcome(openSession(runtime, scrubber, { json }), { json: { text, errors: [] }, text });
      expect(runtime.out()).toContain('[redacted] summary');
    }
  });
});
