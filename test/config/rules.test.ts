// Tests defaults, and what settings mean together.

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDistinctTargets, secretsOf } from '../../lib/config/load.ts';
import {
  failureOf,
  faultsOf,
  folder,
  key,
  load,
  minimal,
  targetOf,
  withTarget,
} from './loading.ts';

describe('defaults', () => {
  test('fills in everything but store, account and region', async () => {
    expect(await load(minimal)).toEqual({
      store: { kind: 'file', root: join(folder, 'export'), fileMode: 0o600 },
      scheduleMs: 86_400_000,
      formats: ['parquet', 'ndjson'],
      quota: { requests: 5, windowSeconds: 60 },
      keepPagesMs: 7 * 86_400_000,
      signing: null,
      verify: { pins: null, publicKeys: [], since: null },
      retention: null,
      alerts: null,
      accounts: [
        {
          name: 'a',
          credentials: { kind: 'key', ak: 'ENVAK', sk: 'env-secret', securityToken: null },
          targets: [
            {
              path: 'accounts.0.targets.0',
              account: 'a',
              dataset: 'container_nodes',
              table: 'container_nodes',
              region: 'cn-north-4',
              projectId: null,
              endpoint: 'https://hss.cn-north-4.myhuaweicloud.com',
              iamEndpoint: 'https://iam.cn-north-4.myhuaweicloud.com',
              api: 'hss',
              enterpriseProjectId: 'all_granted_eps',
              filters: {},
            },
          ],
        },
      ],
      logLevel: 'info',
      proxy: { httpsProxy: null, noProxy: null },
      warnings: [],
    });
  });

  test.each([
    ['cn-south-4', 'https://cgs.cn-south-4.myhuaweicloud.com', 'cgs', null],
    ['ap-southeast-1', 'https://hss.ap-southeast-1.myhuaweicloud.com', 'hss', 'all_granted_eps'],
    ['eu-west-101', 'https://hss.eu-west-101.myhuaweicloud.eu', 'hss', 'all_granted_eps'],
  ])('sends requests for %s to %s', async (region, endpoint, api, enterpriseProjectId) => {
    const target = targetOf(await load(withTarget(`{ region: ${region} }`)));
    expect(target).toMatchObject({ endpoint, api, enterpriseProjectId });
    expect(target.iamEndpoint).toBe(endpoint.replace(/(cgs|hss)\./, 'iam.'));
  });

  test.each([
    ['{ region: cn-south-4, endpoint: "https://hss.cn-south-4.myhuaweicloud.com" }', 'hss'],
    ['{ region: x, endpoint: "https://cgs.example.com:8443/" }', 'cgs'],
    ['{ region: cn-south-4, endpoint: "https://gateway.example.com" }', 'hss'],
    ['{ region: x, endpoint: "https://gateway.example.com", api: cgs }', 'cgs'],
  ])('takes the API for %s to be %s', async (target, api) => {
    expect(targetOf(await load(withTarget(target))).api).toBe(api);
  });

  test('uses an endpoint on this host as IAM too, unless iamEndpoint is set', async () => {
    const local = '{ region: x, endpoint: "http://127.0.0.1:8080" }';
    expect(targetOf(await load(withTarget(local))).iamEndpoint).toBe('http://127.0.0.1:8080');
    const named =
      '{ region: x, endpoint: "http://[::1]:1", iamEndpoint: "https://iam.example.com" }';
    expect(targetOf(await load(withTarget(named))).iamEndpoint).toBe('https://iam.example.com');
  });

  test("reads OBS in the first target's region with the first account's key", async () => {
    const text = (region: string) =>
      `store: obs://lake\naccounts: [{ name: a, targets: [{ region: ${region} }] }]`;
    expect((await load(text('cn-north-4'))).store).toEqual({
      kind: 'obs',
      bucket: 'lake',
      prefix: '',
      endpoint: 'https://obs.cn-north-4.myhuaweicloud.com',
      region: 'cn-north-4',
      pathStyle: false,
      credentials: { kind: 'key', ak: 'ENVAK', sk: 'env-secret', securityToken: null },
      kmsKeyId: null,
      acl: null,
    });
    expect((await load(text('eu-west-101'))).store).toMatchObject({
      endpoint: 'https://obs.eu-west-101.myhuaweicloud.eu',
      region: 'eu-west-101',
    });
    const elsewhere = (endpoint: string) =>
      `${text('cn-north-4')}\nobs: { endpoint: "${endpoint}" }`;
    expect((await load(elsewhere('https://obs.cn-south-1.myhuaweicloud.com'))).store).toMatchObject(
      { region: 'cn-south-1' },
    );
    expect((await load(elsewhere('https://s3.example.com'))).store).toMatchObject({
      region: 'cn-north-4',
    });
  });

  test('reads every setting', async () => {
    const config = await load(
      `
store: obs://audit-lake/cgs/nodes/
schedule: 6h
mounted: false
formats: [ndjson, parquet]
quota: { requests: 0.5, windowSeconds: 90.5 }
obs:
  endpoint: http://localhost:9000
  pathStyle: true
  credentials: { ak: \${OBS_AK}, sk: \${OBS_SK}, securityToken: \${OBS_TOKEN} }
  region: garage
  acl: bucket-owner-full-control
  kmsKeyId: 11111111-2222
accounts:
  - name: 生产
    credentials: { iamUser: u, iamPassword: "p w \${WORD}", iamDomain: d }
    targets:
      - region: cn-south-4
        projectId: 0f1e2d
        endpoint: https://hss.cn-south-4.myhuaweicloud.com/
        iamEndpoint: https://iam.cn-south-4.myhuaweicloud.com
        enterpriseProjectId: "0"
        api: hss
        filters:
          hostName: web
          agentStatus: offline
          protectStatus: closed
          containerTags: cce
          version: hss.version.container.enterprise
          containerNode: "\${ONLY}"
        table: web_nodes
`,
      {
        OBS_AK: 'OAK',
        OBS_SK: 'osk',
        OBS_TOKEN: 'otoken',
        WORD: '#: {',
        ONLY: 'false',
        CGS_EXPORT_LOG_LEVEL: 'debug',
        HTTPS_PROXY: 'http://user:p%40ss@proxy:3128',
        http_proxy: 'proxy:3128',
        NO_PROXY: 'localhost',
      },
    );
    expect(config).toMatchObject({
      store: {
        bucket: 'audit-lake',
        prefix: 'cgs/nodes',
        endpoint: 'http://localhost:9000',
        region: 'garage',
        pathStyle: true,
        credentials: { kind: 'key', ak: 'OAK', sk: 'osk', securityToken: 'otoken' },
        kmsKeyId: '11111111-2222',
        acl: 'bucket-owner-full-control',
      },
      scheduleMs: 6 * 3_600_000,
      formats: ['parquet', 'ndjson'],
      quota: { requests: 0.5, windowSeconds: 90.5 },
      accounts: [
        {
          name: '生产',
          credentials: { kind: 'password', iamUser: 'u', iamPassword: 'p w #: {', iamDomain: 'd' },
          targets: [
            {
              projectId: '0f1e2d',
              endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
              enterpriseProjectId: '0',
              table: 'web_nodes',
              filters: {
                hostName: 'web',
                agentStatus: 'offline',
                protectStatus: 'closed',
                containerTags: 'cce',
                version: 'hss.version.container.enterprise',
                containerNode: false,
              },
            },
          ],
        },
      ],
      logLevel: 'debug',
      proxy: {
        httpsProxy: 'http://user:p%40ss@proxy:3128',
        noProxy: 'localhost',
      },
    });
    expect(secretsOf(config).sort()).toEqual(
      ['OAK', 'osk', 'otoken', 'p w #: {', 'p%40ss', 'p@ss'].sort(),
    );
  });
});

