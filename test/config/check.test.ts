// Tests the check of each setting by itself, and the message and hint of each fault.

import { describe, expect, test } from 'vitest';
import { failureOf, faultsOf, load, minimal, targetOf, withTarget } from './loading.ts';

describe('faults', () => {
  test('reports every unknown setting of a section', async () => {
    expect(
      await faultsOf(`${minimal}scheduel: 6h\nquota: { request: 1, window: 2 }\nzebra: 1\n`),
    ).toEqual([
      'quota.request: is not a setting',
      'quota.window: is not a setting',
      'scheduel: is not a setting',
      'zebra: is not a setting',
    ]);
  });

  test.each([
    ['schedule: 5h', /^Write a number with s, m, h or d that divides 24h/],
    ['schedule:', /^Give it a value, or remove the line\. Write a number/],
    [
      'schedule: 6',
      /^Write a number with s, m, h or d.* Text that looks like a number needs quotes\.$/,
    ],
    ['formats: [parquett, parquet]', /^Did you mean "parquet"\? One of: parquet, ndjson\.$/],
    ['formats: [csv, parquet]', /^One of: parquet, ndjson\.$/],
    ['quota: { requests: [] }', /^Write a number above 0/],
    ['obs: { endpoint: x }', /^Write `?https:\/\/host/],
  ])('%s: the hint says what to write', async (line, hint) => {
    const { issues } = await failureOf(() => load(`${minimal}${line}\n`));
    expect(issues[0]?.hint).toMatch(hint);
  });

  test('a missing setting: the hint says what to add', async () => {
    const { issues } = await failureOf(() => load('accounts: [{ targets: [{ projectId: p }] }]'));
    expect(issues.map(({ path, hint }) => [path, hint.slice(0, 12)])).toEqual([
      ['store', 'Add store. W'],
      ['accounts.0.name', 'Add name. Wr'],
      ['accounts.0.targets.0.region', 'Add region. '],
    ]);
  });

  test('reports faults of every kind at once', async () => {
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
    [
      'zebra: 1',
      'zebra',
      'Known here: store, mounted, fileMode, schedule, formats, quota, keepPagesDays, obs, signing, verify, retention, alerts, accounts.',
    ],
    ['signing: { privateKey: x, privatKey: x }', 'signing.privatKey', 'Did you mean "privateKey"?'],
    ['signing: { privateKey: "" }', 'signing.privateKey', 'cgs-export keygen'],
    ['signing: { privateKey: "${NONE}" }', 'signing.privateKey', 'Set this environment variable'],
    ['signing: key.pem', 'signing', ''],
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
    [
      `{ region: x, table: ${'t'.repeat(64)} }`,
      'accounts.0.targets.0.table: is not a valid table name',
    ],
    [
      '{ region: x, table: a_rejects }',
      'accounts.0.targets.0.table: ends in _rejects, which is reserved',
    ],
    [
      '{ region: x, table: a_changes }',
      'accounts.0.targets.0.table: ends in _changes, which is reserved',
    ],
    [
      '{ region: x, table: a_snapshots }',
      'accounts.0.targets.0.table: ends in _snapshots, which is reserved',
    ],
    [
      '{ region: x, table: a_latest }',
      'accounts.0.targets.0.table: ends in _latest, which is reserved',
    ],
    [
      '{ region: x, table: a_coverage }',
      'accounts.0.targets.0.table: ends in _coverage, which is reserved',
    ],
    ['{ region: x, table: a_at }', 'accounts.0.targets.0.table: ends in _at, which is reserved'],
    [
      '{ region: x, table: a_manifests }',
      'accounts.0.targets.0.table: ends in _manifests, which is reserved',
    ],
    [
      '{ region: x, table: t, filters: { version: enterprise } }',
      'accounts.0.targets.0.filters.version: is not a known value',
    ],
    [
      '{ region: x, table: t, filters: { containerNode: maybe } }',
      'accounts.0.targets.0.filters.containerNode: must be true or false, not text',
    ],
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
    ['366d', 366 * 86_400_000],
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
    ['367d', 'is longer than 366 days'],
    ['999999999d', 'is longer than 366 days'],
    ['[1h]', 'must be text, not a list'],
    ['', 'has no value'],
  ])('schedule %j: %s', async (schedule, message) => {
    expect(await faultsOf(`${minimal}schedule: ${schedule}\n`)).toEqual([`schedule: ${message}`]);
  });

  test.each([
    ['quota: { requests: -1 }', 'quota.requests: must be above 0'],
    ['quota: { requests: .inf }', 'quota.requests: must be a finite number'],
    ['quota: { requests: 1e300 }', 'quota.requests: must be at most 1000000'],
    ['quota: { windowSeconds: 1e9 }', 'quota.windowSeconds: must be at most 2678400'],
    ['quota: { requests: .nan }', 'quota.requests: must be a number, not NaN'],
    ['quota: { requests: five }', 'quota.requests: must be a number, not text'],
    ['quota: 5', 'quota: must be a section, not a number'],
    ['formats: parquet', 'formats: must be a list, not text'],
    ['formats: []', 'formats: is an empty list'],
    ['formats: [ndjson]', 'formats: must include parquet, which is always written'],
    ['formats: [parquet, parquet]', 'formats.1: is in the list twice'],
    ['formats: [ndjson, parquet, ndjson]', 'formats.2: is in the list twice'],
    ['mounted: yes', 'mounted: must be true or false, not text'],
    ['keepPagesDays: 3651', 'keepPagesDays: must be at most 3650'],
    ['keepPagesDays: "1000000"', 'keepPagesDays: must be at most 3650'],
    ['keepPagesDays: 1e300', 'keepPagesDays: must be at most 3650'],
    ['fileMode: 0600', 'fileMode: must be text, not a number'],
    ['fileMode: "0608"', 'fileMode: is not a valid file mode'],
    ['fileMode: "04600"', 'fileMode: is not a valid file mode'],
    ['fileMode: "u=rw"', 'fileMode: is not a valid file mode'],
    ['fileMode: "0444"', 'fileMode: does not let the owner read and write'],
    ['fileMode: "0755"', 'fileMode: makes files executable'],
    ['fileMode: "0666"', 'fileMode: lets every user of the host write'],
    ['fileMode: "0602"', 'fileMode: lets every user of the host write'],
    ['keepPagesDays: 0', 'keepPagesDays: must be above 0'],
    ['keepPagesDays: 7d', 'keepPagesDays: must be a number, not text'],
    ['keepPagesDays: [7]', 'keepPagesDays: must be a number, not a list'],
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
    ['obs://bucket//', 'has an empty, "." or ".." part in its prefix'],
    ['obs://bucket/..', 'has an empty, "." or ".." part in its prefix'],
    ['obs://bucket/a\u0007', 'contains a control character'],
    ['obs://bucket/x?AccessKeyId=K', 'contains a ? or #: a store has no query'],
    ['obs://bucket?a', 'contains a ? or #: a store has no query'],
    ['obs://bucket/x#y', 'contains a ? or #: a store has no query'],
    ['obs://u:p@bucket/x', 'contains a user or a password'],
    ['file:/lake?AccessKeyId=K', 'contains a query (?name=value)'],
    ['obs://bucket//x', 'has an empty, "." or ".." part in its prefix'],
    ['obs://bucket/a/../b', 'has an empty, "." or ".." part in its prefix'],
  ])('store %j %s', async (store, message) => {
    const text = minimal.replace('file:./export', JSON.stringify(store));
    expect(await faultsOf(text)).toEqual([`store: ${message}`]);
  });
});

test.each([
  ['acl: everyone', 'obs.acl: is not a known value'],
  ["region: 'a b'", 'obs.region: is not a valid region name'],
  ["region: ''", 'obs.region: is empty'],
])('obs: { %s } is a fault', async (setting, fault) => {
  const text = `${minimal.replace('file:./export', 'obs://lake')}obs: { ${setting} }\n`;
  expect(await faultsOf(text)).toEqual([fault]);
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
    [
      '{ AK: x, SK: y }',
      ['.ak: is missing', '.sk: is missing', '.AK: is not a setting', '.SK: is not a setting'],
    ],
    ['{}', [': has neither a key nor a sign-in']],
    ['[]', [': must be "agency" or a section']],
    ['agancy', [': is not "agency"']],
    ['{ ak: x, sk: y, iamUser: z }', [': mixes a key and a sign-in']],
  ])('%s', async (credentials, faults) => {
    expect(await faultsOf(text(credentials))).toEqual(
      faults.map((fault) => `accounts.0.credentials${fault}`),
    );
  });

  test('shows no value in any fault, because it may be a secret', async () => {
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

test.each([
  '{ ak: A, sk:SECRETSECRET1234 }',
  '{ ak: A, sk SECRETSECRET1234 }',
  '{ ak: A, sk: x, SECRETSECRET1234 }',
  '{ ak: A, sk: x, secretpassword }',
  '{ iamUser: u, iamPassword:SECRETSECRET1234, iamDomain: d }',
])('does not show a secret that a slip turned into a key: %s', async (credentials) => {
  const text = `store: file:x\naccounts: [{ name: a, credentials: ${credentials}, targets: [{ region: x }] }]\n`;
  const faults = await faultsOf(text);
  expect(faults.length).toBeGreaterThan(0);
  expect(faults.join(' ')).not.toMatch(/SECRET|secretpassword/);
});

test('shows an unknown key that looks like a setting, outside of credentials', async () => {
  const faults = await faultsOf('store: file:x\ncolour: red\naccounts: []\n');
  expect(faults.join(' ')).toContain('colour');
});

test('rejects a number in quotes that is too large', async () => {
  const text = `store: file:x\nkeepPagesDays: "${'9'.repeat(400)}"\naccounts: []\n`;
  expect((await faultsOf(text)).join(' ')).toContain('keepPagesDays: must be a finite number');
});
