// Tests the checkpoint: the run id, its first state, encoding, and the shapes of scope and evidence.
// test/snapshots/manifest.test.ts tests these shapes within a manifest.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { encodeState } from '../../lib/core/state.ts';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  evidenceShape,
  runId,
  scopeShape,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';

const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
const scope = {
  account: 'prod',
  region: 'cn-south-4',
  projectId: 'p1',
  api: 'hss' as const,
  endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
  enterpriseProjectId: null,
  filters: { hostName: 'web', agentStatus: 'online' },
};
const snapshot = '20261124T060000Z';
const dataset = 'container_nodes';
const read = { dataset, schemaVersion: 1, scope };
const start = { target, ...read, snapshot, startedAtMs: 1_795_500_000_000 };

test('gives the same run id for the same target, snapshot, scope and columns, and another for any other', () => {
  const id = runId(start);
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  // The same filters in another order.
  const filters = { agentStatus: 'online', hostName: 'web' };
  expect(runId({ ...start, target: { ...target }, scope: { ...scope, filters } })).toBe(id);
  const others = [
    { ...start, target: { ...target, table: 'other' } },
    { ...start, target: { ...target, projectId: 'p2' } },
    { ...start, snapshot: '20261124T060001Z' },
    { ...start, scope: { ...scope, filters: {} } },
    { ...start, scope: { ...scope, enterpriseProjectId: 'all_granted_eps' } },
    { ...start, scope: { ...scope, endpoint: 'https://other' } },
    { ...start, schemaVersion: 2 },
    { ...start, dataset: 'container_clusters' },
  ].map(runId);
  expect(new Set([id, ...others]).size).toBe(others.length + 1);
});

test('starts a run with no page read, at the first row of the first pass', () => {
  const checkpoint = startCheckpoint(start);
  expect(checkpoint).toMatchObject({
    run: runId(start),
    phase: 'collecting',
    lastPageAtMs: start.startedAtMs,
    cursor: { pass: 1, offset: 0, anchor: null },
    pageCount: 0,
    passStarts: [],
    verdict: null,
    sealAttempts: 0,
    sealPace: null,
  });
  const { passes, ...rest } = checkpoint.evidence;
  expect(passes).toBe(1);
  expect(Object.values(rest).every((value) => value === 0)).toBe(true);
});

describe('a stored checkpoint', () => {
  const pages = [Buffer.from('\npage\n'), randomBytes(200), randomBytes(90)];
  const recent = pages.map((page) => page.toString('base64'));
  const checkpoint = { ...startCheckpoint(start), recent };
  const bytes = encodeCheckpoint(checkpoint);

  test('is decoded as it was encoded, with and without pages', () => {
    expect(decodeCheckpoint('c', bytes)).toEqual(checkpoint);
    const empty = { ...checkpoint, recent: [] };
    expect(decodeCheckpoint('c', encodeCheckpoint(empty))).toEqual(empty);
  });

  test('is a line of JSON and the bytes of its pages', () => {
    const text = Buffer.from(bytes).toString('latin1');
    const line = JSON.parse(text.slice(0, text.indexOf('\n'))) as { value: object };
    expect(line).toMatchObject({ kind: 'checkpoint', value: { run: checkpoint.run } });
    expect(Buffer.from(bytes.subarray(text.indexOf('\n') + 1))).toEqual(Buffer.concat(pages));
  });

  test('is reported with its key if any byte is changed, it is truncated, or bytes follow', () => {
    const decode = (altered: Uint8Array) => () => decodeCheckpoint('c', altered);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
        const altered = Uint8Array.from(bytes);
        altered[index] = (altered[index] ?? 0) ^ change;
        expect(decode(altered)).toThrow(CorruptError);
        expect(decode(bytes.subarray(0, index))).toThrow(/^c: /);
      }),
    );
    expect(decode(Buffer.concat([bytes, Buffer.from('x')]))).toThrow(CorruptError);
    expect(decode(bytes.subarray(0, 20))).toThrow(/^c: cannot be parsed/);
  });

  test('of an earlier version is refused, not misread', () => {
    const earlier = encodeState('checkpoint', 3, { ...startCheckpoint(start), pages: [] });
    expect(() => decodeCheckpoint('c', earlier)).toThrow(
      'c: has version 3, but this build reads version 7',
    );
  });
});

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
  missing: 0,
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
