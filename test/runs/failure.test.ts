// Tests what is reported for a target that was not tried, because another target's request was refused.

import { expect, test } from 'vitest';
import { AuthError } from '../../lib/core/errors.ts';
import { notTried } from '../../lib/runs/failure.ts';

const target = { account: 'prod', table: 'nodes', region: 'cn-south-4', projectId: null };

test.each([
  ['REFUSED', /key was refused \(REFUSED\)/, /^Correct the key of account prod first/],
  ['CLOCK_SKEW', /clock is wrong \(CLOCK_SKEW\)/, /^Correct the clock of this host first/],
  ['PROXY_REFUSED', /proxy refused the login/, /^Correct the login in HTTPS_PROXY first/],
  ['KEY_LOCKED', /locked the key/, /^Wait 5 minutes/],
])('after %s the reason is that of the first error', (code, message, hint) => {
  const error = notTried(target, new AuthError(code, 'm', 'h'));
  expect(error.code).toBe('NOT_TRIED');
  expect(error.message).toMatch(message);
  expect(error.hint).toMatch(hint);
  expect(error.subject).toContain('account prod');
});