describe('credentials', () => {
  const text = (credentials: string) =>
    minimal.replace('targets', `credentials: ${credentials}, targets`);

  test('accepts the agency only in a function, as the default without a key', async () => {
    const inFunction = { inFunction: true };
    const mounted = `${minimal}mounted: true\n`;
    expect((await load(mounted, {}, inFunction)).accounts[0]?.credentials).toEqual({
      kind: 'agency',
    });
    expect((await load(mounted, key, inFunction)).accounts[0]?.credentials.kind).toBe('key');
    expect(
      (await load(`${text('agency')}mounted: true\n`, key, inFunction)).accounts[0]?.credentials
        .kind,
    ).toBe('agency');
    expect(await faultsOf(text('agency'))).toEqual([
      'accounts.0.credentials: is agency, but this command does not run in a function',
    ]);
    // Variables alone would change nothing: the file names the agency.
    const outside = await failureOf(() => load(text('agency'), key));
    expect(outside.hint).toContain('Leave out `credentials`, and set HUAWEICLOUD_SDK_AK');
    expect((await load(minimal, key)).accounts[0]?.credentials.kind).toBe('key');
    const error = await failureOf(() => load(minimal, {}));
    expect(error.hint).toContain('HUAWEICLOUD_SDK_AK');
  });

  test('reports half a key in the environment once, however many accounts need it', async () => {
    const two = minimal.replace('}] }]', '}] }, { name: b, targets: [{ region: x }] }]');
    expect(await faultsOf(two, { HUAWEICLOUD_SDK_AK: 'x' })).toEqual([
      'HUAWEICLOUD_SDK_SK: is not set, but the other half of the key is',
    ]);
    expect(await faultsOf(two, { ...key, HUAWEICLOUD_SDK_SK: 'secret \n' })).toEqual([
      'HUAWEICLOUD_SDK_SK: contains white space or characters that no key has',
    ]);
  });

  test('rejects a sign-in for OBS', async () => {
    const signIn = text('{ iamUser: u, iamPassword: p, iamDomain: d }').replace(
      'file:./export',
      'obs://lake',
    );
    expect(await faultsOf(signIn)).toEqual([
      'obs.credentials: is missing, and the first account uses a sign-in, which OBS does not accept',
    ]);
    expect(
      await faultsOf(`${signIn}obs: { credentials: { iamUser: u, iamPassword: p, iamDomain: d } }`),
    ).toEqual(['obs.credentials: is a sign-in, which OBS does not accept']);
    const config = await load(`${signIn}obs: { credentials: { ak: x, sk: y } }`);
    expect(config.store).toMatchObject({ credentials: { kind: 'key', ak: 'x' } });
  });
});

