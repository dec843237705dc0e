// Tests what each measurement of `doctor` means.

import { describe, expect, test } from 'vitest';
import {
  judgeClock,
  judgeContainerNode,
  judgeCount,
  judgeEnterpriseProject,
  judgeModes,
  judgeRegion,
  judgeRoute,
  judgeTotal,
} from '../../lib/app/judgement.ts';
import { policyOf } from '../../lib/core/error-policy.ts';

const subject = { check: 'clock', account: 'prod' } as const;

describe('the clock', () => {
  const judge = (aheadMs: number | null, isLimited = true) =>
    judgeClock(subject, { aheadMs, name: 'the API', isLimited });

  test.each([
    [0, 'ok', 'within 2 s of'],
    [-59_999, 'ok', '60 s behind'],
    [60_000, 'warning', '60 s ahead of'],
    [-900_000, 'warning', '15 min behind'],
    [900_001, 'failed', '15 min ahead of'],
    [-86_400_000, 'failed', '24 h behind'],
  ] as const)('%i ms ahead is %s', (aheadMs, status, text) => {
    const check = judge(aheadMs);
    expect(check).toMatchObject({ status, account: 'prod', target: null });
    expect(check.message).toContain(`${text} the clock of the API`);
    expect(check.hint === '').toBe(status === 'ok');
  });

  test('a skew that the service refuses is a permission fault: exit code 3', () => {
    const { error } = judge(1_000_000);
    expect(error?.code).toBe('CLOCK_SKEW');
    expect(policyOf(error).exitCode).toBe(3);
  });

  test('a file system refuses nothing', () => {
    expect(judge(86_400_000, false).status).toBe('warning');
  });

  test('is not checked without a time', () => {
    expect(judge(null).status).toBe('skipped');
  });
});

describe('the route', () => {
  const proxy = { httpsProxy: 'http://me:word@proxy:3128', noProxy: '.internal' };
  test.each([
    ['https://hss.example.com', proxy, 'hss.example.com: through the proxy proxy:3128'],
    ['https://hss.internal', proxy, /directly.*NO_PROXY/],
    ['http://127.0.0.1:80', proxy, /directly.*plain http/],
    ['https://hss.example.com', { ...proxy, httpsProxy: null }, /HTTPS_PROXY is not set/],
  ])('to %s', (address, settings, text) => {
    const { message, status } = judgeRoute(subject, address, settings);
    expect(status).toBe('ok');
    expect(message).toMatch(text);
    expect(message).not.toContain('word');
  });
});

describe('the scope', () => {
  test.each([
    ['hss', 'all_granted_eps', 'ok'],
    ['hss', '0', 'warning'],
    ['hss', null, 'warning'],
    ['hss', 'ep-1', 'ok'],
    ['cgs', null, 'skipped'],
  ] as const)('%s with enterprise project %s is %s', (api, enterpriseProjectId, status) => {
    expect(judgeEnterpriseProject(subject, { api, enterpriseProjectId }).status).toBe(status);
  });

  test.each([
    ['https://hss.cn-north-4.myhuaweicloud.com', 'ok'],
    ['https://hss.internal.example', 'skipped'],
  ])('the region at %s is %s', (endpoint, status) => {
    expect(judgeRegion(subject, { region: 'cn-north-4', endpoint }).status).toBe(status);
  });

  test('an empty list is a warning', () => {
    const about = { listed: 'nodes', cost: '1 request' };
    expect(judgeTotal(subject, { ...about, total: 1 })).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(/has 1 nodes: a snapshot needs at least 1 request$/),
    });
    expect(judgeTotal(subject, { ...about, total: 0 })).toMatchObject({
      status: 'warning',
      hint: expect.stringContaining('enterpriseProjectId'),
    });
  });
});

describe('container_node', () => {
  test.each([
    ['the parameter makes no difference', 5, 5, 5, 'ok'],
    ['nothing is left out', 5, 2, 3, 'ok'],
    ['there are no container nodes', 5, 0, 5, 'ok'],
    ['there are only container nodes', 5, 5, 0, 'ok'],
    ['only container nodes are listed', 5, 5, 3, 'ok'],
    ['container nodes are left out', 5, 2, 5, 'warning'],
    ['the list is empty and has container nodes', 0, 2, 0, 'warning'],
    ['the figures do not add up', 50, 30, 10, 'warning'],
    ['the list grew by one node', 5, 3, 3, 'ok'],
    ['the list lost one node', 5, 3, 1, 'ok'],
    ['a long list grew by a hundred nodes', 20_000, 8_100, 12_000, 'ok'],
    ['a long list without a difference grew', 20_000, 20_050, 20_100, 'ok'],
    ['container nodes are left out of a list that grew', 1_000, 300, 1_001, 'warning'],
    ['a long list does not add up', 20_000, 8_000, 11_000, 'warning'],
    ['the list is empty', 0, 0, 0, 'ok'],
  ] as const)('%s', (_name, notSent, yes, no, status) => {
    const check = judgeContainerNode(subject, { notSent, yes, no });
    expect(check.status).toBe(status);
    expect(check.hint === '').toBe(status === 'ok');
    expect(check.message).toContain(`${yes} with true`);
  });
});

test("a difference to the service's own count is a note, never a fault", () => {
  expect(judgeCount(subject, 300, 300)).toMatchObject({ status: 'ok' });
  expect(judgeCount(subject, 312, 300)).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/^note: .*312.*300/),
  });
});

describe('access of other users', () => {
  const judge = (fileMode: number, ...paths: Parameters<typeof judgeModes>[1]) =>
    judgeModes(subject, paths, { fileMode, umask: 0o022 });

  test.each([
    [0o600, 'file', 0o100600, 'ok'],
    [0o600, 'file', 0o100640, 'warning'],
    [0o640, 'file', 0o100640, 'ok'],
    [0o600, 'folder', 0o40700, 'ok'],
    [0o600, 'folder', 0o40755, 'warning'],
    [0o644, 'folder', 0o40755, 'ok'],
    [0o644, 'folder', 0o40777, 'warning'],
    [0o600, 'root', 0o40755, 'ok'],
    [0o600, 'root', 0o40775, 'warning'],
  ] as const)('with fileMode %i a %s of mode %i is %s', (fileMode, kind, mode, status) => {
    expect(judge(fileMode, { path: '/lake/x', kind, mode }).status).toBe(status);
  });

  test('names the first path and how many more there are', () => {
    const wide = { kind: 'file', mode: 0o100666 } as const;
    const { message } = judge(0o600, { path: '/a', ...wide }, { path: '/b', ...wide });
    expect(message).toContain('/a (0666) and 1 more');
    expect(message).toContain('umask 0022');
  });
});
