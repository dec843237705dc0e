// Tests that the example is a valid configuration, commented parts included.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exampleConfig } from '../../lib/config/example.ts';
import { loadConfig } from '../../lib/config/load.ts';

/** What README.md exports, and `cgs-export simulate` prints. */
const defaultKey = { HUAWEICLOUD_SDK_AK: 'a', HUAWEICLOUD_SDK_SK: 's' };
const env = {
  PROD_AK: 'a',
  PROD_SK: 's',
  PROD_TOKEN: 't',
  OBS_AK: 'oa',
  OBS_SK: 'os',
  CGS_SIGNING_KEY: 'k',
  HOOK_URL: 'https://hooks.example.com/1',
  HOOK_SECRET: 'h',
};

async function load(text: string, variables: Record<string, string> = env) {
  const folder = await mkdtemp(join(tmpdir(), 'example-'));
  try {
    const file = join(folder, 'cgs-export.yml');
    await writeFile(file, text);
    return await loadConfig({ file, env: variables, cwd: folder });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('is the same in the repository and in init', async () => {
  const file = join(import.meta.dirname, '../../cgs-export.example.yml');
  expect(await readFile(file, 'utf8')).toBe(exampleConfig);
});

test('loads as it is, with the variables of the first steps alone', async () => {
  expect(await load(exampleConfig, defaultKey)).toMatchObject({
    store: { kind: 'file' },
    accounts: [
      {
        name: 'prod',
        credentials: { kind: 'key', ak: 'a' },
        targets: [{ region: 'cn-south-4', api: 'cgs' }],
      },
    ],
  });
});

test('loads with every alternative that is commented out', async () => {
  // A comment that starts with a name and a colon is a setting; any other is prose.
  const setting = /^( *)# ((?: {2}|- )*)([a-zA-Z]+:.*)$/;
  let text = exampleConfig
    .replace('store: file:./export', '')
    .replace(/^# store: file:.*$/m, '')
    .replace(/^ *# credentials: \{ ak: "\$\{PROD_AK\}", sk: "\$\{PROD_SK\}" \}$/m, '')
    .replace(/^ *# credentials: (agency.*|\{ iamUser.*)$/gm, '');
  text = text
    .split('\n')
    .map((line) => line.replace(setting, '$1$2$3'))
    .join('\n');
  expect(await load(text)).toMatchObject({
    store: { kind: 'obs', bucket: 'my-bucket', credentials: { ak: 'oa' } },
    signing: { privateKey: 'k' },
    alerts: {
      webhook: { secret: 'h' },
      smn: { region: 'cn-south-4' },
      rules: { onSnapshot: true },
    },
    accounts: [
      {
        credentials: { kind: 'key', securityToken: 't' },
        targets: [
          { api: 'hss', table: 'container_nodes' },
          { api: 'hss', table: 'container_clusters' },
          { table: 'offline_web_nodes' },
        ],
      },
    ],
  });
});
