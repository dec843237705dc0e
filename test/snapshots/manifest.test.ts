import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError, NewerVersionError } from '../../lib/core/errors.ts';
import { manifestKey, snapshotName } from '../../lib/core/object-keys.ts';
import {
  decodeManifest,
  decodePointer,
  encodeManifest,
  encodePointer,
  type Manifest,
  type Pointer,
} from '../../lib/snapshots/manifest.ts';

const key = '_manifests/container_nodes/rgn=cn-south-4/prj=p1/20261124T060000Z.json';

const count = fc.nat();
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const times = fc.date({ min: new Date(0), max: new Date('2999-12-31'), noInvalidDate: true });
const isoTime = times.map((time) => time.toISOString());
const snapshot = times.map((time) => snapshotName(time.getTime()));
const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
// valibot drops these three names when it decodes. They stay in the bytes, and the bytes are hashed.
const leftOut = ['__proto__', 'prototype', 'constructor'];
const name = fc
  .oneof(fc.constantFrom('toString', 'hasOwnProperty'), text)
  .filter((given) => !leftOut.includes(given));
const counts = fc.dictionary(name, count, { maxKeys: 3, noNullPrototype: true });

const manifests: fc.Arbitrary<Manifest> = fc.record({
  manifestVersion: fc.constant(1 as const),
  dataset: text,
  table: text,
  schemaVersion: count,
  snapshot,
  run: text,
  scheduleSeconds: count,
  scope: fc.record({
    account: text,
    region: text,
    projectId: text,
    api: fc.constantFrom('cgs', 'hss'),
    endpoint: text,
    enterpriseProjectId: fc.option(text),
    filters: fc.dictionary(name, text, { maxKeys: 3, noNullPrototype: true }),
  }),
  startedAt: isoTime,
  sealedAt: isoTime,
  verdict: fc.constantFrom('complete', 'drifted'),
  rows: count,
  rejects: count,
  evidence: fc.record({
    pages: count,
    requests: count,
    retries: count,
    throttled: count,
    realigned: count,
    repeats: count,
    passes: count,
    totalNumFirst: count,
    totalNumLast: count,
    missing: count,
  }),
  values: fc.dictionary(name, counts, { maxKeys: 3, noNullPrototype: true }),
  unknownValues: fc.dictionary(name, counts, { maxKeys: 3, noNullPrototype: true }),
  unknownFields: fc.array(text, { maxLength: 4 }),
  mistyped: counts,
  parts: fc.array(
    fc.record({
      role: fc.constantFrom('rows', 'rejects', 'changes'),
      format: fc.constantFrom('parquet', 'ndjson'),
      key: text,
      rows: count,
      bytes: count,
      sha256: hash,
    }),
    { maxLength: 3 },
  ),
  changes: fc.option(fc.record({ since: snapshot, added: count, removed: count, changed: count })),
  changesNone: fc.option(fc.constantFrom('first', 'drifted', 'scope', 'unreadable', 'pruned')),
  previous: fc.option(fc.record({ snapshot, manifestSha256: hash })),
  signing: fc.option(fc.record({ keyId: fc.stringMatching(/^[0-9a-f]{16}$/) })),
  writer: text,
});
const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
const pointers: fc.Arbitrary<Pointer> = fc
  .record({
    snapshot,
    manifestSha256: hash,
    account: text,
    verdict: fc.constantFrom<Pointer['verdict'][]>('complete', 'drifted'),
    parts: fc.array(text, { maxLength: 3 }),
  })
  .map((pointer) => ({
    ...pointer,
    ...target,
    manifest: manifestKey(target, pointer.snapshot),
  }));

const [manifest] = fc.sample(manifests, { numRuns: 1, seed: 1 }) as [Manifest];

test('decodes a manifest that it encoded', () => {
  fc.assert(
    fc.property(manifests, (given) => {
      expect(decodeManifest(key, encodeManifest(given))).toEqual(given);
    }),
  );
});

test('decodes a pointer that it encoded', () => {
  fc.assert(
    fc.property(pointers, (given) => {
      expect(decodePointer(target, key, encodePointer(given))).toEqual(given);
    }),
  );
});

test('writes the members in the order of docs/format.md, and a line feed at the end', () => {
  const written = encodeManifest(manifest).toString();
  expect(Object.keys(JSON.parse(written) as object)).toEqual(Object.keys(manifest));
  expect(written.startsWith('{"manifestVersion":1,')).toBe(true);
  // One line: programs that read JSON line by line can read it.
  expect(written.split('\n')).toEqual([expect.stringMatching(/\}$/), '']);
});

test('detects any truncation', () => {
  const bytes = encodeManifest(manifest);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => decodeManifest(key, bytes.subarray(0, length)), `${length}`).toThrow(CorruptError);
  }
  const [pointer] = fc.sample(pointers, { numRuns: 1, seed: 1 }) as [Pointer];
  const short = encodePointer(pointer);
  for (let length = 0; length < short.length; length += 1) {
    expect(() => decodePointer(target, key, short.subarray(0, length)), `${length}`).toThrow(
      CorruptError,
    );
  }
});