describe('what settings mean together', () => {
  test('rejects what the cgs API does not accept', async () => {
    const cgs = (rest: string) => withTarget(`{ region: cn-south-4, ${rest} }`);
    expect(await faultsOf(cgs('enterpriseProjectId: all_granted_eps'))).toEqual([
      'accounts.0.targets.0.enterpriseProjectId: is not accepted by the cgs API',
    ]);
    expect(
      await faultsOf(
        cgs(
          'table: t, filters: { protectStatus: opened, containerTags: cce, agentStatus: installed, version: hss.version.wtp, containerNode: false }',
        ),
      ),
    ).toEqual([
      'accounts.0.targets.0.filters.protectStatus: is not accepted by the cgs API',
      'accounts.0.targets.0.filters.containerTags: is not accepted by the cgs API',
      'accounts.0.targets.0.filters.version: is not accepted by the cgs API',
      'accounts.0.targets.0.filters.containerNode: is not accepted by the cgs API',
      'accounts.0.targets.0.filters.agentStatus: is not a value of the cgs API',
    ]);
    const config = await load(cgs('table: t, filters: { hostName: web, agentStatus: offline }'));
    expect(targetOf(config).filters).toEqual({ hostName: 'web', agentStatus: 'offline' });
  });

  test('requires a table for a filtered target, with the same filters for all its targets', async () => {
    expect(await faultsOf(withTarget('{ region: x, filters: { hostName: web } }'))).toEqual([
      'accounts.0.targets.0.table: is missing: a filtered target must name its own table',
    ]);
    expect(targetOf(await load(withTarget('{ region: x, filters: {} }'))).filters).toEqual({});
    for (const filter of ['containerNode: false', 'version: hss.version.null']) {
      expect(await faultsOf(withTarget(`{ region: x, filters: { ${filter} } }`))).toEqual([
        'accounts.0.targets.0.table: is missing: a filtered target must name its own table',
      ]);
    }
    const pair = (first: string, second: string) =>
      withTarget(`{ region: x, table: t, ${first} }, { region: y, table: t, ${second} }`);
    expect(
      (await load(pair('filters: { hostName: a }', 'filters: { hostName: a }'))).accounts,
    ).toHaveLength(1);
    expect(await faultsOf(pair('filters: { hostName: a }', 'projectId: p'))).toEqual([
      'accounts.0.targets.1.filters: differs from the filters of other targets of the table t',
    ]);
  });

  describe('datasets', () => {
    const tablesOf = async (target: string) => {
      const { accounts } = await load(withTarget(target));
      return accounts[0]?.targets.map(({ dataset, table }) => `${dataset} in ${table}`);
    };
    const both = 'datasets: [container_nodes, container_clusters]';

    test('are the nodes by default, and each dataset is a target with a table of its own', async () => {
      expect(await tablesOf('{ region: x }')).toEqual(['container_nodes in container_nodes']);
      expect(await tablesOf('{ region: x, datasets: [container_clusters] }')).toEqual([
        'container_clusters in container_clusters',
      ]);
      expect(await tablesOf('{ region: x, datasets: [container_clusters], table: t }')).toEqual([
        'container_clusters in t',
      ]);
      expect(await tablesOf(`{ region: x, ${both} }`)).toEqual([
        'container_nodes in container_nodes',
        'container_clusters in container_clusters',
      ]);
      expect(await tablesOf(`{ region: x, ${both}, table: t }`)).toEqual([
        'container_nodes in t_container_nodes',
        'container_clusters in t_container_clusters',
      ]);
    });

    test.each([
      ['datasets: []', 'datasets: is an empty list'],
      ['datasets: container_nodes', 'datasets: must be a list, not text'],
      ['datasets: [container_nodes, container_nodes]', 'datasets.1: is in the list twice'],
      ['datasets: [container_cluster]', 'datasets.0: is not a known value'],
      [
        `${both}, table: t, filters: { hostName: web }`,
        'filters: cannot filter container_clusters: the filters are those of container_nodes',
      ],
      [
        'datasets: [container_clusters], filters: { hostName: web }',
        'filters: cannot filter container_clusters: the filters are those of container_nodes',
      ],
      [
        `${both}, table: ${'t'.repeat(50)}`,
        `table: is too long: with its dataset it becomes ${'t'.repeat(50)}_container_nodes`,
      ],
      [`${both}, api: cgs`, 'datasets: has container_clusters, which the cgs API does not list'],
    ])('%s is a fault', async (setting, fault) => {
      expect(await faultsOf(withTarget(`{ region: x, ${setting} }`))).toEqual([
        `accounts.0.targets.0.${fault}`,
      ]);
    });

    test('a misspelled one gets a suggestion', async () => {
      const { issues } = await failureOf(() =>
        load(withTarget('{ region: x, datasets: [container_cluster] }')),
      );
      expect(issues[0]?.hint).toBe(
        'Did you mean "container_clusters"? One of: container_nodes, container_clusters.',
      );
    });

    test('the default endpoint of cn-south-4 has no clusters; an hss endpoint there has', async () => {
      expect(await faultsOf(withTarget(`{ region: cn-south-4, ${both} }`))).toEqual([
        'accounts.0.targets.0.datasets: has container_clusters, which the cgs API does not list',
      ]);
      const endpoint = 'endpoint: "https://hss.cn-south-4.myhuaweicloud.com"';
      expect(await tablesOf(`{ region: cn-south-4, ${both}, ${endpoint} }`)).toHaveLength(2);
    });

    test('one table cannot have two datasets', async () => {
      const pair =
        '{ region: x, table: t }, { region: y, table: t, datasets: [container_clusters] }';
      expect(await faultsOf(withTarget(pair))).toEqual([
        'accounts.0.targets.1.table: is the table t, which has container_nodes in accounts.0.targets.0',
      ]);
    });
  });

  test('rejects two targets of one series, also once IAM has named their projects', async () => {
    const pair = (first: string, second: string) => withTarget(`{ ${first} }, { ${second} }`);
    const fault = [
      'accounts.0.targets.1: has the table, region and project of accounts.0.targets.0',
    ];
    expect(await faultsOf(pair('region: x, projectId: p', 'region: x, projectId: p'))).toEqual(
      fault,
    );
    expect(await faultsOf(pair('region: x', 'region: x'))).toEqual(fault);
    for (const second of [
      'region: x, projectId: q',
      'region: y, projectId: p',
      'region: x, projectId: p, table: t',
    ]) {
      await load(pair('region: x, projectId: p', second));
    }
    // Another account's project is another one; the first two may be one: IAM will tell.
    const config = await load(`store: file:x
accounts:
  - { name: a, targets: [{ region: x }, { region: x, projectId: p }] }
  - { name: b, targets: [{ region: x }] }`);
    const targets = config.accounts.flatMap((account) => account.targets);
    expect(() => checkDistinctTargets(targets)).not.toThrow();
    const answered = targets.map((target, index) => ({
      ...target,
      projectId: index < 2 ? 'p' : 'q',
    }));
    const error = await failureOf(() => checkDistinctTargets(answered));
    expect(error.issues.map(({ path }) => path)).toEqual(['accounts.0.targets.1']);
    // After IAM the account no longer tells them apart.
    const same = answered.map((target) => ({ ...target, projectId: 'p' }));
    expect((await failureOf(() => checkDistinctTargets(same))).issues).toHaveLength(2);
  });

  test('does not compare a target that has a fault with others', async () => {
    expect(await faultsOf(withTarget('{ region: x, projectId: a/b }, { region: x }'))).toEqual([
      'accounts.0.targets.0.projectId: is not a valid project id',
    ]);
    expect(
      await faultsOf(withTarget('{ region: cn-south-4, endpoint: x, enterpriseProjectId: "0" }')),
    ).toEqual(['accounts.0.targets.0.endpoint: must start with https://']);
  });

  test('rejects two accounts with one name', async () => {
    const text = `store: file:x
accounts:
  - { name: a, targets: [{ region: x }] }
  - { name: a, targets: [{ region: y }] }`;
    expect(await faultsOf(text)).toEqual(['accounts.1.name: is the name of accounts.0 too']);
  });
});

