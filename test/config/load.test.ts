// Owns the proof of what a configuration means and of what is said about a wrong one.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFromFlags } from '../../lib/config/flags.ts';
import { checkDistinctTargets, loadConfig, logLevelOf, secretsOf } from '../../lib/config/load.ts';
import type { Config, ConfigFlags } from '../../lib/config/model.ts';
import { ConfigError } from '../../lib/core/errors.ts';

const key = { HUAWEICLOUD_SDK_AK: 'ENVAK', HUAWEICLOUD_SDK_SK: 'env-secret' };
type Env = Record<string, string>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(text: string, env: Env = key, more: { agencyPossible?: boolean } = {}) {
  await writeFile(join(folder, 'cgs-export.yml'), text);
  return loadConfig({ env, cwd: folder, ...more });
}

async function failureOf(act: () => unknown): Promise<ConfigError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('no fault was found');
}

/** `path: message` of every fault; each must come with something to do. */
async function faultsOf(text: string, env: Env = key, more: { agencyPossible?: boolean } = {}) {
  const { issues } = await failureOf(() => load(text, env, more));
  for (const { hint } of issues) expect(hint).not.toBe('');
  return issues.map(({ path, message }) => `${path}: ${message}`);
}

const minimal =
  'store: file:./export\naccounts: [{ name: a, targets: [{ region: cn-north-4 }] }]\n';

/** A configuration with one target of this text, in flow style. */
function withTarget(target: string, rest = ''): string {
  return `store: file:./x\naccounts: [{ name: a, targets: [${target}] }]\n${rest}`;
}

function targetOf(config: Config) {
  const target = config.accounts[0]?.targets[0];
  if (!target) throw new Error('no target');
  return target;
}