test('accepts members of a later version', () => {
  const later = { ...manifest, pages: 3, scope: { ...manifest.scope, tenant: 'x' } };
  expect(decodeManifest(key, Buffer.from(`${JSON.stringify(later)}\n`))).toEqual(manifest);
});

test.each([
  ['with the shape of this version', { ...manifest, manifestVersion: 2 }],
  ['of any other shape', { manifestVersion: 3, table: 7 }],
])('says that a newer version wrote a manifest with a greater manifestVersion, %s', (_, later) => {
  const decode = () => decodeManifest(key, Buffer.from(`${JSON.stringify(later)}\n`));
  const { manifestVersion } = later;
  expect(decode).toThrow(
    `${key}: was written by a newer version of cgs-export (manifestVersion ${manifestVersion}; this version reads 1)`,
  );
  expect(decode).toThrow(NewerVersionError);
  expect(decode).toThrow(
    expect.objectContaining({
      code: 'CORRUPT',
      hint: expect.stringMatching(/^Update cgs-export.*Only if no newer version has written/),
    }),
  );
});

describe('rejects an invalid manifest and names its key and member', () => {
  const part = {
    role: 'rows',
    format: 'parquet',
    key: 'k',
    rows: 1,
    bytes: 1,
    sha256: 'ab'.repeat(32),
  };
  const wrong: [string, object][] = [
    ['manifestVersion', { manifestVersion: 0 }],
    ['manifestVersion', { manifestVersion: '2' }],
    ['manifestVersion', { manifestVersion: 1.5 }],
    ['snapshot', { snapshot: '20260230T000000Z' }],
    ['rows', { rows: -1 }],
    ['rows', { rows: 1.5 }],
    ['rows', { rows: '1' }],
    ['verdict', { verdict: 'fine' }],
    ['startedAt', { startedAt: 'yesterday' }],
    ['evidence.pages', { evidence: { ...manifest.evidence, pages: null } }],
    ['scope.filters.a', { scope: { ...manifest.scope, filters: { a: 1 } } }],
    ['parts.0.sha256', { parts: [{ ...part, sha256: 'AB'.repeat(32) }] }],
    ['parts.0.sha256', { parts: [{ ...part, sha256: 'ab' }] }],
    ['parts.0.format', { parts: [{ ...part, format: 'csv' }] }],
    ['parts.0.role', { parts: [{ ...part, role: 'columns' }] }],
    ['dataset', { dataset: 7 }],
    ['previous.manifestSha256', { previous: { snapshot: '20261124T060000Z', manifestSha256: '' } }],
    ['changes', { changes: 3 }],
    ['changes.since', { changes: { since: 'x', added: 0, removed: 0, changed: 0 } }],
    ['changes.added', { changes: { since: '20261124T060000Z', removed: 0, changed: 0 } }],
    [
      'changes.changed',
      { changes: { since: '20261124T060000Z', added: 0, removed: 0, changed: -1 } },
    ],
    ['changesNone', { changesNone: 'lost' }],
    ['values.a.b', { values: { a: { b: 'x' } } }],
  ];
  test.each(wrong)('%s: %j', (path, change) => {
    const bytes = Buffer.from(`${JSON.stringify({ ...manifest, ...change })}\n`);
    let thrown: unknown;
    try {
      decodeManifest(key, bytes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CorruptError);
    expect((thrown as CorruptError).key).toBe(key);
    expect((thrown as CorruptError).message).toContain(`${key}: is not a valid manifest: ${path} `);
    expect((thrown as CorruptError).hint).toContain('verify');
  });

  // A manifest of an earlier build says nothing of a signature or of changes.
  const optional = ['signing', 'changes', 'changesNone'];
  test.each(Object.keys(manifest).filter((member) => !optional.includes(member)))(
    'without %s',
    (member) => {
      const { [member as keyof Manifest]: _gone, ...rest } = manifest;
      expect(() => decodeManifest(key, Buffer.from(`${JSON.stringify(rest)}\n`))).toThrow(member);
    },
  );

  test.each([
    ['nothing', ''],
    ['a list', '[]\n'],
    ['null', 'null\n'],
  ])('%s', (_name, written) => {
    expect(() => decodeManifest(key, Buffer.from(written))).toThrow(CorruptError);
  });

  test('bytes that are not UTF-8', () => {
    const bytes = Uint8Array.from(encodeManifest({ ...manifest, writer: 'wwww' }));
    bytes[Buffer.from(bytes).indexOf('wwww')] = 0xff;
    expect(() => decodeManifest(key, bytes)).toThrow(/does not parse/);
  });
});
