// Tests `npm run double`: its output is enough to deploy to it, and its timers fire by themselves.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createService } from '../support/deploy-service.ts';

const root = join(import.meta.dirname, '../..');

test('a function that is deployed with its output seals a snapshot by timer', async () => {
  const service = await createService();
  onTestFinished(() => service.remove());
  const double = spawn(join(root, 'node_modules/.bin/tsx'), ['test/support/double.ts', '1200'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => double.once('close', resolve));
  let printed = '';
  double.stdout.on('data', (data) => {
    printed += String(data);
  });
  const until = async (text: string) => {
    while (!printed.includes(text)) {
      if (double.exitCode !== null) throw new Error(`the process ended: ${printed}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  try {
    await until('ctrl-C');
    const [, config = ''] =
      /cgs-export\.yml in the checkout:\n([\s\S]*?)\n# run this/.exec(printed) ?? [];
    const variables = [...printed.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
    await service.write('cgs-export.yml', config);
    const { output, exitCode } = await service.serverless(
      ['deploy'],
      Object.fromEntries(variables),
    );
    expect(output).toContain('create timer every-minute (1m)');
    expect(exitCode).toBe(0);
    await until('"status":"sealed"');
    expect(printed).toContain('"rows":1200,"verdict":"complete"');
  } finally {
    double.kill('SIGINT');
  }
  expect(await ended).toBe(0);
}, 60_000);
