// Tests every object key: the exact keys of docs/format.md, and that parsing returns what was built.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  alertsKey,
  checkpointKey,
  damagedScheduleKey,
  dataDirectories,
  doctorPrefix,
  headKey,
  isFutureName,
  isPartOf,
  isPointerKey,
  isRunKey,
  isWorkKey,
  latestKey,
  leasePrefix,
  manifestKey,
  manifestPrefix,
  manifestsPrefix,
  objectBytesMax,
  type PartKind,
  parseManifestKey,
  parsePartKey,
  parsePublicKeyKey,
  parseRunKey,
  parseSignatureKey,
  parseTombstoneKey,
  partKey,
  probedSizesKey,
  publicKeyKey,
  quotaPrefix,
  runPrefix,
  runsPrefix,
  scheduleKey,
  sealingPrefix,
  sealRecordKey,
  segmentKey,
  signatureKey,
  snapshotName,
  snapshotTimeMs,
  spareAlertsKey,
  targetId,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';

const target = { table: 'container_nodes', region: 'cn-south-4', projectId: '0f1e' };
const snapshot = '20261124T060000Z';
const sha256 = 'ab'.repeat(32);

const targets = fc.record({
  table: fc
    .stringMatching(/^[a-z][a-z0-9_]{0,20}$/)
    .filter((table) => !/_(ndjson|rejects|changes)$/.test(table)),
  region: fc.stringMatching(/^[a-z]{2,8}(-[a-z0-9]{1,8}){1,3}$/),
  projectId: fc.stringMatching(/^[\w-]{1,40}$/),
});
const seconds = fc
  .integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1_000 })
  .map((second) => second * 1_000);
const rowsParquet: PartKind = { role: 'rows', format: 'parquet' };
const rowsNdjson: PartKind = { role: 'rows', format: 'ndjson' };
const rejectsNdjson: PartKind = { role: 'rejects', format: 'ndjson' };
const formats = fc.constantFrom(rowsParquet, rowsNdjson, rejectsNdjson);
const hashes = fc.stringMatching(/^[0-9a-f]{64}$/);

test('every key is as docs/format.md says', () => {
  const place = 'dt=2026-11-24/rgn=cn-south-4/prj=0f1e';
  const run = runPrefix(target, snapshot, '0123456789ab');
  expect({
    parquet: partKey(target, rowsParquet, snapshot, sha256),
    ndjson: partKey(target, rowsNdjson, snapshot, sha256),
    rejects: partKey(target, rejectsNdjson, snapshot, sha256),
    manifest: manifestKey(target, snapshot),
    latest: latestKey(target),
    head: headKey(target),
    checkpoint: checkpointKey(run),
    sealRecord: sealRecordKey(target, snapshot, '0123456789ab'),
    segment: segmentKey(run, '000012-cdef'),
    private: [scheduleKey, quotaPrefix, leasePrefix],
  }).toEqual({
    parquet: `container_nodes/${place}/${snapshot}-abababababab.parquet`,
    ndjson: `container_nodes_ndjson/${place}/${snapshot}-abababababab.ndjson.gz`,
    rejects: `container_nodes_rejects/${place}/${snapshot}-abababababab.ndjson.gz`,
    manifest: `_manifests/container_nodes/rgn=cn-south-4/prj=0f1e/${snapshot}.json`,
    latest: '_latest/container_nodes/rgn=cn-south-4/prj=0f1e.json',
    head: '_head/container_nodes/rgn=cn-south-4/prj=0f1e.json',
    checkpoint: `_runs/container_nodes/rgn=cn-south-4/prj=0f1e/${snapshot}-0123456789ab/checkpoint.json`,
    sealRecord: `_runs/container_nodes/rgn=cn-south-4/prj=0f1e/sealing/${snapshot}-0123456789ab.json`,
    segment: `_runs/container_nodes/rgn=cn-south-4/prj=0f1e/${snapshot}-0123456789ab/pages/000012-cdef`,
    private: ['_runs/schedule.json', '_quota/', '_lease/'],
  });
});

