// Tests the shapes of scope and evidence by themselves; test/snapshots/manifest.test.ts tests them within a manifest.

import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { evidenceShape, scopeShape } from '../../lib/reading/evidence.ts';

const scope = {
  account: 'prod',
  region: 'cn-south-4',
  projectId: 'p1',
  endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
  enterpriseProjectId: null,
  filters: { hostName: 'web' },
};
const evidence = {
  pages: 22,
  requests: 23,
  retries: 1,
  throttled: 0,
  realigned: 1,
  repeats: 3,
  passes: 1,
  totalNumFirst: 4321,
  totalNumLast: 4322,
};

test('accepts a scope and an evidence as they are written', () => {
  expect(v.parse(scopeShape, scope)).toEqual(scope);
  expect(v.parse(evidenceShape, evidence)).toEqual(evidence);
});

describe('rejects', () => {
  test.each(Object.keys(scope))('a scope without %s', (member) => {
    expect(v.is(scopeShape, { ...scope, [member]: undefined })).toBe(false);
  });

  test.each(Object.keys(evidence))('an evidence whose %s is not a count', (member) => {
    for (const wrong of [undefined, null, -1, 1.5, '1', Number.MAX_SAFE_INTEGER + 1]) {
      expect(v.is(evidenceShape, { ...evidence, [member]: wrong })).toBe(false);
    }
  });
});
