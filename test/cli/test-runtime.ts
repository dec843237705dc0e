// Responsible for running commands in the test's own process: with captured output, temporary folders and the simulator.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import type { CommandRuntime, SignalName } from '../../lib/cli/session.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';

export interface TestRuntime extends CommandRuntime {
  out(): string;
  err(): string;
  /** The one JSON object on stdout. Throws if stdout holds anything else. */
  json(): Record<string, unknown>;
  /** The log lines on stderr. */
  logs(): Record<string, unknown>[];
  raise(name: SignalName): void;
  exits: number[];
}

export function createTestRuntime(
  options: {
    env?: CommandRuntime['env'];
    cwd?: string;
    terminal?: boolean;
    docs?: string;
    every?: CommandRuntime['every'];
  } = {},
): TestRuntime {
  const texts = { out: '', err: '' };
  const listeners = new Set<(name: SignalName) => void>();
  const exits: number[] = [];
  const { terminal = false } = options;
  return {
    env: options.env ?? {},
    cwd: options.cwd ?? createFolder(),
    program: 'cgs-export',
    docs: options.docs ?? null,
    stdout: {
      write(text) {
        texts.out += text;
      },
      drained: async () => true,
      isTerminal: terminal,
      columns: () => 100,
    },
    stderr: {
      write(text) {
        texts.err += text;
      },
      drained: async () => true,
      isTerminal: terminal,
      columns: () => 100,
    },
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    every: options.every ?? (() => () => {}),
    onSignal(listen) {
      listeners.add(listen);
      return () => void listeners.delete(listen);
    },
    exit: (code) => void exits.push(code),
    out: () => texts.out,
    err: () => texts.err,
    json() {
      const lines = texts.out.split('\n');
      // Exactly one line, so that a program can read it line by line.
      if (lines.length !== 2 || lines[1] !== '')
        throw new Error(`stdout is not one line: ${texts.out}`);
      return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    },
    logs: () =>
      texts.err
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    raise(name) {
      for (const listen of [...listeners]) listen(name);
    },
    exits,
  };
}

export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Without a quota, unless `options` has one. */
export async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ quota: null, ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

export function keyOf({ ak, sk }: { ak: string; sk: string }): Record<string, string> {
  return { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk };
}

/** Options that define one target, with a quota that needs no waiting. */
export function flagsFor(simulator: Simulator, store = 'file:./lake'): string[] {
  return [
    ...['--region', simulator.region, '--project', simulator.projectId],
    ...['--endpoint', simulator.url, '--store', store],
    ...['--quota-requests', '50', '--quota-window-seconds', '1'],
  ];
}

/** Runs one command in a runtime of its own. */
export async function call(
  args: readonly string[],
  options: Parameters<typeof createTestRuntime>[0] = {},
): Promise<{ code: number; runtime: TestRuntime }> {
  const runtime = createTestRuntime(options);
  return { code: await runProgram(args, runtime), runtime };
}

/** Stores that `exportSome` has made in this process, by what they hold. test/support/temporary-folder.ts deletes them. */
const exported = new Map<string, string>();

/**
 * A simulator, and `./lake` in a new folder with `count` snapshots of its nodes. Calls with equal arguments get copies of one
 * store, so its snapshots can be minutes old.
 */
export async function exportSome(
  count = 1,
  options: SimulatorOptions = {},
): Promise<{ cwd: string; simulator: Simulator; env: Record<string, string>; flags: string[] }> {
  const simulator = await simulate({ nodes: 30, ...options });
  const cwd = createFolder();
  const env = keyOf(simulator);
  const flags = flagsFor(simulator);
  const name = JSON.stringify([count, options]);
  const known = exported.get(name);
  if (known !== undefined) {
    cpSync(known, join(cwd, 'lake'), { recursive: true });
    return { cwd, simulator, env, flags };
  }
  for (let index = 0; index < count; index += 1) {
    const { code, runtime } = await call(['export', ...flags], { cwd, env });
    if (code !== 0) throw new Error(`export exited with ${code}: ${runtime.err()}`);
  }
  const copy = mkdtempSync(join(tmpdir(), 'cgs-exported-'));
  cpSync(join(cwd, 'lake'), copy, { recursive: true });
  exported.set(name, copy);
  return { cwd, simulator, env, flags };
}
