// Owns a world for commands in this process: what they print is caught, folders are temporary, the endpoint is the simulator.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import type { SignalName, World } from '../../lib/cli/session.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';

export interface TestWorld extends World {
  out(): string;
  err(): string;
  /** stdout as the one JSON object that it must be. */
  json(): Record<string, unknown>;
  /** stderr's log lines. */
  logs(): Record<string, unknown>[];
  raise(name: SignalName): void;
  exits: number[];
}

export function createTestWorld(
  options: { env?: World['env']; cwd?: string; terminal?: boolean; every?: World['every'] } = {},
): TestWorld {
  const texts = { out: '', err: '' };
  const listeners = new Set<(name: SignalName) => void>();
  const exits: number[] = [];
  const { terminal = false } = options;
  return {
    env: options.env ?? {},
    cwd: options.cwd ?? createFolder(),
    program: 'cgs-export',
    stdout: {
      write(text) {
        texts.out += text;
      },
      isTerminal: terminal,
      columns: () => 100,
    },
    stderr: {
      write(text) {
        texts.err += text;
      },
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
      // One line and nothing else: programs read it as it comes.
      if (lines.length !== 2 || lines[1] !== '') throw new Error(`not one line: ${texts.out}`);
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

/** Without a quota of its own unless told. */
export async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ quota: null, ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

export function keyOf({ ak, sk }: { ak: string; sk: string }): Record<string, string> {
  return { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk };
}

/** One target by flags, with a quota that nobody waits for. */
export function flagsFor(simulator: Simulator, store = 'file:./lake'): string[] {
  return [
    ...['--region', simulator.region, '--project', simulator.projectId],
    ...['--endpoint', simulator.url, '--store', store],
    ...['--quota-requests', '50', '--quota-window-seconds', '1'],
  ];
}

/** One call in a world of its own. */
export async function call(
  args: readonly string[],
  options: Parameters<typeof createTestWorld>[0] = {},
): Promise<{ code: number; world: TestWorld }> {
  const world = createTestWorld(options);
  return { code: await runProgram(args, world), world };
}

/** A store with `count` snapshots, and the simulator that they are of. */
export async function exportSome(
  count = 1,
  options: SimulatorOptions = {},
): Promise<{ cwd: string; simulator: Simulator; env: Record<string, string>; flags: string[] }> {
  const simulator = await simulate({ nodes: 30, ...options });
  const cwd = createFolder();
  const env = keyOf(simulator);
  const flags = flagsFor(simulator);
  for (let index = 0; index < count; index += 1) {
    const { code, world } = await call(['export', ...flags], { cwd, env });
    if (code !== 0) throw new Error(`export ended with ${code}: ${world.err()}`);
  }
  return { cwd, simulator, env, flags };
}