describe('snapshot names', () => {
  test('are converted to times and back without loss', () => {
    fc.assert(
      fc.property(seconds, (timeMs) => {
        const name = snapshotName(timeMs);
        expect(name).toMatch(/^\d{8}T\d{6}Z$/);
        expect(snapshotTimeMs(name)).toBe(timeMs);
        expect(snapshotName(timeMs + 999)).toBe(name);
      }),
    );
  });
  test('have the same order as their times', () => {
    fc.assert(
      fc.property(seconds, seconds, (a, b) => {
        expect(Math.sign(compareUtf8(snapshotName(a), snapshotName(b)))).toBe(Math.sign(a - b));
      }),
    );
  });
  test.each([
    '',
    '20261124T060000',
    '2026-11-24T06:00:00Z',
    '20261324T060000Z',
    '20260230T060000Z',
    '20261124T240000Z',
    '20261124T060060Z',
    ' 20261124T060000Z',
    '20261124T060000Z.json',
  ])('%j is not a snapshot name', (name) => {
    expect(snapshotTimeMs(name)).toBeNull();
  });
});

test('a name is in the future from more than 24 hours after the given time on', () => {
  const nowMs = Date.UTC(2026, 10, 24, 6);
  expect(isFutureName('20261125T060000Z', nowMs)).toBe(false);
  expect(isFutureName('20261125T060001Z', nowMs)).toBe(true);
});

