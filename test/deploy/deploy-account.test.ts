// Tests the account to deploy to: endpoints, key, proxy, and the look-up of the project.

import { describe, expect, test } from 'vitest';
import { readDeployAccess, readProjectId } from '../../lib/deploy/deploy-account.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { startFunctionGraph } from '../support/function-graph.ts';

const env = { HUAWEICLOUD_SDK_AK: 'the-ak', HUAWEICLOUD_SDK_SK: 'the-sk' };

describe('access', () => {
  test.each([
    [
      undefined,
      'https://functiongraph.cn-south-4.myhuaweicloud.com',
      'https://iam.cn-south-4.myhuaweicloud.com',
    ],
    [
      'eu-west-101',
      'https://functiongraph.eu-west-101.myhuaweicloud.eu',
      'https://iam.eu-west-101.myhuaweicloud.eu',
    ],
  ])('uses the endpoints of region %s', (region, endpoint, iamEndpoint) => {
    const access = readDeployAccess(region === undefined ? {} : { region }, env);
    expect(access).toMatchObject({ endpoint, iamEndpoint, projectId: null, securityToken: null });
    expect(access).toMatchObject({ ak: 'the-ak', sk: 'the-sk' });
  });

  test('reports both missing parts of the key at once', () => {
    expect(() => readDeployAccess({}, {})).toThrow(
      /HUAWEICLOUD_SDK_AK: is not set\nHUAWEICLOUD_SDK_SK: is not set/,
    );
  });

  test.each([
    'http://functiongraph.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
  ])('rejects the endpoint %s', (endpoint) => {
    expect(() => readDeployAccess({ endpoint }, env)).toThrow('provider.endpoint');
  });

  test.each(['http://127.0.0.1:8080', 'http://localhost:1', 'https://fg.example.com/'])(
    'accepts the endpoint %s',
    (endpoint) => {
      expect(readDeployAccess({ endpoint }, env).endpoint).toBe(endpoint.replace(/\/$/, ''));
    },
  );

  test('rejects a host of another region than the one to deploy to', () => {
    const endpoint = 'https://functiongraph.cn-north-4.myhuaweicloud.com';
    const iamEndpoint = 'https://iam.cn-north-4.myhuaweicloud.com';
    expect(() => readDeployAccess({ endpoint, iamEndpoint }, env)).toThrow(
      /^provider.endpoint: is a host of another region\nprovider.iamEndpoint: is a host of/,
    );
    const access = readDeployAccess({ region: 'cn-north-4', endpoint, iamEndpoint }, env);
    expect(access).toMatchObject({ endpoint, iamEndpoint });
  });

  test.each([
    [{ HTTPS_PROXY: 'http://proxy:1' }, 'http://proxy:1'],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'example.com, .myhuaweicloud.com' }, null],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'huaweicloud.com' }, 'http://proxy:1'],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: '*' }, null],
    [{}, null],
  ])('%j gives the proxy %s', (variables, proxyUrl) => {
    expect(readDeployAccess({}, { ...env, ...variables }).proxyUrl).toBe(proxyUrl);
  });
});

describe('the project', () => {
  const scrubber = createScrubber();

  test('is looked up in IAM by the name of the region, and never created', async () => {
    const double = await startFunctionGraph();
    const keys = { HUAWEICLOUD_SDK_AK: double.key.ak, HUAWEICLOUD_SDK_SK: double.key.sk };
    const access = readDeployAccess({ endpoint: double.url, iamEndpoint: double.url }, keys);
    expect(await readProjectId(access, scrubber)).toBe(double.projectId);
    await expect(
      readProjectId({ ...access, region: 'cn-north-4' }, scrubber),
    ).rejects.toMatchObject({
      code: 'CONFIG',
    });
    expect(new Set(double.requests)).toEqual(new Set(['GET /v3/projects']));
    await double.stop();
  });

  test('is not looked up if it is configured', async () => {
    const access = readDeployAccess({ projectId: 'p', iamEndpoint: 'http://127.0.0.1:9' }, env);
    expect(await readProjectId(access, scrubber)).toBe('p');
    expect(access.region).toBe('cn-south-4');
  });
});
