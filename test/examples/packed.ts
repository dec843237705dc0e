// Responsible for what the tests of examples/ share: the packed package, checkers from PyPI, and a configuration for the simulator.

import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
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