describe('keys', () => {
  test('are parsed back to the same values, and start with their prefix', () => {
    fc.assert(
      fc.property(targets, seconds, formats, hashes, (given, timeMs, format, hash) => {
        const name = snapshotName(timeMs);
        const part = partKey(given, format, name, hash);
        expect(parsePartKey(part)).toMatchObject({ target: given, kind: format, snapshot: name });
        expect(isPartOf(given, name, { ...format, key: part, sha256: hash })).toBe(true);
        expect(dataDirectories(given.table)).toContain(part.split('/')[0]);
        const manifest = manifestKey(given, name);
        expect(parseManifestKey(manifest)).toEqual({ target: given, snapshot: name });
        expect(manifest.startsWith(manifestPrefix(given))).toBe(true);
        expect(manifest.startsWith(manifestsPrefix)).toBe(true);
        const place = { target: given, snapshot: name };
        expect(parseSignatureKey(signatureKey(given, name))).toEqual(place);
        const tombstone = { ...place, isSignature: false };
        expect(parseTombstoneKey(tombstoneKey(given, name))).toEqual(tombstone);
        const signed = { ...place, isSignature: true };
        expect(parseTombstoneKey(tombstoneSignatureKey(given, name))).toEqual(signed);
        const keyId = hash.slice(0, 16);
        expect(parsePublicKeyKey(publicKeyKey(keyId))).toBe(keyId);
        const run = runPrefix(given, name, hash.slice(0, 12));
        expect(run.startsWith(runsPrefix(given))).toBe(true);
        const record = sealRecordKey(given, name, hash.slice(0, 12));
        expect(record.startsWith(sealingPrefix(given))).toBe(true);
        for (const key of [checkpointKey(run), record, segmentKey(run, `000003-${hash}`)]) {
          expect(parseRunKey(given, key)).toEqual({ snapshot: name, run: hash.slice(0, 12) });
        }
      }),
    );
  });

  test('differ for different targets, formats, snapshots and contents', () => {
    const place = fc.tuple(targets, formats, seconds, hashes);
    fc.assert(
      fc.property(place, place, (a, b) => {
        const keyOf = ([given, format, timeMs, hash]: typeof a) =>
          partKey(given, format, snapshotName(timeMs), hash);
        const isSame =
          targetId(a[0]) === targetId(b[0]) &&
          a[1] === b[1] &&
          a[2] === b[2] &&
          a[3].slice(0, 12) === b[3].slice(0, 12);
        expect(keyOf(a) === keyOf(b)).toBe(isSame);
      }),
    );
  });

  test("a project's prefix does not match another project whose id has the same beginning", () => {
    const longer = { ...target, projectId: `${target.projectId}2` };
    expect(manifestKey(longer, snapshot).startsWith(manifestPrefix(target))).toBe(false);
    expect(runPrefix(longer, snapshot, 'ab').startsWith(runsPrefix(target))).toBe(false);
  });

  test.each([
    '../../etc/passwd',
    '/etc/passwd',
    '',
    partKey({ ...target, projectId: 'other' }, rowsNdjson, snapshot, sha256),
    partKey(target, rowsNdjson, '20261124T060001Z', sha256),
    partKey(target, rowsParquet, snapshot, sha256),
    partKey(target, rowsNdjson, snapshot, 'cd'.repeat(32)),
  ])('%j is not the key of this part of this snapshot', (key) => {
    expect(isPartOf(target, snapshot, { ...rowsNdjson, key, sha256 })).toBe(false);
  });

  test('of signatures, public keys and tombstones are distinguished from foreign names', () => {
    const signature = signatureKey(target, snapshot);
    for (const key of [`${signature}.bak`, '_signatures/a.sig', manifestKey(target, snapshot)]) {
      expect(parseSignatureKey(key)).toBeNull();
    }
    for (const key of ['_keys/a.pem', `${publicKeyKey('0123456789abcdef')}~`, '_keys/x/y.pem']) {
      expect(parsePublicKeyKey(key)).toBeNull();
    }
    for (const key of [`${tombstoneKey(target, snapshot)}~`, '_pruned/a.json', signature]) {
      expect(parseTombstoneKey(key)).toBeNull();
    }
  });

  test('no part holds rejects as Parquet', () => {
    const part = { role: 'rejects', format: 'parquet', key: 'x', sha256 } as const;
    expect(isPartOf(target, snapshot, part)).toBe(false);
  });

  test('of pointers and of runs are distinguished from foreign names', () => {
    const run = runPrefix(target, snapshot, '0123456789ab');
    for (const key of [headKey(target), latestKey(target)]) expect(isPointerKey(key)).toBe(true);
    const ofRun = [sealRecordKey(target, snapshot, '0123456789ab'), checkpointKey(run)];
    for (const key of [...ofRun, segmentKey(run, '000003-ff')]) expect(isRunKey(key)).toBe(true);
    expect(['_head/.nfs0001', `${headKey(target)}.bak`].some(isPointerKey)).toBe(false);
    expect([scheduleKey, '_runs/notes.txt', `${ofRun[0]}.bak`].some(isRunKey)).toBe(false);
  });

  test('of working state are distinguished from foreign names, also what a killed doctor has left', () => {
    const run = runPrefix(target, snapshot, '0123456789ab');
    const own = [
      ...[scheduleKey, damagedScheduleKey, probedSizesKey, `${doctorPrefix}0123456789ab`],
      ...[alertsKey, spareAlertsKey],
      `${doctorPrefix}0123456789ab-lease`,
      ...[checkpointKey(run), sealRecordKey(target, snapshot, '0123456789ab')],
    ];
    expect(own.filter((key) => !isWorkKey(key))).toEqual([]);
    const foreign = [
      '_runs/junk',
      `${scheduleKey}.bak`,
      `${probedSizesKey}~`,
      '_runs/_doctor/link',
    ];
    expect(foreign.filter(isWorkKey)).toEqual([]);
  });

  test.each([
    `container_nodes/dt=2026-11-24/rgn=a/prj=b/${snapshot}-0123456789ab.csv`,
    `container_nodes/dt=2026-11-24/rgn=a/prj=b/${snapshot}-0123456789ab.ndjson.gz`,
    `container_nodes/dt=2026-11-24/rgn=a/prj=b/${snapshot}-0123456789AB.parquet`,
    `container_nodes/dt=2026-11-24/rgn=a/prj=b/c/${snapshot}-0123456789ab.parquet`,
    `container_nodes/rgn=a/prj=b/${snapshot}-0123456789ab.parquet`,
    '_manifests/x',
    'README',
  ])('%s is not the key of a part', (key) => {
    expect(parsePartKey(key)).toBeNull();
  });

  test.each([
    `_manifests/t/rgn=a/prj=b/${snapshot}.json.tmp`,
    `_manifests/t/rgn=a/prj=b/c/${snapshot}.json`,
    `_manifests/t/prj=b/${snapshot}.json`,
    `_manifests/t/rgn=a/prj=b/latest.json`,
    `x/_manifests/t/rgn=a/prj=b/${snapshot}.json`,
  ])('%s is not the key of a manifest', (key) => {
    expect(parseManifestKey(key)).toBeNull();
  });
});

test.each([
  ['_head/t/rgn=a/prj=b.json', 2 ** 20],
  ['_lease/000000000001', 2 ** 20],
  ['_quota/x', 2 ** 20],
  ['_manifests/t/rgn=a/prj=b/20261124T060000Z.json', 2 ** 22],
  ['_runs/schedule.json', 2 ** 24],
  ['_runs/t/rgn=a/prj=b/20261124T060000Z-0123456789ab/checkpoint.json', 2 ** 26],
  ['t/dt=2026-11-24/rgn=a/prj=b/20261124T060000Z-0123456789ab.parquet', 2 ** 31 - 1],
])('an object %s has at most %d bytes', (key, bytesMax) => {
  expect(objectBytesMax(key)).toBe(bytesMax);
});