describe('fileMode', () => {
  test.each([
    ['"0600"', 0o600],
    ['"600"', 0o600],
    ['"0640"', 0o640],
    ['"0664"', 0o664],
    ['"${MODE}"', 0o644],
  ])('%s is read as octal', async (text, mode) => {
    const { store } = await load(`${minimal}fileMode: ${text}\n`, { ...key, MODE: '0644' });
    expect(store).toMatchObject({ kind: 'file', fileMode: mode });
  });
});

describe('keepPagesDays and formats', () => {
  test.each([
    ['', 7],
    ['keepPagesDays: 30', 30],
    ['keepPagesDays: 0.5', 0.5],
    ['keepPagesDays: "${DAYS}"', 1.5],
  ])('%j keeps pages for %d days', async (line, days) => {
    const config = await load(`${minimal}${line}\n`, { ...key, DAYS: '1.5' });
    expect(config.keepPagesMs).toBe(days * 86_400_000);
  });

  test('formats: [parquet] leaves NDJSON out', async () => {
    expect((await load(`${minimal}formats: [parquet]\n`)).formats).toEqual(['parquet']);
  });
});

describe('a command that only reads the store', () => {
  const reading = { needs: 'store' } as const;
  const text = (store: string, rest = '') => `store: ${store}
quota: { requests: "\${RATE}" }
formats: [parquet, "\${FORMAT}"]
accounts:
  - name: a
    credentials: { ak: "\${AK}", sk: "\${SK}" }
    targets:
      - { region: x, endpoint: "\${ENDPOINT}", table: web, filters: { hostName: "\${HOST}" } }
  - { name: b, targets: [{ region: y }] }
signing: { privateKey: "\${SIGNING}" }
${rest}`;

  test('needs no variable of the API and no key', async () => {
    const { store, quota, signing, accounts } = await load(text('file:./x'), {}, reading);
    expect(signing).toBeNull();
    expect(store).toEqual({ kind: 'file', root: join(folder, 'x'), fileMode: 0o600 });
    expect(quota).toEqual({ requests: 5, windowSeconds: 60 });
    expect(accounts.map(({ name, targets }) => [name, targets[0]?.table])).toEqual([
      ['a', 'web'],
      ['b', 'container_nodes'],
    ]);
    expect(await faultsOf(text('file:./x'), {})).toHaveLength(8);
  });

  test('knows the key of the environment, which names the user whose project ids are stored', async () => {
    const { accounts } = await load(text('file:./x'), key, reading);
    // The first account has a key of its own, whose variables are not set.
    expect(accounts.map(({ credentials }) => credentials)).toMatchObject([
      { kind: 'agency' },
      { kind: 'key', ak: 'ENVAK' },
    ]);
    const half = { HUAWEICLOUD_SDK_AK: 'ENVAK' };
    expect((await load(text('file:./x'), half, reading)).accounts).toHaveLength(2);
  });

  test('needs the names of targets and the settings of the store', async () => {
    const names = minimal
      .replace('cn-north-4', '"${REGION}", projectId: "${PROJECT}"')
      .replace('file:./export', '"${STORE}"');
    expect(await faultsOf(`${names}obs: { endpoint: "\${OBS}" }`, {}, reading)).toEqual([
      'store: the environment variable STORE is not set',
      'accounts.0.targets.0.region: the environment variable REGION is not set',
      'accounts.0.targets.0.projectId: the environment variable PROJECT is not set',
      'obs.endpoint: the environment variable OBS is not set',
    ]);
  });

  test('needs the key that opens a bucket, and only that one', async () => {
    expect(await faultsOf(text('obs://lake'), {}, reading)).toEqual([
      'accounts.0.credentials.ak: the environment variable AK is not set',
      'accounts.0.credentials.sk: the environment variable SK is not set',
    ]);
    const own = text('obs://lake', 'obs: { credentials: { ak: x, sk: y } }');
    expect((await load(own, {}, reading)).store).toMatchObject({ credentials: { ak: 'x' } });
    const bucket = minimal.replace('file:./export', 'obs://lake');
    expect(await faultsOf(bucket, {}, reading)).toEqual([
      'accounts.0.credentials: there is no access key',
    ]);
  });

  test('accepts the agency of a function where it is not needed', async () => {
    const byAgency = minimal.replace('targets', 'credentials: agency, targets');
    expect((await load(byAgency, {}, reading)).accounts[0]?.credentials.kind).toBe('agency');
    const bucket = byAgency.replace('file:./export', 'obs://lake');
    expect(await faultsOf(bucket, {}, reading)).toEqual([
      'accounts.0.credentials: is agency, but this command does not run in a function',
    ]);
  });

  test('reports invalid values everywhere', async () => {
    expect(await faultsOf(`${minimal}quota: { requests: 0 }\n`, {}, reading)).toEqual([
      'quota.requests: must be above 0',
    ]);
  });

  test('needs no valid proxy for a folder', async () => {
    const env = { https_proxy: 'socks5://x' };
    expect((await load(minimal, env, reading)).proxy.httpsProxy).toBeNull();
  });
});

