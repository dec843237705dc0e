// Tests which region a host name names, and which hosts are the service's own.

import { expect, test } from 'vitest';
import { hostOf, isServiceHost, regionOf } from '../../lib/config/regional-host.ts';

test.each([
  ['cn-north-4', 'https://hss.cn-north-4.myhuaweicloud.com'],
  ['ap-southeast-1', 'https://hss.ap-southeast-1.myhuaweicloud.com'],
  ['na-mexico-1', 'https://hss.na-mexico-1.myhuaweicloud.com'],
  ['eu-west-101', 'https://hss.eu-west-101.myhuaweicloud.eu'],
])('the host of a service in %s names this region', (region, host) => {
  expect(hostOf('hss', region)).toBe(host);
  expect(regionOf(new URL(host).hostname)).toBe(region);
  expect(isServiceHost(new URL(host).hostname)).toBe(true);
});

test.each([
  ['iam.myhuaweicloud.com', null, false],
  ['iam.cn-north-4.myhuaweicloud.com', 'cn-north-4', false],
  ['cgs.cn-south-4.myhuaweicloud.com.', 'cn-south-4', true],
  ['hss.cn-south-4.example.com', null, false],
  ['hss.cn-south-4.myhuaweicloud.com.example.com', null, false],
  ['localhost', null, false],
  ['[::1]', null, false],
])('%s names the region %s', (host, region, isService) => {
  expect([regionOf(host), isServiceHost(host)]).toEqual([region, isService]);
});
