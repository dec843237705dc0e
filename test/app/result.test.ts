import { expect, test } from 'vitest';
import { describeError, describeFailure, describeResult } from '../../lib/app/result.ts';
import { ConfigError, ProtocolError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';

test('a result as the contract has it', () => {
  const manifest = {
    table: 'container_nodes',
    scope: { region: 'cn-south-4', projectId: 'p1' },
    snapshot: '20261124T060000Z',
    rows: 7,
    verdict: 'complete',
  };
  const sealed = { manifest, manifestKey: '_manifests/x.json', manifestSha256: 'ab' };
  const result = {
    status: 'sealed',
    snapshots: [sealed],
    requests: 3,
    errors: [],
  } as unknown as CollectResult;
  expect(describeResult(result, createScrubber())).toEqual({
    status: 'sealed',
    snapshots: [
      {
        table: 'container_nodes',
        region: 'cn-south-4',
        projectId: 'p1',
        snapshot: '20261124T060000Z',
        rows: 7,
        verdict: 'complete',
        manifest: '_manifests/x.json',
        manifestSha256: 'ab',
      },
    ],
    requests: 3,
    errors: [],
  });
});

test('every fault of a configuration is an entry of its own', () => {
  const error = new ConfigError([
    { path: 'store', message: 'is missing', hint: 'add it' },
    { path: '', message: 'there is no file', hint: 'write one' },
  ]);
  expect(describeError(error, createScrubber())).toEqual([
    { code: 'CONFIG', message: 'store: is missing', hint: 'add it' },
    { code: 'CONFIG', message: 'there is no file', hint: 'write one' },
  ]);
});

test('what is not deliberate is ours, and says how to report it', () => {
  const { status, errors } = describeFailure(
    new TypeError('x is not a function'),
    createScrubber(),
  );
  expect(status).toBe('failed');
  expect(errors).toMatchObject([{ code: 'INTERNAL', message: 'TypeError: x is not a function' }]);
  expect(errors[0]?.hint).toContain('--log-level debug');
  expect(describeError('thrown text', createScrubber())[0]?.message).toBe('thrown text');
});

test('no secret in message or hint', () => {
  const scrubber = createScrubber();
  scrubber.add('verysecret');
  const error = new ProtocolError('X', 'said verysecret', 'not verysecret');
  expect(JSON.stringify(describeError(error, scrubber))).not.toContain('verysecret');
});