describe('retention', () => {
  const dayMs = 24 * 60 * 60 * 1_000;
  const retentionOf = async (text: string) =>
    (await load(`${minimal}\nretention: ${text}`)).retention;

  test('is read in milliseconds; a year has 365 days; a rule that is left out keeps nothing', async () => {
    expect(await retentionOf('{ all: 30d, weekly: 1y, grace: 36h }')).toEqual({
      ...{ all: 30 * dayMs, daily: null, weekly: 365 * dayMs, monthly: null },
      grace: 1.5 * dayMs,
    });
  });

  test.each([
    ['{ all: 0s }', 0],
    ['{ all: 0s, monthly: 7y }', 7 * dayMs],
    ['{ all: 1s }', 7 * dayMs],
    ['{ daily: 90d }', 7 * dayMs],
    ['{ all: 0s, grace: 2m }', 120_000],
  ])('%s has a grace of %i ms', async (text, grace) => {
    expect(await retentionOf(text)).toMatchObject({ grace });
  });

  test.each([
    ['{}', 'retention: has no rule'],
    ['{ grace: 7d }', 'retention: has no rule'],
    ['{ all: 30 }', 'retention.all: must be text, not a number'],
    ['{ all: 30w }', 'retention.all: is not a valid duration'],
    ['{ all: 2000y }', 'retention.all: is longer than 1000 years'],
    ['{ yearly: 1y }', 'retention.yearly: is not a setting'],
  ])('%s is a fault', async (text, message) => {
    await expect(retentionOf(text)).rejects.toThrow(message);
  });
});

