// Responsible for what the tests of examples/ share: the packed package, checkers from PyPI, and a configuration for the simulator.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Simulator } from '../../lib/simulator/simulator.ts';
import { createFolder, root } from '../e2e/processes.ts';

/** A copy of a folder of examples/. */
export function copyExample(name: string): string {
  const folder = createFolder();
  cpSync(join(root, 'examples', name), folder, { recursive: true });
  return folder;
}

/** Writes cgs-export-VERSION.tgz into the folder. The build must be done before. */
export function packInto(folder: string): string {
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  return join(folder, execFileSync('npm', args, { cwd: root, encoding: 'utf8' }).trim());
}

/** Runs the commands that docs/deploy-elsewhere.md shows for the keys. Returns the folder with keys.env and keys/signing-public.pem. */
export function makeKeys(simulator: Simulator): string {
  const page = readFileSync(join(root, 'docs/deploy-elsewhere.md'), 'utf8');
  const [, block = ''] = /```sh\n(cgs-export keygen[^`]*)```/.exec(page) ?? [];
  const folder = createFolder();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(join(root, 'dist', 'cli.js'), join(bin, 'cgs-export'));
  const script = block.replace('YOUR_AK', simulator.ak).replace('YOUR_SK', simulator.sk);
  const env = { PATH: `${bin}:${process.env.PATH}` };
  execFileSync('sh', ['-euc', script], { cwd: folder, env });
  return folder;
}

/** The variables of a keys.env as Docker and Kubernetes read it: all characters after the first `=` are the value. */
export function readKeys(folder: string): Record<string, string> {
  const lines = readFileSync(join(folder, 'keys.env'), 'utf8').split('\n').slice(0, -1);
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)));
}

/** A program of test/examples/requirements.txt. */
export function checker(name: string): string {
  return join(root, 'coverage', 'examples', 'bin', name);
}

/** The schedules that cron would not accept. */
export function findBadSchedules(schedules: readonly string[]): string[] {
  const script =
    'import sys, json, croniter; print(json.dumps([s for s in sys.argv[1:] if not croniter.croniter.is_valid(s)]))';
  const args = ['-c', script, ...schedules];
  return JSON.parse(execFileSync(checker('python'), args, { encoding: 'utf8' }));
}

/** The example's configuration with another service: everything but the address and the project of the target is as written. */
export function pointAt(simulator: Simulator, text: string): string {
  const config = parse(text);
  const [{ targets }] = config.accounts;
  Object.assign(targets[0], { endpoint: simulator.url, projectId: simulator.projectId });
  return stringify(config);
}
