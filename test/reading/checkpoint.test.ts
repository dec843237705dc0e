// Tests the checkpoint: the run id, its first state, and encoding.

import { expect, test } from 'vitest';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  runId,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';

const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
const scope = {
  account: 'prod',
  region: 'cn-south-4',
  projectId: 'p1',
  endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
  enterpriseProjectId: null,
  filters: { hostName: 'web', agentStatus: 'online' },
};
const snapshot = '20261124T060000Z';
const start = { target, schemaVersion: 1, snapshot, scope, startedAtMs: 1_795_500_000_000 };

test('gives the same run id for the same target, snapshot and scope, and another for any other', () => {
  const id = runId(target, snapshot, scope);
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  const filters = { agentStatus: 'online', hostName: 'web' };
  expect(runId({ ...target }, snapshot, { ...scope, filters })).toBe(id);
  const others = [
    runId({ ...target, table: 'other' }, snapshot, scope),
    runId({ ...target, projectId: 'p2' }, snapshot, scope),
    runId(target, '20261124T060001Z', scope),
    runId(target, snapshot, { ...scope, filters: {} }),
    runId(target, snapshot, { ...scope, enterpriseProjectId: 'all_granted_eps' }),
    runId(target, snapshot, { ...scope, endpoint: 'https://other' }),
  ];
  expect(new Set([id, ...others]).size).toBe(others.length + 1);
});

test('starts a run with no page read, at the first row of the first pass', () => {
  const checkpoint = startCheckpoint(start);
  expect(checkpoint).toMatchObject({
    run: runId(target, snapshot, scope),
    phase: 'collecting',
    lastPageAtMs: start.startedAtMs,
    cursor: { pass: 1, offset: 0, anchor: null },
    pages: [],
    verdict: null,
    sealAttempts: 0,
  });
  const { passes, ...rest } = checkpoint.evidence;
  expect(passes).toBe(1);
  expect(Object.values(rest).every((value) => value === 0)).toBe(true);
});

test('decodes what it encoded, and rejects truncated bytes', () => {
  const checkpoint = startCheckpoint(start);
  const bytes = encodeCheckpoint(checkpoint);
  expect(decodeCheckpoint('c', bytes)).toEqual(checkpoint);
  expect(() => decodeCheckpoint('c', bytes.subarray(0, 20))).toThrow(/^c: cannot be parsed/);
});