describe('verify', () => {
  const reading = { needs: 'store' } as const;
  const inBucket = minimal.replace('file:./export', 'obs://lake/cgs');
  const ownKey = 'obs: { credentials: { ak: pinak, sk: pinsecret } }';
  const pinsOf = async (text: string) => (await load(text, key, reading)).verify.pins;

  test('names a file from the folder of the configuration on', async () => {
    expect(await pinsOf(`${minimal}verify: { pins: file:./a/pins.jsonl }`)).toMatchObject({
      store: { kind: 'file', root: join(folder, 'a') },
      key: 'pins.jsonl',
    });
  });

  test('opens a bucket with its own section, else as the store', async () => {
    const own = await load(
      `${minimal}verify: { pins: obs://safe/a/p.jsonl, ${ownKey} }`,
      key,
      reading,
    );
    expect(own.verify.pins).toMatchObject({
      store: { kind: 'obs', bucket: 'safe', prefix: '', credentials: { ak: 'pinak' } },
      key: 'a/p.jsonl',
    });
    expect(secretsOf(own)).toContain('pinsecret');
    expect(await pinsOf(`${inBucket}verify: { pins: obs://safe/p.jsonl }`)).toMatchObject({
      store: { kind: 'obs', bucket: 'safe', prefix: '' },
      key: 'p.jsonl',
    });
  });

  test.each([
    [`${inBucket}verify: { pins: obs://lake/cgs/p.jsonl }`, 'verify.pins: is inside the store'],
    [
      `${minimal}verify: { pins: obs://safe/p.jsonl }`,
      'verify.pins: is in a bucket, but verify.obs is missing',
    ],
    [`${minimal}verify: { pins: obs://safe }`, 'verify.pins: names a bucket but no object'],
    [
      `${minimal}verify: { ${ownKey} }`,
      'verify.obs: is set, but the pins do not start with obs://',
    ],
    [`${minimal}verify: { since: soon }`, 'verify.since: is not a date, a time or an age'],
    [`${minimal}verify: { publicKeys: [] }`, 'verify.publicKeys: is an empty list'],
  ])('%s: a fault', async (text, fault) => {
    expect(await faultsOf(text, key, reading)).toEqual([fault]);
  });

  test('accepts the bucket of the store outside its prefix', async () => {
    expect(await pinsOf(`${inBucket}verify: { pins: obs://lake/cgs-pins.jsonl }`)).not.toBeNull();
  });

  test('rejects a file in a function, unless it is mounted', async () => {
    const text = `${inBucket}verify: { pins: file:/mnt/p.jsonl }`;
    const options = { ...reading, inFunction: true };
    expect(await faultsOf(text, key, options)).toEqual([
      'verify.pins: is a file, which a function loses together with its instance',
    ]);
    expect((await load(`${text}\nmounted: true`, key, options)).verify.pins).not.toBeNull();
  });

  test('may lack its variables where a command does not use it', async () => {
    const text = `${minimal}verify: { pins: "file:\${PINS}" }`;
    expect((await load(text)).verify.pins).toBeNull();
    expect(await faultsOf(text, key, reading)).toHaveLength(1);
  });
});

