// Tests the configuration of the local endpoint: it is valid, names everything, and replaces no other file.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildConfiguration, writeConfiguration } from '../../lib/cli/simulated-config.ts';
import { loadConfig } from '../../lib/config/load.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { createFolder, simulate } from './test-runtime.ts';

test('is a valid configuration with every account, project and key', async () => {
  const regions = ['cn-north-4', 'cn-east-3'];
  const simulator = await simulate({
    accounts: 50,
    projects: 4,
    regions,
    securityToken: 'demo+token==',
  });
  const cwd = createFolder();
  const file = join(cwd, 'sim.yml');
  const quota = { requests: 7, windowSeconds: 30 };
  await writeConfiguration(
    file,
    buildConfiguration(simulator, quota, { api: 'hss', datasets: null }),
  );
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const config = await loadConfig({ file, env: {}, cwd });
  expect(config.quota).toEqual({ requests: 7, windowSeconds: 30 });
  const targets = config.accounts.flatMap((account) => account.targets);
  expect(targets).toHaveLength(200);
  const served = simulator.accounts.flatMap((account) => account.projects);
  expect(targets.map(({ region, projectId }) => [region, projectId])).toEqual(
    served.map(({ region, id }) => [region, id]),
  );
  expect(new Set(targets.map(({ endpoint }) => endpoint))).toEqual(new Set([simulator.url]));
  expect(config.accounts.map((account) => account.credentials)).toEqual(
    simulator.accounts.map(({ ak, sk }) => ({
      kind: 'key',
      ak,
      sk,
      securityToken: 'demo+token==',
    })),
  );
});

test('replaces what it wrote before, and no other file', async () => {
  const file = join(createFolder(), 'cgs-export.yml');
  const simulator = await simulate();
  const texts = [8, 9].map((requests) =>
    buildConfiguration(simulator, { requests, windowSeconds: 1 }, { api: 'cgs', datasets: null }),
  );
  for (const text of texts) await writeConfiguration(file, text);
  expect(readFileSync(file, 'utf8')).toBe(texts[1]);
  writeFileSync(file, 'store: file:./mine\n');
  await expect(writeConfiguration(file, texts[0] ?? '')).rejects.toThrow(/exists already/);
  expect(readFileSync(file, 'utf8')).toBe('store: file:./mine\n');
  const missing = join(file, 'below-a-file');
  await expect(writeConfiguration(missing, texts[0] ?? '')).rejects.toThrow(ConfigError);
});

test('an endpoint without a quota gets a quota that hardly waits', async () => {
  expect(buildConfiguration(await simulate(), null, { api: 'hss', datasets: null })).toContain(
    'quota: { requests: 50, windowSeconds: 1 }',
  );
});
