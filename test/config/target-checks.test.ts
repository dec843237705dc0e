// Tests what is wrong with one target whose settings are each valid: hosts of another region, odd ids. What the cgs API
// does not accept is tested in rules.test.ts.

import { describe, expect, test } from 'vitest';
import { faultsOf, key, load, withTarget } from './loading.ts';

describe('the region and the addresses of a target', () => {
  const huawei = (service: string, region: string, end = 'com') =>
    `https://${service}.${region}.myhuaweicloud.${end}`;
  const withHosts = (region: string, hosts: object) =>
    withTarget(JSON.stringify({ region, ...hosts }));

  test.each([
    ['endpoint', 'cn-north-4', huawei('hss', 'cn-south-4')],
    ['endpoint', 'cn-north-4', huawei('cgs', 'cn-south-4')],
    ['endpoint', 'cn-nowhere-9', huawei('hss', 'cn-north-4')],
    ['endpoint', 'eu-west-101', huawei('hss', 'ap-southeast-1')],
    ['endpoint', 'cn-north-4', huawei('hss', 'eu-west-101', 'eu')],
    ['endpoint', 'cn-north-4', 'HTTPS://HSS.CN-SOUTH-4.MyHuaweiCloud.com:443/'],
    ['endpoint', 'cn-north-4', huawei('hss', 'cn-south-4', 'com.')],
    ['iamEndpoint', 'cn-north-4', huawei('iam', 'cn-south-4')],
  ])('%s: region %s and %s is a fault', async (name, region, host) => {
    expect(await faultsOf(withHosts(region, { [name]: host }))).toEqual([
      `accounts.0.targets.0.${name}: is a host of another region`,
    ]);
  });

  test.each([
    huawei('hss', 'cn-north-4'),
    'http://127.0.0.1:8080',
    'https://hss.cn-south-4.example.com',
    'https://hss.internal',
    'https://myhuaweicloud.com',
    'https://iam.myhuaweicloud.com',
    'https://gateway.corp.myhuaweicloud.com',
    'https://cn-south-4.myhuaweicloud.com',
    'https://hss.cn-south-4.notmyhuaweicloud.com',
  ])('does not judge %s', async (host) => {
    const config = await load(withHosts('cn-north-4', { endpoint: host, iamEndpoint: host }));
    expect(config.warnings).toEqual([]);
  });

  test('does not judge the address of OBS: a bucket may be in another region', async () => {
    const text = `store: obs://lake\nobs: { endpoint: "${huawei('obs', 'cn-south-1')}" }\naccounts: [{ name: a, targets: [{ region: cn-north-4 }] }]`;
    expect((await load(text)).store).toMatchObject({ region: 'cn-south-1' });
  });
});

describe('an id of another form', () => {
  const warningsOf = async (target: string, options = {}) =>
    (await load(withTarget(target), key, options)).warnings.map(({ path }) => path);
  const warning = ['accounts.0.targets.0.projectId'];

  test.each(['abc', '0f1e2d3c4b5a69788796a5b4c3d2e1f', '0f1e2d3c4b5a69788796a5b4c3d2e1fg'])(
    'the project id %s is a warning on hosts of the service',
    async (projectId) => {
      expect(await warningsOf(`{ region: x, projectId: ${projectId} }`)).toEqual(warning);
      expect(await warningsOf(`{ region: cn-south-4, projectId: ${projectId} }`)).toEqual(warning);
      const eu = `{ region: eu-west-101, projectId: ${projectId} }`;
      expect(await warningsOf(eu)).toEqual(warning);
    },
  );

  test('is not a fault on other hosts, nor for a command that only reads the store', async () => {
    expect(await warningsOf('{ region: x, projectId: a, endpoint: "http://[::1]:1" }')).toEqual([]);
    const proxy = '{ region: x, projectId: a, endpoint: "https://hss.example.com" }';
    expect(await warningsOf(proxy)).toEqual([]);
    expect(await warningsOf('{ region: x, projectId: a }', { needs: 'store' })).toEqual([]);
  });

  test.each(['bogus', '1', 'ALL', '0f1e2d3c4b5a69788796a5b4c3d2e1f0'])(
    'nor does the enterprise project %s have the form of one',
    async (id) => {
      const warned = ['accounts.0.targets.0.enterpriseProjectId'];
      expect(await warningsOf(`{ region: x, enterpriseProjectId: "${id}" }`)).toEqual(warned);
      const own = `{ region: x, endpoint: "https://a.example", enterpriseProjectId: "${id}" }`;
      expect(await warningsOf(own)).toEqual([]);
    },
  );

  test.each(['0', 'all_granted_eps', '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'])(
    'the enterprise project %s causes no warning',
    async (id) => {
      expect(await warningsOf(`{ region: x, enterpriseProjectId: "${id}" }`)).toEqual([]);
    },
  );

  test('32 hex digits, or no id, cause no warning', async () => {
    for (const id of ['0f1e2d3c4b5a69788796a5b4c3d2e1f0', '0F1E2D3C4B5A69788796A5B4C3D2E1F0']) {
      expect(await warningsOf(`{ region: x, projectId: ${id} }`)).toEqual([]);
    }
    expect(await warningsOf('{ region: x }')).toEqual([]);
  });
});