describe('alerts', () => {
  const alertsOf = async (text: string, env = {}) =>
    (await load(`${minimal}\nalerts: ${text}`, { ...key, ...env })).alerts;
  const hook = "webhook: { url: 'https://hooks.example.com/services/T1/B1', secret: s }";

  test('without rules: snapshotFailed and driftedInARow: 2', async () => {
    expect(await alertsOf(`{ ${hook} }`)).toEqual({
      webhook: { url: 'https://hooks.example.com/services/T1/B1', secret: 's' },
      smn: null,
      rules: {
        ...{ snapshotFailed: true, unprotectedShareAbove: null, nodeGone: false },
        ...{ staleAfterMs: null, driftedInARow: 2, onSnapshot: false },
      },
    });
  });

  test('with rules, those that are not given are off', async () => {
    const rules =
      '{ unprotectedShareAbove: 0.05, nodeGone: true, staleAfter: 36h, onSnapshot: true }';
    expect((await alertsOf(`{ ${hook}, rules: ${rules} }`))?.rules).toEqual({
      ...{ snapshotFailed: false, unprotectedShareAbove: 0.05, nodeGone: true },
      ...{ staleAfterMs: 36 * 3_600_000, driftedInARow: null, onSnapshot: true },
    });
  });

  test('region, project and endpoint of SMN follow from the URN; the endpoint can be another one', async () => {
    const topicUrn = 'urn:smn:eu-west-101:0f1e2d:my_alerts-1';
    expect((await alertsOf(`{ smn: { topicUrn: '${topicUrn}' } }`))?.smn).toEqual({
      ...{ topicUrn, region: 'eu-west-101', projectId: '0f1e2d' },
      endpoint: 'https://smn.eu-west-101.myhuaweicloud.eu',
    });
    const own = `{ smn: { topicUrn: '${topicUrn}', endpoint: 'http://127.0.0.1:8080' } }`;
    expect((await alertsOf(own))?.smn?.endpoint).toBe('http://127.0.0.1:8080');
  });

  test.each([
    ['{}', 'alerts: has neither a webhook nor smn, so no alert can be sent'],
    [
      '{ rules: { nodeGone: true } }',
      'alerts: has neither a webhook nor smn, so no alert can be sent',
    ],
    [`{ ${hook}, rules: {} }`, 'alerts.rules: has no rule that is on'],
    [`{ ${hook}, rules: { nodeGone: false } }`, 'alerts.rules: has no rule that is on'],
    [
      `{ ${hook}, rules: { staleAfter: 24h } }`,
      'alerts.rules.staleAfter: is not longer than the schedule',
    ],
    [
      `{ ${hook}, rules: { unprotectedShareAbove: 1 } }`,
      'alerts.rules.unprotectedShareAbove: must be below 1',
    ],
    [
      `{ ${hook}, rules: { unprotectedShareAbove: 5 % } }`,
      'alerts.rules.unprotectedShareAbove: must be a number, not text',
    ],
    [
      `{ ${hook}, rules: { driftedInARow: 1.5 } }`,
      'alerts.rules.driftedInARow: must be a whole number',
    ],
    [`{ ${hook}, rules: { driftedInARow: 0 } }`, 'alerts.rules.driftedInARow: must be above 0'],
    [`{ webhook: { url: 'https://h.example/x' } }`, 'alerts.webhook.secret: is missing'],
    [
      `{ webhook: { url: 'http://h.example/x', secret: s } }`,
      'alerts.webhook.url: is plain http://, which is accepted only for this host (127.0.0.0/8, ::1, localhost)',
    ],
    [
      `{ webhook: { url: 'https://u:p@h.example/x', secret: s } }`,
      'alerts.webhook.url: contains a user or a password',
    ],
    [
      `{ webhook: { url: 'h.example', secret: s } }`,
      'alerts.webhook.url: must start with https://',
    ],
    [`{ smn: { topicUrn: alerts } }`, 'alerts.smn.topicUrn: is not a valid topic URN'],
  ])('%s', async (text, fault) => {
    expect(await faultsOf(`${minimal}\nalerts: ${text}`)).toEqual([fault]);
  });

  test('a command that only reads the store needs none of its variables', async () => {
    const text = `${minimal}\nalerts: { webhook: { url: "\${NO_URL}", secret: "\${NO_SECRET}" } }`;
    expect(await faultsOf(text)).toHaveLength(2);
    expect((await load(text, key, { needs: 'store' })).alerts).toBeNull();
    expect((await load(text, key, { needs: 'store', signs: true })).alerts).toBeNull();
  });

  test('the whole address and the secret are secrets', async () => {
    const config = await load(`${minimal}\nalerts: { ${hook} }`);
    expect(secretsOf(config)).toEqual(
      expect.arrayContaining(['https://hooks.example.com/services/T1/B1', '/services/T1/B1', 's']),
    );
  });
});