describe('defaults', () => {
  test('the least that works', async () => {
    expect(await load(minimal)).toEqual({
      store: { kind: 'file', root: join(folder, 'export') },
      scheduleMs: 86_400_000,
      formats: ['parquet', 'ndjson'],
      quota: { requests: 5, windowSeconds: 60 },
      keepPagesMs: 7 * 86_400_000,
      accounts: [
        {
          name: 'a',
          credentials: { kind: 'key', ak: 'ENVAK', sk: 'env-secret', securityToken: null },
          targets: [
            {
              path: 'accounts.0.targets.0',
              account: 'a',
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
      proxy: { httpsProxy: null, httpProxy: null, noProxy: null },
    });
  });

  test.each([
    ['cn-south-4', 'https://cgs.cn-south-4.myhuaweicloud.com', 'cgs', null],
    ['ap-southeast-1', 'https://hss.ap-southeast-1.myhuaweicloud.com', 'hss', 'all_granted_eps'],
    ['eu-west-101', 'https://hss.eu-west-101.myhuaweicloud.eu', 'hss', 'all_granted_eps'],
  ])('%s is asked at %s', async (region, endpoint, api, enterpriseProjectId) => {
    const target = targetOf(await load(withTarget(`{ region: ${region} }`)));
    expect(target).toMatchObject({ endpoint, api, enterpriseProjectId });
    expect(target.iamEndpoint).toBe(endpoint.replace(/(cgs|hss)\./, 'iam.'));
  });

  test.each([
    ['{ region: x, endpoint: "https://hss.cn-south-4.myhuaweicloud.com" }', 'hss'],
    ['{ region: x, endpoint: "https://cgs.example.com:8443/" }', 'cgs'],
    ['{ region: cn-south-4, endpoint: "https://gateway.example.com" }', 'hss'],
    ['{ region: x, endpoint: "https://gateway.example.com", api: cgs }', 'cgs'],
  ])('%s speaks %s', async (target, api) => {
    expect(targetOf(await load(withTarget(target))).api).toBe(api);
  });

  test('a server on this host is asked for IAM too, unless another is named', async () => {
    const local = '{ region: x, endpoint: "http://127.0.0.1:8080" }';
    expect(targetOf(await load(withTarget(local))).iamEndpoint).toBe('http://127.0.0.1:8080');
    const named =
      '{ region: x, endpoint: "http://[::1]:1", iamEndpoint: "https://iam.example.com" }';
    expect(targetOf(await load(withTarget(named))).iamEndpoint).toBe('https://iam.example.com');
  });

  test("OBS is the first target's region and the first account's key", async () => {
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

  test('everything set', async () => {
    const config = await load(
      `
store: obs://audit-lake/cgs/nodes/
schedule: 6h
formats: [ndjson, parquet, ndjson]
quota: { requests: 0.5, windowSeconds: 90.5 }
obs:
  endpoint: http://localhost:9000
  pathStyle: true
  credentials: { ak: \${OBS_AK}, sk: \${OBS_SK}, securityToken: \${OBS_TOKEN} }
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
        filters: { hostName: web, agentStatus: offline, protectStatus: closed, containerTags: cce }
        table: web_nodes
`,
      {
        OBS_AK: 'OAK',
        OBS_SK: 'osk',
        OBS_TOKEN: 'otoken',
        WORD: '#: {',
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
        region: 'cn-south-4',
        pathStyle: true,
        credentials: { kind: 'key', ak: 'OAK', sk: 'osk', securityToken: 'otoken' },
        kmsKeyId: '11111111-2222',
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
              },
            },
          ],
        },
      ],
      logLevel: 'debug',
      proxy: {
        httpsProxy: 'http://user:p%40ss@proxy:3128',
        httpProxy: 'http://proxy:3128',
        noProxy: 'localhost',
      },
    });
    expect(secretsOf(config).sort()).toEqual(
      ['OAK', 'osk', 'otoken', 'p w #: {', 'p%40ss', 'p@ss'].sort(),
    );
  });
});

describe('the file', () => {
  test('is --config, else CGS_EXPORT_CONFIG, else ./cgs-export.yml', async () => {
    await mkdir(join(folder, 'sub'), { recursive: true });
    for (const [name, account] of [
      ['cgs-export.yml', 'default'],
      ['sub/env.yml', 'env'],
      ['sub/flag.json', 'flag'],
    ] as const) {
      await writeFile(join(folder, name), minimal.replace('name: a', `name: ${account}`));
    }
    const env = { ...key, CGS_EXPORT_CONFIG: 'sub/env.yml' };
    const byFlag = await loadConfig({ file: 'sub/flag.json', env, cwd: folder });
    expect(byFlag.accounts[0]?.name).toBe('flag');
    expect(byFlag.store).toEqual({ kind: 'file', root: join(folder, 'sub', 'export') });
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
  ])('%s is a folder', async (store, root) => {
    const config = await load(minimal.replace('file:./export', `"${store}"`));
    expect(config.store).toEqual({ kind: 'file', root: root() });
  });

  test('JSON is read as well, indented by tabs and with a byte order mark', async () => {
    const value = {
      store: 'file:x',
      accounts: [{ name: 'a', targets: [{ region: 'x', projectId: '123' }] }],
    };
    const config = await load(`\uFEFF${JSON.stringify(value, null, '\t')}`);
    expect(targetOf(config).projectId).toBe('123');
  });

  test('one that is not there, a folder, or no text: what to do instead', async () => {
    for (const [file, message] of [
      ['nowhere.yml', 'there is no file'],
      ['.', 'is a folder'],
      ['latin1.yml', 'is not UTF-8 text'],
    ] as const) {
      await writeFile(join(folder, 'latin1.yml'), Buffer.from('store: file:\xe4', 'latin1'));
      const error = await failureOf(() => loadConfig({ file, env: key, cwd: folder }));
      expect(error.message).toContain(message);
      expect(error.hint).toContain('cgs-export init');
      expect(error.hint).toContain('--region, --project, --endpoint, --store');
    }
  });

  test.each([
    ['', 'cgs-export.yml is empty'],
    ['# only a comment\n', 'cgs-export.yml is empty'],
    ['- store: x\n', 'cgs-export.yml must contain settings by name, not a list'],
    ['store\n', 'cgs-export.yml must contain settings by name, not a single value'],
    ['store: file:a\nstore: file:b\n', 'cgs-export.yml:2:1: this key is a duplicate'],
    ['{"store": "file:a",\n "store": "file:b"}', 'cgs-export.yml:2:2: this key is a duplicate'],
    ['accounts:\n\t- name: a\n', 'cgs-export.yml:2:1: this line is indented with a tab'],
    ['store: file:a\n---\nstore: file:b\n', 'cgs-export.yml:2:1: a second document starts here'],
    ['store: @a\n', 'cgs-export.yml:1:8: a value starts with a reserved character'],
    ['store: !x a\n', 'cgs-export.yml:1:8: a value starts with !'],
    ['store: *a\n', 'cgs-export.yml refers to an anchor (*name) that does not exist, or refers to one too often'],
    ['? [a]\n: 1\n', 'cgs-export.yml:1:3: a key is not a name'],
    ['quota: { requests: ${A}, x: }}\n', 'cgs-export.yml:1:30: this is not valid YAML'],
  ])('%j: %s', async (text, message) => {
    const [fault = ''] = await faultsOf(text);
    expect(fault).toContain(`: ${message}`);
  });

  test('every doubled key is told, and what follows a slip of syntax is not', async () => {
    expect(await faultsOf('a: 1\na: 2\nb: 1\nb: 2\n')).toEqual([
      ': cgs-export.yml:2:1: this key is a duplicate',
      ': cgs-export.yml:4:1: this key is a duplicate',
    ]);
    expect(await faultsOf('a: {b: {]}, c: {]}\n')).toHaveLength(1);
  });

  test('a fault of syntax does not quote the text, which may be a secret', async () => {
    for (const text of ['sk: "hunter2" hunter2\n', 'sk: *hunter2\n', 'sk: {hunter2: }}\n']) {
      const error = await failureOf(() => load(text));
      expect(`${error.message}${error.hint}`).not.toContain('hunter2');
    }
  });
});

describe('variables', () => {
  test('stand anywhere in a value, plain, quoted, in braces and in text', async () => {
    const env = { ...key, A: 'a', B_2: 'lake', REGION: 'cn-north-4', TEN: '10', YES: 'true' };
    const config = await load(
      `store: obs://\${B_2}/x-\${A}-\${A}
quota: { requests: \${TEN}, windowSeconds: "\${TEN}.5" }
obs: {pathStyle: \${YES}}
accounts: [{name: 'n\${A}', targets: [{region: \${REGION}}]}]`,
      env,
    );
    expect(config).toMatchObject({
      store: { bucket: 'lake', prefix: 'x-a-a', pathStyle: true },
      quota: { requests: 10, windowSeconds: 10.5 },
      accounts: [{ name: 'na', targets: [{ region: 'cn-north-4' }] }],
    });
  });

  test('no value can break the syntax or be filled in again', async () => {
    const text = `${minimal}quota: {}\n`.replace(
      'targets',
      'credentials: { iamUser: u, iamPassword: ${P}, iamDomain: d }, targets',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary', minLength: 1 }),
          fc.constantFrom(
            '}',
            '"',
            "'",
            '#',
            '\n  - x: y',
            '${P}',
            '$&',
            '$1',
            '\uE000\uE000P\uE001',
          ),
        ),
        async (password) => {
          const config = await load(text, { P: password });
          expect(config.accounts[0]?.credentials).toMatchObject({ iamPassword: password });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('all that are missing are told at once, beside the other faults, and judged no further', async () => {
    const text = `
store: \${STORE}
schedule: 7h
accounts:
  - name: a
    credentials: { ak: \${AK}, sk: \${SK}-\${SK_END} }
    targets: [{ region: \${REGION}, enterpriseProjectId: x }]`;
    expect(await faultsOf(text, {})).toEqual([
      'store: the environment variable STORE is not set',
      'accounts.0.credentials.ak: the environment variable AK is not set',
      'accounts.0.credentials.sk: the environment variable SK is not set',
      'accounts.0.credentials.sk: the environment variable SK_END is not set',
      'accounts.0.targets.0.region: the environment variable REGION is not set',
      'schedule: neither divides 24h nor is whole days',
    ]);
  });

  test('a set but empty token is none; other empty values are faults', async () => {
    const text = (value: string) => minimal.replace('targets', `credentials: ${value}, targets`);
    const env = { AK: 'a', SK: 's', EMPTY: '' };
    const config = await load(text('{ ak: ${AK}, sk: ${SK}, securityToken: ${EMPTY} }'), env);
    expect(config.accounts[0]?.credentials).toMatchObject({ kind: 'key', securityToken: null });
    expect(await faultsOf(text('{ ak: ${EMPTY}, sk: ${SK} }'), env)).toEqual([
      'accounts.0.credentials.ak: is empty',
    ]);
  });

  test('a malformed one is a fault, a lone $ is not', async () => {
    expect(await faultsOf(minimal.replace('name: a', 'name: "a${b-c}"'))).toEqual([
      'accounts.0.name: contains a ${ that starts no variable',
    ]);
    expect((await load(minimal.replace('name: a', 'name: a$b'))).accounts[0]?.name).toBe('a$b');
  });
});

describe('faults', () => {
  test('many of every kind come in one go', async () => {
    const faults = await faultsOf(`
store: s3://x
scheduel: 6h
formats: [parquet, csv]
quota: { requests: 0, windowSecond: 60 }
obs: { pathStyle: maybe }
accounts:
  - credentials: { ak: x, iamUser: y }
    targets:
      - { region: CN North, endpoint: http://example.com, table: nodes_ndjson }
      - { filters: { hostName: ${'h'.repeat(129)}, agentStatus: onlin } }
  - name: b
    targets: []
`);
    expect(faults).toEqual([
      'store: must start with file: or obs://',
      'formats.1: is not a known value',
      'quota.requests: must be above 0',
      'quota.windowSecond: is not a setting',
      'obs.pathStyle: must be true or false, not text',
      'accounts.0.name: is missing',
      'accounts.0.credentials: mixes a key and a sign-in',
      'accounts.0.targets.0.region: is not a valid region name',
      'accounts.0.targets.0.endpoint: is plain http://, which is accepted only for this host (127.0.0.0/8, ::1, localhost)',
      'accounts.0.targets.0.table: ends in _ndjson, which is reserved',
      'accounts.0.targets.1.region: is missing',
      'accounts.0.targets.1.filters.hostName: is longer than 128 characters',
      'accounts.0.targets.1.filters.agentStatus: is not a known value',
      'accounts.1.targets: is an empty list',
      'scheduel: is not a setting',
    ]);
  });

  test.each([
    ['scheduel: 6h', 'scheduel', 'Did you mean "schedule"?'],
    ['Formats: [parquet]', 'Formats', 'Did you mean "formats"?'],
    ['zebra: 1', 'zebra', 'Known here: store, schedule, formats, quota, keepPagesDays, obs, accounts.'],
    ['constructor: 1', 'constructor', 'Remove this line.'],
    ['__proto__: { a: 1 }', '__proto__', 'Remove this line.'],
    ['"${A}": 1', '${A}', 'Known here'],
  ])('%s', async (line, path, hint) => {
    const { issues } = await failureOf(() => load(`${minimal}${line}\n`));
    expect(issues).toHaveLength(1);
    expect(issues[0]?.path).toBe(path);
    expect(issues[0]?.hint).toContain(hint);
  });

  test.each([
    ['{ region: x, project_id: a }', 'accounts.0.targets.0.project_id: is not a setting'],
    ['{ region: x, projectId: ../a }', 'accounts.0.targets.0.projectId: is not a valid project id'],
    [
      '{ region: x, projectId: 12345 }',
      'accounts.0.targets.0.projectId: must be text, not a number',
    ],
    ['{ region: x, projectId: }', 'accounts.0.targets.0.projectId: has no value'],
    ['{ region: a/b }', 'accounts.0.targets.0.region: is not a valid region name'],
    ['{ region: [x] }', 'accounts.0.targets.0.region: must be text, not a list'],
    ['{ region: x, api: v5 }', 'accounts.0.targets.0.api: is not a known value'],
    ['{ region: x, table: Nodes }', 'accounts.0.targets.0.table: is not a valid table name'],
    [`{ region: x, table: ${'t'.repeat(64)} }`, 'accounts.0.targets.0.table: is not a valid table name'],
    ['{ region: x, table: a_rejects }', 'accounts.0.targets.0.table: ends in _rejects, which is reserved'],
    ['{ region: x, table: a_changes }', 'accounts.0.targets.0.table: ends in _changes, which is reserved'],
    ['[]', 'accounts.0.targets.0: must be a section, not a list'],
    ['x', 'accounts.0.targets.0: must be a section, not text'],
  ])('target %s', async (target, fault) => {
    expect(await faultsOf(withTarget(target))).toEqual([fault]);
  });

  test.each([
    ['cgs.example.com', 'must start with https://'],
    ['ftp://example.com', 'must start with https://'],
    ['https://example.com/v5', 'must be a host without a path or query'],
    ['https://example.com?a=b', 'must be a host without a path or query'],
    ['https://example.com/#', 'must be a host without a path or query'],
    ['https://user:pw@example.com', 'contains a user or a password'],
    ['https://@example.com', 'contains a user or a password'],
    ['https://', 'is not a valid address'],
    ['https://exa mple.com', 'is not a valid address'],
    ['https:\\\\example.com', 'must start with https://'],
    ['http://example.com', 'is plain http://'],
    ['http://127.0.0.1.example.com', 'is plain http://'],
    ['http://localhost.example.com', 'is plain http://'],
    ['http://10.0.0.1', 'is plain http://'],
    ['http://0.0.0.0', 'is plain http://'],
    ['http://[::2]', 'is plain http://'],
    ['', 'is empty'],
  ])('endpoint %j %s', async (endpoint, message) => {
    const target = JSON.stringify({ region: 'x', endpoint });
    const [fault, ...others] = await faultsOf(withTarget(target));
    expect(fault).toContain(`accounts.0.targets.0.endpoint: ${message}`);
    expect(others).toEqual([]);
  });

  test.each([
    ['http://127.0.0.1:1', 'http://127.0.0.1:1'],
    ['http://127.255.3.4', 'http://127.255.3.4'],
    ['http://[::1]:80/', 'http://[::1]'],
    ['HTTP://LocalHost:8080', 'http://localhost:8080'],
    ['https://EXAMPLE.com:443/', 'https://example.com'],
  ])('endpoint %s is %s', async (endpoint, origin) => {
    const config = await load(withTarget(JSON.stringify({ region: 'x', endpoint })));
    expect(targetOf(config).endpoint).toBe(origin);
  });

  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['24h', 86_400_000],
    ['2d', 172_800_000],
    ['48h', 172_800_000],
    ['86400s', 86_400_000],
  ])('schedule %s', async (schedule, scheduleMs) => {
    expect((await load(`${minimal}schedule: ${schedule}\n`)).scheduleMs).toBe(scheduleMs);
  });

  test.each([
    ['5h', 'neither divides 24h nor is whole days'],
    ['36h', 'neither divides 24h nor is whole days'],
    ['7m', 'neither divides 24h nor is whole days'],
    ['0h', 'must be above 0'],
    ['6', 'must be text, not a number'],
    ['"6"', 'is not a valid duration'],
    ['1.5h', 'is not a valid duration'],
    ['-1h', 'is not a valid duration'],
    ['6 hours', 'is not a valid duration'],
    ['1w', 'is not a valid duration'],
    ['[1h]', 'must be text, not a list'],
    ['', 'has no value'],
  ])('schedule %j: %s', async (schedule, message) => {
    expect(await faultsOf(`${minimal}schedule: ${schedule}\n`)).toEqual([`schedule: ${message}`]);
  });

  test.each([
    ['quota: { requests: -1 }', 'quota.requests: must be above 0'],
    ['quota: { requests: .inf }', 'quota.requests: must be a finite number'],
    ['quota: { requests: .nan }', 'quota.requests: must be a number, not NaN'],
    ['quota: { requests: five }', 'quota.requests: must be a number, not text'],
    ['quota: 5', 'quota: must be a section, not a number'],
    ['formats: parquet', 'formats: must be a list, not text'],
    ['formats: []', 'formats: is an empty list'],
    ['obs: { pathStyle: true }', 'obs: is set, but the store does not start with obs://'],
  ])('%s', async (line, fault) => {
    expect(await faultsOf(`${minimal}${line}\n`)).toEqual([fault]);
  });

  test.each([
    ['', 'is empty'],
    ['./export', 'must start with file: or obs://'],
    ['file:', 'names no folder'],
    ['file://host/dir', 'names a host after file://'],
    ['file:~/lake', 'starts with ~, which only a shell replaces'],
    ['obs://', 'names no valid bucket'],
    ['obs://Bucket/x', 'names no valid bucket'],
    ['obs://ab', 'names no valid bucket'],
    ['obs://bucket//x', 'has an empty, "." or ".." part in its prefix'],
    ['obs://bucket/a/../b', 'has an empty, "." or ".." part in its prefix'],
  ])('store %j %s', async (store, message) => {
    const text = minimal.replace('file:./export', JSON.stringify(store));
    expect(await faultsOf(text)).toEqual([`store: ${message}`]);
  });
});

describe('credentials', () => {
  const text = (credentials: string) =>
    minimal.replace('targets', `credentials: ${credentials}, targets`);

  test.each([
    ['{ ak: x }', ['.sk: is missing']],
    ['{ securityToken: x }', ['.ak: is missing', '.sk: is missing']],
    ['{ iamUser: x }', ['.iamPassword: is missing', '.iamDomain: is missing']],
    ['{ ak: x, sk: y, securityTokn: z }', ['.securityTokn: is not a setting']],
    ['{ ak: x, sk: 12345 }', ['.sk: must be text, not a number']],
    ['{ ak: x, sk: "y\\n" }', ['.sk: contains white space or characters that no key has']],
    ['{}', [': has neither a key nor a sign-in']],
    ['[]', [': must be "agency" or a section']],
    ['agancy', [': is not "agency"']],
    ['{ ak: x, sk: y, iamUser: z }', [': mixes a key and a sign-in']],
  ])('%s', async (credentials, faults) => {
    expect(await faultsOf(text(credentials))).toEqual(
      faults.map((fault) => `accounts.0.credentials${fault}`),
    );
  });

  test('the agency exists in a function only, where it is the default without a key', async () => {
    const inFunction = { agencyPossible: true };
    expect((await load(minimal, {}, inFunction)).accounts[0]?.credentials).toEqual({
      kind: 'agency',
    });
    expect((await load(minimal, key, inFunction)).accounts[0]?.credentials.kind).toBe('key');
    expect((await load(text('agency'), key, inFunction)).accounts[0]?.credentials.kind).toBe(
      'agency',
    );
    expect(await faultsOf(text('agency'))).toEqual([
      'accounts.0.credentials: is agency, which exists only in a function',
    ]);
    const error = await failureOf(() => load(minimal, {}));
    expect(error.hint).toContain('HUAWEICLOUD_SDK_AK');
  });

  test('half a key in the environment is told once, however many accounts want it', async () => {
    const two = minimal.replace('}] }]', '}] }, { name: b, targets: [{ region: x }] }]');
    expect(await faultsOf(two, { HUAWEICLOUD_SDK_AK: 'x' })).toEqual([
      'HUAWEICLOUD_SDK_SK: is not set, but the other half of the key is',
    ]);
    expect(await faultsOf(two, { ...key, HUAWEICLOUD_SDK_SK: 'secret \n' })).toEqual([
      'HUAWEICLOUD_SDK_SK: contains white space or characters that no key has',
    ]);
  });

  test('OBS takes no password', async () => {
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

  test('no fault shows a value: whatever stands where, it may be a secret', async () => {
    const secret = 'Sup3r/S3cret+Value==';
    const paths = [
      'store: @',
      'schedule: @',
      'formats: [@]',
      'formats: @',
      'quota: { requests: @ }',
      'obs: { endpoint: @, pathStyle: @, credentials: @, kmsKeyId: [@] }',
      'accounts: [{ name: [@], credentials: @, targets: [{ region: @, projectId: @, endpoint: @, api: @, table: @, filters: { agentStatus: @ } }] }]',
      'accounts: [{ credentials: { ak: x, sk: " @" }, targets: @ }]',
      'accounts: [{ credentials: { ak: x, sk: x, iamUser: @ } }]',
    ];
    for (const path of paths) {
      const filled = path.replaceAll('@', '${SECRET}');
      const error = await failureOf(() => load(filled, { SECRET: secret }));
      expect(`${error.message}${error.hint}${JSON.stringify(error.issues)}`).not.toContain(secret);
    }
  });
});

describe('what settings mean together', () => {
  test('the cgs api knows fewer filters and no enterprise project', async () => {
    const cgs = (rest: string) => withTarget(`{ region: cn-south-4, ${rest} }`);
    expect(await faultsOf(cgs('enterpriseProjectId: all_granted_eps'))).toEqual([
      'accounts.0.targets.0.enterpriseProjectId: is not accepted by the cgs API',
    ]);
    expect(
      await faultsOf(
        cgs(
          'table: t, filters: { protectStatus: opened, containerTags: cce, agentStatus: installed }',
        ),
      ),
    ).toEqual([
      'accounts.0.targets.0.filters.protectStatus: is not a filter of the cgs API',
      'accounts.0.targets.0.filters.containerTags: is not a filter of the cgs API',
      'accounts.0.targets.0.filters.agentStatus: is not a value of the cgs API',
    ]);
    const config = await load(cgs('table: t, filters: { hostName: web, agentStatus: offline }'));
    expect(targetOf(config).filters).toEqual({ hostName: 'web', agentStatus: 'offline' });
  });

  test('a filtered target names its own table, which no other scope shares', async () => {
    expect(await faultsOf(withTarget('{ region: x, filters: { hostName: web } }'))).toEqual([
      'accounts.0.targets.0.table: is missing: a filtered target must name its own table',
    ]);
    expect(targetOf(await load(withTarget('{ region: x, filters: {} }'))).filters).toEqual({});
    const pair = (first: string, second: string) =>
      withTarget(`{ region: x, table: t, ${first} }, { region: y, table: t, ${second} }`);
    expect(
      (await load(pair('filters: { hostName: a }', 'filters: { hostName: a }'))).accounts,
    ).toHaveLength(1);
    expect(await faultsOf(pair('filters: { hostName: a }', 'projectId: p'))).toEqual([
      'accounts.0.targets.1.filters: differs from the filters of other targets of the table t',
    ]);
  });

  test('two targets of one series are a fault, also when only IAM knows it', async () => {
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

  test('a target with a fault of its own is not held against others', async () => {
    expect(await faultsOf(withTarget('{ region: x, projectId: a/b }, { region: x }'))).toEqual([
      'accounts.0.targets.0.projectId: is not a valid project id',
    ]);
    expect(
      await faultsOf(withTarget('{ region: cn-south-4, endpoint: x, enterpriseProjectId: "0" }')),
    ).toEqual(['accounts.0.targets.0.endpoint: must start with https://']);
  });

  test('account names are unique', async () => {
    const text = `store: file:x
accounts:
  - { name: a, targets: [{ region: x }] }
  - { name: a, targets: [{ region: y }] }`;
    expect(await faultsOf(text)).toEqual(['accounts.1.name: is the name of accounts.0 too']);
  });
});

describe('flags', () => {
  const flags: ConfigFlags = {
    region: 'cn-north-4',
    project: 'p1',
    endpoint: 'http://127.0.0.1:8080',
    store: 'file:./out',
  };

  test('make a configuration without any file', async () => {
    const env = { ...key, CGS_EXPORT_CONFIG: 'nowhere.yml' };
    const config = await loadConfig({ env, cwd: '/somewhere', flags });
    expect(config).toEqual(configFromFlags(flags, env, '/somewhere'));
    expect(config).toMatchObject({
      store: { kind: 'file', root: '/somewhere/out' },
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

  test('every one of them reaches its setting', () => {
    const config = configFromFlags(
      {
        region: 'cn-north-4',
        store: 'obs://lake',
        iamEndpoint: 'https://iam.example.com',
        api: 'hss',
        enterpriseProject: '0',
        account: 'prod',
        table: 't',
        formats: ['parquet'],
        quotaRequests: '2.5',
        quotaWindowSeconds: '30',
        obsEndpoint: 'https://s3.example.com',
        pathStyle: true,
        logLevel: 'warn',
      },
      key,
      '/',
    );
    expect(config).toMatchObject({
      store: { endpoint: 'https://s3.example.com', pathStyle: true },
      formats: ['parquet'],
      quota: { requests: 2.5, windowSeconds: 30 },
      logLevel: 'warn',
      accounts: [
        {
          name: 'prod',
          targets: [
            { iamEndpoint: 'https://iam.example.com', enterpriseProjectId: '0', table: 't' },
          ],
        },
      ],
    });
  });

  test('exclude --config', async () => {
    const error = await failureOf(() => loadConfig({ file: 'x.yml', env: key, cwd: '/', flags }));
    expect(error.issues[0]).toMatchObject({
      path: '--config',
      message: 'cannot be combined with --region, --project, --endpoint, --store',
    });
  });

  test('their faults are named as they were typed', async () => {
    const bad = { endpoint: 'http://example.com', api: 'v5', formats: ['csv'], obsEndpoint: 'x' };
    const error = await failureOf(() => configFromFlags(bad, key, '/'));
    expect(error.issues.map(({ path }) => path).sort()).toEqual(
      ['--api', '--endpoint', '--formats', '--obs-endpoint', '--region', '--store'].sort(),
    );
    const noKey = await failureOf(() => configFromFlags(flags, {}, '/'));
    expect(noKey.issues.map(({ path }) => path)).toEqual(['HUAWEICLOUD_SDK_AK']);
  });

  test('those that only add to a target by flags are not ignored beside a file', async () => {
    await writeFile(join(folder, 'cgs-export.yml'), minimal);
    const load = (more: ConfigFlags) => loadConfig({ env: key, cwd: folder, flags: more });
    const error = await failureOf(() => load({ api: 'hss', formats: ['csv'] }));
    expect(error.issues.map(({ path }) => path)).toEqual(['--api', '--formats']);
    const config = await load({ account: 'a', table: 't', logLevel: 'error' });
    expect(config.logLevel).toBe('error');
  });
});

describe('the environment', () => {
  test('a wrong log level or proxy is a fault that names where it came from', async () => {
    expect(await faultsOf(minimal, { ...key, CGS_EXPORT_LOG_LEVEL: 'loud' })).toEqual([
      'CGS_EXPORT_LOG_LEVEL: is not a log level',
    ]);
    expect(await faultsOf(minimal, { ...key, https_proxy: 'socks5://x' })).toEqual([
      'https_proxy: is not a valid proxy address',
    ]);
    expect((await failureOf(() => logLevelOf({}, 'loud'))).issues[0]?.path).toBe('--log-level');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: 'debug' })).toBe('debug');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: 'loud' }, 'warn')).toBe('warn');
    expect(logLevelOf({ CGS_EXPORT_LOG_LEVEL: '' })).toBe('info');
  });

  test('small letters win for a proxy, as in curl', async () => {
    const env = { ...key, https_proxy: 'http://small:1', HTTPS_PROXY: 'http://capital:1' };
    expect((await load(minimal, env)).proxy.httpsProxy).toBe('http://small:1');
    expect((await load(minimal, { ...env, https_proxy: '' })).proxy.httpsProxy).toBe(
      'http://capital:1',
    );
  });
});

test('secrets are each listed once, the longest first', async () => {
  const config = await load(
    `store: obs://lake
accounts:
  - { name: a, credentials: { ak: aa, sk: sssss, securityToken: tttttttt }, targets: [{ region: x }] }
  - { name: b, credentials: { ak: aa, sk: sss }, targets: [{ region: x }] }`,
    {},
  );
  expect(secretsOf(config)).toEqual(['tttttttt', 'sssss', 'sss', 'aa']);
});
