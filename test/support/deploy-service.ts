// Responsible for a folder to deploy from, as a user has it: serverless.yml, and the packages cgs-export (this checkout, built) and
// serverless.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const origin = join(import.meta.dirname, '../..');

export interface CommandOutcome {
  exitCode: number;
  /** stdout, then stderr. */
  output: string;
}

export interface Service {
  root: string;
  write(path: string, content: string): Promise<void>;
  /** Runs `npx serverless …`. Of this process's environment it gets only PATH. */
  serverless(args: readonly string[], env?: Record<string, string>): Promise<CommandOutcome>;
  remove(): Promise<void>;
}

export async function createService(): Promise<Service> {
  const root = await mkdtemp(join(tmpdir(), 'service-'));
  await cp(join(origin, 'serverless.yml'), join(root, 'serverless.yml'));
  // A separate home folder, because Serverless writes to ~/.serverless.
  const home = join(root, 'home');
  await mkdir(home);
  await mkdir(join(root, 'node_modules'));
  await symlink(origin, join(root, 'node_modules/cgs-export'));
  const serverless = join(origin, 'node_modules/serverless');
  await symlink(serverless, join(root, 'node_modules/serverless'));
  return {
    root,
    write: (path, content) => writeFile(join(root, path), content),
    serverless: (args, env = {}) =>
      new Promise((resolve) => {
        const command = [join(root, 'node_modules/serverless/bin/serverless.js'), ...args];
        const { PATH = '' } = process.env;
        const options = { cwd: root, env: { PATH, HOME: home, ...env }, maxBuffer: 2 ** 24 };
        const child = execFile(process.execPath, command, options, (_error, stdout, stderr) => {
          resolve({ exitCode: child.exitCode ?? -1, output: `${stdout}${stderr}` });
        });
      }),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
