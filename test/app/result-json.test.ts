// Tests the JSON form of results and errors.

import { expect, test } from 'vitest';
import { toErrorsJson, toFailureJson, toResultJson } from '../../lib/app/result-json.ts';
import { ConfigError, ProtocolError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';

test('a result has the documented fields', () => {
  const manifest = {
    table: 'container_nodes',
    scope: { account: 'prod', region: 'cn-south-4', projectId: 'p1' },
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
    held: [],
    failing: [],
    paused: [],
  } as unknown as CollectResult;
  expect(toResultJson(result, createScrubber())).toEqual({
    status: 'sealed',
    snapshots: [
      {
        account: 'prod',
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

test('held and failing targets are there only if there are some, and their texts are redacted', () => {
  const scrubber = createScrubber();
  scrubber.add('verysecret');
  const times = { since: '2026-11-24T06:00:00.000Z', last: '2026-11-24T06:00:00.000Z' };
  const text = { code: 'REFUSED', message: 'said verysecret', hint: 'not verysecret' };
  const held = {
    ...{ account: 'prod', table: 't', region: 'r', projectId: null },
    heldUntil: '2026-11-24T06:15:00.000Z',
    failure: { ofKey: true, ...text, ...times, failures: 1 },
  };
  const result: CollectResult = {
    ...{ status: 'idle', snapshots: [], requests: 0, throttled: 0, errors: [], idle: 'not due' },
    held: [held, { ...held, failure: null }],
    failing: [{ ...held, heldUntil: null }],
    paused: [],
  };
  const json = toResultJson(result, scrubber);
  expect(json.held).toMatchObject([
    { account: 'prod', heldUntil: '2026-11-24T06:15:00.000Z', failure: { code: 'REFUSED' } },
    { failure: null },
  ]);
  expect(json.failing).toMatchObject([{ heldUntil: null, failure: { code: 'REFUSED' } }]);
  expect(JSON.stringify(json)).not.toContain('verysecret');
});

test('each fault of a configuration is one entry', () => {
  const error = new ConfigError([
    { path: 'store', message: 'is missing', hint: 'add it' },
    { path: '', message: 'there is no file', hint: 'write one' },
  ]);
  expect(toErrorsJson(error, createScrubber())).toEqual([
    { code: 'CONFIG', message: 'store: is missing', hint: 'add it' },
    { code: 'CONFIG', message: 'there is no file', hint: 'write one' },
  ]);
});

test('an unexpected error is reported as a bug, with the way to report it', () => {
  const { status, errors } = toFailureJson(new TypeError('x is not a function'), createScrubber());
  expect(status).toBe('failed');
  expect(errors).toMatchObject([{ code: 'INTERNAL', message: 'TypeError: x is not a function' }]);
  expect(errors[0]?.hint).toContain('--log-level debug');
  expect(toErrorsJson('thrown text', createScrubber())[0]?.message).toBe('thrown text');
});

test('redacts secrets in message and hint', () => {
  const scrubber = createScrubber();
  scrubber.add('verysecret');
  const error = new ProtocolError('X', 'said verysecret', 'not verysecret');
  expect(JSON.stringify(toErrorsJson(error, scrubber))).not.toContain('verysecret');
});
