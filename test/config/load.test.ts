// Tests which file is read, and the secrets of a configuration.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig, loadValidParts, secretsOf } from '../../lib/config/load.ts';
import type { SourceFlag } from '../../lib/config/model.ts';
import { failureOf, folder, key, load, minimal } from './loading.ts';

describe('the file', () => {
  test('is --config, else CGS_EXPORT_CONFIG, else ./cgs-export.yml', async () => {
    mkdirSync(join(folder, 'sub'), { recursive: true });
    for (const [name, account] of [
      ['cgs-export.yml', 'default'],
      ['sub/env.yml', 'env'],
      ['sub/flag.json', 'flag'],
    ] as const) {
      writeFileSync(join(folder, name), minimal.replace('name: a', `name: ${account}`));
    }
    const env = { ...key, CGS_EXPORT_CONFIG: 'sub/env.yml' };
    const byFlag = await loadConfig({ file: 'sub/flag.json', env, cwd: folder });
    expect(byFlag.accounts[0]?.name).toBe('flag');
    expect(byFlag.store).toMatchObject({ kind: 'file', root: join(folder, 'sub', 'export') });
    expect((await loadConfig({ env, cwd: folder })).accounts[0]?.name).toBe('env');
    expect((await loadConfig({ env: key, cwd: folder })).accounts[0]?.name).toBe('default');
  });

  test.each([
    ['file:export', () => join(folder, 'export')],
    ['file:./a/../b', () => join(folder, 'b')],
    ['file:../up', () => join(folder, '..', 'up')],
    ['file:/abs/dir', () => '/abs/dir'],
    ['file:///abs/dir/', () => '/abs/dir'],
    ['file:./节点 1%20', () => join(folder, '节点 1%20')],
  ])('reads %s as a folder', async (store, root) => {
    const config = await load(minimal.replace('file:./export', `"${store}"`));
    expect(config.store).toMatchObject({ kind: 'file', root: root() });
  });

  test('a missing file, a folder and a binary file: the hint names the alternatives', async () => {
    for (const [file, message] of [
      ['nowhere.yml', 'there is no file'],
      ['.', 'is a folder'],
      ['latin1.yml', 'is not UTF-8 text'],
    ] as const) {
      writeFileSync(join(folder, 'latin1.yml'), Buffer.from('store: file:\xe4', 'latin1'));
      const hintFor = async (...sourceFlags: SourceFlag[]) => {
        const options = { file, env: key, cwd: folder, sourceFlags };
        const error = await failureOf(() => loadConfig(options));
        expect(error.message).toContain(message);
        expect(error.hint).toContain('cgs-export init');
        return error.hint;
      };
      const all = await hintFor('--region', '--project', '--endpoint', '--store');
      expect(all).toContain('--region, --project, --endpoint, --store');
      expect(await hintFor('--store')).toContain('or give the store by a flag: `--store file:');
      // As in a function.
      expect(await hintFor()).toMatch(/or name another with --config or CGS_EXPORT_CONFIG\.$/);
    }
  });
});

test('lists each secret once, the longest first', async () => {
  const config = await load(
    `store: obs://lake
signing: { privateKey: kkkkkkkkk }
accounts:
  - { name: a, credentials: { ak: aa, sk: sssss, securityToken: tttttttt }, targets: [{ region: x }] }
  - { name: b, credentials: { ak: aa, sk: sss }, targets: [{ region: x }] }`,
    {},
  );
  expect(secretsOf(config)).toEqual(['kkkkkkkkk', 'tttttttt', 'sssss', 'sss', 'aa']);
});

describe('the valid parts', () => {
  async function loadParts(text: string, env: Record<string, string> = key) {
    writeFileSync(join(folder, 'cgs-export.yml'), text);
    const { config, issues } = await loadValidParts({ env, cwd: folder });
    const targets = config?.accounts.flatMap((account) => account.targets.map(({ path }) => path));
    return { config, targets, paths: issues.map(({ path }) => path) };
  }
  const twoAccounts = (more: string, store = 'store: file:./x') => `${store}
accounts:
  - name: a
    credentials: { ak: "\${AK_A}", sk: s }
    targets: [{ region: cn-north-4 }]
  - name: b
    credentials: { ak: B, sk: s }
    targets: [{ region: cn-north-4 }, { region: 7 }, { region: cn-east-3 }]
${more}`;

  test('are the whole configuration if there is no fault', async () => {
    const { targets, paths } = await loadParts(minimal);
    expect({ targets, paths }).toEqual({ targets: ['accounts.0.targets.0'], paths: [] });
  });

  test('leave out accounts and targets with a fault, and keep the paths of the others', async () => {
    const { config, targets, paths } = await loadParts(twoAccounts('schedule: 7h\ncolour: red\n'));
    expect(paths.toSorted()).toEqual([
      ...['accounts.0.credentials.ak', 'accounts.1.targets.1.region', 'colour', 'schedule'],
    ]);
    expect(targets).toEqual(['accounts.1.targets.0', 'accounts.1.targets.2']);
    expect(config).toMatchObject({ scheduleMs: 86_400_000, store: { kind: 'file' } });
  });

  test.each([
    ['the store', twoAccounts('', 'store: s3://x')],
    ['the quota', twoAccounts('quota: { requests: 0 }')],
    ['the account that lends its key to the store', twoAccounts('', 'store: obs://bucket')],
    ['the text', 'store: ['],
  ])('are empty with a fault in %s', async (_name, text) => {
    const { config, paths } = await loadParts(text);
    expect(config).toBeNull();
    expect(paths.length).toBeGreaterThan(0);
  });

  test('are empty with a fault of the environment', async () => {
    const { config, paths } = await loadParts(minimal, { ...key, HTTPS_PROXY: 'ftp://proxy' });
    expect(config).toBeNull();
    expect(paths).toEqual(['HTTPS_PROXY']);
  });

  test('are empty without a file', async () => {
    const parts = await loadValidParts({ env: key, cwd: join(folder, 'nowhere') });
    expect(parts).toMatchObject({ config: null, issues: [{ path: '' }] });
  });
});
