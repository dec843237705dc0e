// Tests the configuration from flags.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConfigFlags, configFromFlags } from '../../lib/config/flags.ts';
import { loadConfig } from '../../lib/config/load.ts';
import { failureOf, folder, key, minimal } from './loading.ts';

describe('flags', () => {
  const flags: ConfigFlags = {
    region: 'cn-north-4',
    project: 'p1',
    endpoint: 'http://127.0.0.1:8080',
    store: 'file:./out',
  };

  test('make a configuration without a file', async () => {
    const env = { ...key, CGS_EXPORT_CONFIG: 'nowhere.yml' };
    const config = await loadConfig({ env, cwd: '/somewhere', flags });
    expect(config).toEqual(configFromFlags(flags, env, '/somewhere'));
    expect(config).toMatchObject({
      store: { kind: 'file', root: '/somewhere/out', fileMode: 0o600 },
      accounts: [
        {
          name: 'default',
          credentials: { kind: 'key', ak: 'ENVAK' },
          targets: [
            { region: 'cn-north-4', projectId: 'p1', api: 'hss', table: 'container_nodes' },
          ],
        },
      ],
    });
  });

  test('each reach their setting', () => {
    const config = configFromFlags(
      {
        region: 'cn-north-4',
        store: 'obs://lake',
        iamEndpoint: 'https://iam.example.com',
        api: 'hss',
        enterpriseProject: '0',
        account: 'prod',
        table: 't',
        datasets: ['container_clusters'],
        formats: ['parquet'],
        quotaRequests: '2.5',
        quotaWindowSeconds: '30',
        obsEndpoint: 'https://s3.example.com',
        obsRegion: 'garage',
        pathStyle: true,
        logLevel: 'warn',
      },
      key,
      '/',
    );
    expect(config).toMatchObject({
      store: { endpoint: 'https://s3.example.com', region: 'garage', pathStyle: true },
      formats: ['parquet'],
      quota: { requests: 2.5, windowSeconds: 30 },
      logLevel: 'warn',
      accounts: [
        {
          name: 'prod',
          targets: [
            {
              ...{ iamEndpoint: 'https://iam.example.com', enterpriseProjectId: '0', table: 't' },
              dataset: 'container_clusters',
            },
          ],
        },
      ],
    });
  });

  test('cannot be combined with --config', async () => {
    const error = await failureOf(() => loadConfig({ file: 'x.yml', env: key, cwd: '/', flags }));
    expect(error.issues[0]).toMatchObject({
      path: '--config',
      message: 'cannot be combined with --region, --project, --endpoint, --store',
    });
  });

  test('are the paths of their faults', async () => {
    const bad = {
      ...{ endpoint: 'http://example.com', api: 'v5', obsEndpoint: 'x' },
      ...{ formats: ['csv'], datasets: ['pods'] },
    };
    const error = await failureOf(() => configFromFlags(bad, key, '/'));
    expect(error.issues.map(({ path }) => path).sort()).toEqual(
      [
        ...['--api', '--datasets', '--endpoint', '--formats', '--obs-endpoint', '--region'],
        '--store',
      ].sort(),
    );
    const noKey = await failureOf(() => configFromFlags(flags, {}, '/'));
    expect(noKey.issues.map(({ path }) => path)).toEqual(['HUAWEICLOUD_SDK_AK']);
  });

  test('are rejected with a file, unless they have a meaning there', async () => {
    writeFileSync(join(folder, 'cgs-export.yml'), minimal);
    const load = (more: ConfigFlags) => loadConfig({ env: key, cwd: folder, flags: more });
    const error = await failureOf(() => load({ api: 'hss', formats: ['csv'] }));
    expect(error.issues.map(({ path }) => path)).toEqual(['--api', '--formats']);
    const config = await load({ account: 'a', table: 't', logLevel: 'error' });
    expect(config.logLevel).toBe('error');
  });
});
