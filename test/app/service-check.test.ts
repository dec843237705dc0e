// Tests the checks of the service: one request each, counted in the ledger, and none with a key that was refused.
// Method: a real connection to the simulator, which checks signatures.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Check } from '../../lib/app/check-result.ts';
import { connect } from '../../lib/app/connect.ts';
import {
  checkService,
  countRequests,
  type ServiceCheckOptions,
} from '../../lib/app/service-check.ts';
import { configFromFlags } from '../../lib/config/flags.ts';
import { policyOf } from '../../lib/core/error-policy.ts';
import { AuthError, StoppedError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { createFolder, simulate } from '../cli/test-runtime.ts';

async function start(options: SimulatorOptions = {}, sk?: string) {
  const simulator = await simulate(options);
  const { url, region, ak, flavour = 'hss' } = { ...simulator, ...options };
  const flags = { region, endpoint: url, iamEndpoint: url, store: 'file:./lake', api: flavour };
  const quota = { quotaRequests: '50', quotaWindowSeconds: '1' };
  const key = { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk ?? simulator.sk };
  const config = configFromFlags({ ...flags, ...quota }, key, createFolder());
  const connection = connect(config, { log: () => {}, scrubber: createScrubber() });
  const run = (more: Partial<ServiceCheckOptions> = {}) =>
    checkService(connection, {
      log: () => {},
      signal: new AbortController().signal,
      progress: () => {},
      blockedBy: () => null,
      canCount: true,
      ...more,
    });
  return { simulator, connection, run };
}

const statusesOf = (checks: readonly Check[]) =>
  Object.fromEntries(checks.map(({ check, status }) => [check, status]));

test('sends as many requests as it has announced, and the ledger has them all', async () => {
  const { simulator, connection, run } = await start();
  const checks = await run();
  expect(statusesOf(checks)).toEqual({
    ...{ 'sign-in': 'ok', project: 'ok', permission: 'ok' },
    ...{ 'container-node': 'ok', statistics: 'ok' },
  });
  expect(countRequests(connection.targets)).toBe(4);
  expect(simulator.stats().nodeRequests).toBe(3);
  const keys = (await connection.store.list('_quota/')).map(({ key }) => key);
  const counted = keys.map((key) => Number(key.split('-')[2]));
  expect(counted.reduce((sum, slots) => sum + slots, 0)).toBe(4);
});

test('asks the API of 2021 only what it knows', async () => {
  const { simulator, connection, run } = await start({ flavour: 'cgs' });
  expect(countRequests(connection.targets)).toBe(1);
  expect(statusesOf(await run())).toEqual({ 'sign-in': 'ok', project: 'ok', permission: 'ok' });
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('a refused key is used once', async () => {
  const { simulator, run } = await start({}, 'a-wrong-secret-key-0123456789');
  const checks = await run();
  expect(statusesOf(checks)).toEqual({ 'sign-in': 'failed', permission: 'skipped' });
  expect(checks[0]?.error?.code).toBe('REFUSED');
  expect(simulator.stats().unauthenticated).toBe(1);
});

describe('sends no request to a list', () => {
  test('if an earlier check found why it cannot succeed', async () => {
    const { simulator, run } = await start();
    const checks = await run({ blockedBy: () => 'the host cannot be reached' });
    expect(checks.map(({ message }) => message)).toContain('the host cannot be reached');
    expect(simulator.stats().requests).toBe(0);
  });

  test('if the store cannot count it, but asks IAM about the key', async () => {
    const { simulator, run } = await start();
    const checks = await run({ canCount: false });
    expect(statusesOf(checks)).toEqual({ 'sign-in': 'ok', project: 'ok', permission: 'skipped' });
    expect(simulator.stats().nodeRequests).toBe(0);
  });
});

test.each(['429@1', '503@1', '502html@1'])('%s is not repeated', async (fault) => {
  const [kind = '', at] = fault.split('@');
  const { simulator, run } = await start({ faults: [{ kind: kind as '429', at: Number(at) }] });
  const checks = await run();
  expect(statusesOf(checks)).toEqual({ 'sign-in': 'ok', project: 'ok', permission: 'failed' });
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('a fault of a comparison fails nothing', async () => {
  const { run } = await start({ faults: [{ kind: '500', at: 2 }] });
  expect(statusesOf(await run())).toMatchObject({
    permission: 'ok',
    'container-node': 'skipped',
    statistics: 'ok',
  });
});

// The second is shorter than a run waits, but longer than a person waits for an answer.
test.each([86_400, 600])(
  'a key that must wait for %i s is a failure with exit code 4 that says until when',
  async (retryAfterSeconds) => {
    const { simulator, run } = await start({ faults: [{ kind: '429', at: 1, retryAfterSeconds }] });
    expect(statusesOf(await run())).toMatchObject({ permission: 'failed' });
    const permission = (await run()).find(({ check }) => check === 'permission');
    expect(permission).toMatchObject({
      ...{ status: 'failed', account: 'default' },
      message: expect.stringMatching(/answered 429 .*asked this key to wait until 20\S+Z/),
    });
    expect(policyOf(permission?.error).exitCode).toBe(4);
    expect(simulator.stats().nodeRequests).toBe(1);
  },
);

test('keeps the checks until it was stopped', async () => {
  const stopper = new AbortController();
  const { run } = await start({
    beforePage: () => stopper.abort(new StoppedError('STOPPED', 'x', 'y')),
  });
  onTestFinished(() => stopper.abort());
  const checks = await run({ signal: stopper.signal });
  expect(statusesOf(checks)).toMatchObject({ project: 'ok' });
  expect(statusesOf(checks)).not.toHaveProperty('statistics');
});

test('asks IAM once for targets of one region', async () => {
  const { simulator, connection } = await start();
  const [target] = connection.targets;
  if (!target) throw new Error('no target');
  const checks = await checkService(
    { ...connection, targets: [target, { ...target, table: 'again' }] },
    {
      ...{ log: () => {}, signal: new AbortController().signal, progress: () => {} },
      ...{ blockedBy: () => null, canCount: false },
    },
  );
  expect(checks.filter(({ check }) => check === 'project')).toHaveLength(2);
  expect(simulator.stats().requests).toBe(1);
});

test('a key that is refused in a comparison is not used again', async () => {
  const { simulator, connection } = await start();
  const [target] = connection.targets;
  if (!target) throw new Error('no target');
  let asked = 0;
  const refusing = {
    ...target,
    openFiltered: (projectId: string, filters: { containerNode?: unknown }) => {
      asked += 1;
      throw new AuthError('REFUSED', `${projectId} ${filters.containerNode}`, 'x');
    },
  };
  const checks = await checkService(
    { ...connection, targets: [refusing] },
    {
      ...{ log: () => {}, signal: new AbortController().signal, progress: () => {} },
      ...{ blockedBy: () => null, canCount: true },
    },
  );
  expect(asked).toBe(1);
  expect(statusesOf(checks)).toMatchObject({
    ...{ 'sign-in': 'failed', permission: 'ok' },
    ...{ 'container-node': 'skipped', statistics: 'skipped' },
  });
  expect(simulator.stats().nodeRequests).toBe(1);
});
