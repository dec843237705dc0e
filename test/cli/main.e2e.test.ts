// Tests the built file as a process: exit codes, signals and pipes.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { someCases } from '../support/cases.ts';
import { createFolder, flagsFor, keyOf, simulate } from './test-runtime.ts';

const cli = join(import.meta.dirname, '..', '..', 'dist', 'cli.js');

beforeAll(() => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
});

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

function start(args: readonly string[], options: { cwd: string; env?: Record<string, string> }) {
  const { PATH = '' } = process.env;
  const child: ChildProcess = spawn(process.execPath, [cli, ...args], {
    cwd: options.cwd,
    env: { PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, ...texts }));
  });
  return { child, ended, texts };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('exits with the code of the outcome, and prints one JSON object on stdout', async () => {
  const cwd = createFolder();
  const [version, usage, missing] = await Promise.all([
    start(['--version'], { cwd }).ended,
    start(['export', '--nonsense'], { cwd }).ended,
    start(['export', '--json'], { cwd }).ended,
  ]);
  expect(version).toMatchObject({ code: 0, err: '' });
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(usage).toMatchObject({ code: 2, out: '' });
  expect(missing.code).toBe(2);
  expect(JSON.parse(missing.out)).toMatchObject({ status: 'failed' });
});

describe('signals', () => {
  test('SIGINT ends an export with exit code 4, and the same command completes it', async () => {
    const simulator = await simulate({ nodes: 700 });
    const options = { cwd: createFolder(), env: keyOf(simulator) };
    const flags = flagsFor(simulator).slice(0, 8);
    const pace = ['--quota-requests', '2', '--quota-window-seconds', '1.5'];
    const args = ['export', '--json', ...flags, ...pace];
    const first = start(args, options);
    await until(() => simulator.stats().pages === 2);
    first.child.kill('SIGINT');
    const paused = await first.ended;
    expect(paused).toMatchObject({ code: 4, signal: null });
    expect(JSON.parse(paused.out)).toMatchObject({ status: 'paused' });
    expect(paused.err).toContain('Run the same command again');
    const done = await start(args, options).ended;
    expect(done.code).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({ snapshots: [{ rows: 700, verdict: 'complete' }] });
    expect(simulator.stats().throttled).toBe(0);
  });

  test('SIGINT ends a request to IAM at once with exit code 4', async () => {
    const simulator = await simulate({ latencyMs: { min: 20_000, max: 20_000 } });
    const where = ['--region', simulator.region, '--endpoint', simulator.url];
    const args = ['export', ...where, '--store', 'file:./lake'];
    const { child, ended } = start(args, { cwd: createFolder(), env: keyOf(simulator) });
    await until(() => simulator.stats().requests === 1);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 4, signal: null });
  });

  test('SIGTERM ends the simulator with exit code 0', async () => {
    const { child, ended, texts } = start(['simulate', '--json'], { cwd: createFolder() });
    await until(() => texts.out !== '');
    child.kill('SIGTERM');
    const { code, out, err } = await ended;
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(out))).toEqual(['url', 'ak', 'sk', 'projectId']);
    expect(err).toContain('"simulator stopped"');
  });
});

describe('a full disk under stdout', () => {
  test.each(
    someCases([
      ['keygen', []],
      ['keygen', ['--json']],
      ['schema', []],
      ['verify', ['--store', 'file:./lake', '--help']],
      ['--version', []],
    ]),
  )('is exit code 1 with a message on stderr: %s %j', (command, args) => {
    const { PATH = '' } = process.env;
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [cli, command, ...args], {
      cwd: createFolder(),
      env: { PATH },
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status).toBe(1);
    const [line, ...more] = stderr.trim().split('\n');
    expect(more).toEqual([]);
    expect(JSON.parse(line ?? '')).toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining('ENOSPC'),
    });
  });
});

test('completes the export when the reader of stdout closes the pipe', async () => {
  const simulator = await simulate({ nodes: 30 });
  const cwd = createFolder();
  const { child, ended } = start(['export', ...flagsFor(simulator)], {
    cwd,
    env: keyOf(simulator),
  });
  child.stdout?.destroy();
  const { code, err } = await ended;
  expect(code).toBe(0);
  expect(err).not.toContain('EPIPE');
  expect(existsSync(join(cwd, 'lake', '_latest'))).toBe(true);
});

describe('in a folder that was deleted', () => {
  const runThere = (...args: string[]) => {
    const { PATH = '' } = process.env;
    const program = ['-c', 'rmdir "$PWD" && exec "$@"', 'sh', process.execPath, cli, ...args];
    const options = { cwd: createFolder(), env: { PATH }, encoding: 'utf8' } as const;
    return spawnSync('sh', program, options);
  };

  test.each([[['plan']], [['verify', '--store', 'file:./lake']], [['--help']]])(
    '%j ends with exit code 2 and one line',
    (args) => {
      const { status, stdout, stderr } = runThere(...args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(stderr)).toMatchObject({
        code: 'CONFIG',
        hint: expect.stringContaining('cd'),
      });
    },
  );

  test('--json also prints the failure', () => {
    const { status, stdout } = runThere('plan', '--json');
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', errors: [{ code: 'CONFIG' }] });
  });
});
