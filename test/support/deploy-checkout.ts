// Responsible for a separate checkout to deploy from: a copy of the sources that shares node_modules.

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

export interface Checkout {
  root: string;
  write(path: string, content: string): Promise<void>;
  /** Runs `npx serverless …`. Of this process's environment it gets only PATH. */
  serverless(args: readonly string[], env?: Record<string, string>): Promise<CommandOutcome>;
  remove(): Promise<void>;
}

export async function createCheckout(): Promise<Checkout> {
  const root = await mkdtemp(join(tmpdir(), 'checkout-'));
  const parts = [
    'lib',
    'functions',
    'build.mjs',
    'page-assets.mjs',
    'package.json',
    'tsconfig.json',
    'serverless.yml',
  ];
  for (const part of parts) await cp(join(origin, part), join(root, part), { recursive: true });
  // A separate home folder, because Serverless writes to ~/.serverless.
  const home = join(root, 'home');
  await mkdir(home);
  await symlink(join(origin, 'node_modules'), join(root, 'node_modules'));
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
