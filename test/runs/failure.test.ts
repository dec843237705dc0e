// Tests what is reported for a target that was not tried, because another target's request was refused, and that an error of
// `export` names the hold that it leads to.

import { expect, test } from 'vitest';
import { AuthError, ProtocolError, RateLimitedError } from '../../lib/core/errors.ts';
import { notTried } from '../../lib/runs/failure.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { createTestExporter } from '../support/test-exporter.ts';

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

test.each([
  [
    'key',
    new AuthError('REFUSED', 'refused', 'look there'),
    /^Its access key is held until (\S+Z), also/,
  ],
  [
    'target',
    new ProtocolError('NOT_A_PAGE', 'm', 'look there'),
    /^This target is held until (\S+Z), also/,
  ],
  [
    'wait',
    new RateLimitedError('m', 'look there', 7_200_000),
    /^Its access key is held until (\S+Z)\.$/,
  ],
])(
  'an error of a command says until when timers leave the %s alone, and what ends that',
  async (_name, error, expected) => {
    const world = createTestExporter();
    const target = world.createTarget({
      openSource: () => ({
        fetchPage: async () => {
          throw error;
        },
      }),
    });
    const { errors } = await world.exportNow({ targets: [target] });
    const [own, hold = ''] = errors[0]?.hint.split('\n') ?? [];
    expect(own).toBe('look there');
    const [status] = await readStatus(world.store, 86_400_000, [target]);
    expect(expected.exec(hold)?.[1]).toBe(status?.heldUntil);
    if (!(error instanceof RateLimitedError)) {
      expect(hold).toMatch(
        /A timer tries again when the hold ends\. `cgs-export export` tries at once; `--account prod`/,
      );
    }
    // The log line has it too, because the command prints an error that is logged only once.
    expect(world.logs.some(({ fields }) => fields.hint === errors[0]?.hint)).toBe(true);
    // `status` adds the hold itself.
    expect(status?.failure?.hint).toBe('look there');
  },
);
