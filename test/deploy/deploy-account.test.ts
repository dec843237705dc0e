// Owns the proof of where it is deployed to, and that a project is asked for and never made.

import { describe, expect, test } from 'vitest';
import { findPlace, readAccess } from '../../lib/deploy/deploy-account.ts';
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
  ])('in region %s', (region, endpoint, iamEndpoint) => {
    const access = readAccess(region === undefined ? {} : { region }, env);
    expect(access).toMatchObject({ endpoint, iamEndpoint, projectId: null, securityToken: null });
    expect(access.secrets).toEqual(['the-ak', 'the-sk']);
  });

  test('both halves of the key are asked for at once', () => {
    expect(() => readAccess({}, {})).toThrow(
      /HUAWEICLOUD_SDK_AK: is not set\nHUAWEICLOUD_SDK_SK: is not set/,
    );
  });

  test.each([
    'http://functiongraph.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
  ])('a signature does not go to %s', (endpoint) => {
    expect(() => readAccess({ endpoint }, env)).toThrow('provider.endpoint');
  });

  test.each(['http://127.0.0.1:8080', 'http://localhost:1', 'https://fg.example.com/'])(
    'but to %s',
    (endpoint) => {
      expect(readAccess({ endpoint }, env).endpoint).toBe(endpoint.replace(/\/$/, ''));
    },
  );

  test.each([
    [{ HTTPS_PROXY: 'http://proxy:1' }, 'http://proxy:1'],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'example.com, .myhuaweicloud.com' }, null],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'huaweicloud.com' }, 'http://proxy:1'],
    [{ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: '*' }, null],
    [{}, null],
  ])('a proxy by %j: %s', (variables, proxyUrl) => {
    expect(readAccess({}, { ...env, ...variables }).proxyUrl).toBe(proxyUrl);
  });
});

describe('the project', () => {
  const options = { scrubber: createScrubber(), nowMs: Date.now };

  test('is asked of IAM by the name of the region, and not made if there is none', async () => {
    const double = await startFunctionGraph();
    const keys = { HUAWEICLOUD_SDK_AK: double.key.ak, HUAWEICLOUD_SDK_SK: double.key.sk };
    const access = readAccess({ endpoint: double.url, iamEndpoint: double.url }, keys);
    const { region, projectId } = double;
    expect(await findPlace(access, options)).toEqual({ region, projectId });
    await expect(findPlace({ ...access, region: 'cn-north-4' }, options)).rejects.toMatchObject({
      code: 'CONFIG',
    });
    expect(new Set(double.requests)).toEqual(new Set(['GET /v3/projects']));
    await double.stop();
  });

  test('is not asked for when it is given', async () => {
    const access = readAccess({ projectId: 'p', iamEndpoint: 'http://127.0.0.1:9' }, env);
    expect(await findPlace(access, options)).toEqual({ region: 'cn-south-4', projectId: 'p' });
  });
});
