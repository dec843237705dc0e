// Tests the verifier in Python, which follows docs/format.md and shares no code with verify: it accepts a store of sixty
// snapshots, signed and partly pruned, and names the object of each kind of damage, with keys and pins from elsewhere.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLargeStore, type LargeStore, readObjects } from '../forger/large-store.ts';
import { createTempDir } from '../formats/readers.ts';

type Objects = Map<string, Uint8Array>;

const script = join(import.meta.dirname, '../../examples/verify-store.py');
const temp = createTempDir();
let large: LargeStore;
let given: string[];
beforeAll(async () => {
  large = await createLargeStore();
  writeFileSync(temp.path('old.pem'), large.oldKey.signer.publicPem);
  writeFileSync(temp.path('new.pem'), large.newKey.signer.publicPem);
  writeFileSync(
    temp.path('pins.jsonl'),
    large.pins.map((pin) => `${JSON.stringify(pin)}\n`).join(''),
  );
  const keys = ['--public-key', temp.path('old.pem'), '--public-key', temp.path('new.pem')];
  given = [...keys, '--pins', temp.path('pins.jsonl')];
});
afterAll(() => temp.remove());

function verify(objects: Objects, options: string[]): { code: number | null; lines: string[] } {
  const folder = temp.path('store');
  rmSync(folder, { recursive: true, force: true });
  for (const [key, bytes] of objects) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), bytes);
  }
  const ended = spawnSync('python3', [script, folder, ...options], { encoding: 'utf8' });
  expect(ended.stderr).toBe('');
  return { code: ended.status, lines: ended.stdout.trimEnd().split('\n') };
}

/** The first key with this pattern, in the order of the keys. */
function find(objects: Objects, pattern: RegExp): string {
  const found = [...objects.keys()].sort().find((key) => pattern.test(key));
  if (found === undefined) throw new Error(`no object has a key like ${pattern}`);
  return found;
}

function findLast(objects: Objects, pattern: RegExp): string {
  const found = [...objects.keys()].sort().filter((key) => pattern.test(key));
  return found.at(-1) ?? find(objects, pattern);
}

function flip(objects: Objects, key: string): string {
  const bytes = Uint8Array.from(objects.get(key) ?? []);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  objects.set(key, bytes);
  return key;
}

function remove(objects: Objects, key: string): string {
  objects.delete(key);
  return key;
}

function add(objects: Objects, key: string, bytes: Uint8Array = new Uint8Array(64)): string {
  objects.set(key, bytes);
  return key;
}

/** Each changes the objects and returns the key that must be named. */
const damages: [string, (objects: Objects) => string][] = [
  ['a part that is altered', (o) => flip(o, findLast(o, /^container_nodes\/.*parquet$/))],
  ['a part that is missing', (o) => remove(o, findLast(o, /^web_nodes_ndjson\//))],
  ['changes of a pruned snapshot that are missing', (o) => remove(o, find(o, /_changes\//))],
  ['a manifest that is missing', (o) => remove(o, find(o, /^_manifests\/.*20261010T/))],
  ['the newest manifest, which is missing', (o) => remove(o, findLast(o, /^_manifests\/web/))],
  ['a manifest that does not parse', (o) => add(o, find(o, /^_manifests\/.*20261010T/))],
  ['a pointer that is missing', (o) => remove(o, find(o, /^_latest\//))],
  ['a pointer that is altered', (o) => flip(o, find(o, /^_head\//))],
  ['a signature that is altered', (o) => flip(o, find(o, /^_signatures\/.*20261010T/))],
  ['a signature that is missing', (o) => remove(o, find(o, /^_signatures\/.*20261010T/))],
  ['a public key that is missing', (o) => remove(o, find(o, /^_keys\//))],
  ['a file that is not a public key', (o) => add(o, '_keys/0123456789abcdef.pem')],
  ['a tombstone that is altered', (o) => flip(o, find(o, /^_pruned\/.*sig$/))],
  ['a pruned part without its tombstone', removeTombstone],
  [
    'a tombstone without its manifest',
    (o) => add(o, '_pruned/t/rgn=r/prj=p/20261010T060000Z.json'),
  ],
  ['an object that is not in any manifest', (o) => add(o, 'web_nodes/dt=2026-10-01/stray.parquet')],
  ['a target that is deleted, and pinned', removeTarget],
];

function removeTombstone(objects: Objects): string {
  const key = find(objects, /^_pruned\/.*json$/);
  const { parts } = JSON.parse(new TextDecoder().decode(objects.get(key)));
  objects.delete(key);
  return parts[0];
}

/** Of a table of its own, so that no other object names it. */
function removeTarget(objects: Objects): string {
  const newest = findLast(objects, /^_manifests\/web_nodes\//);
  for (const key of objects.keys()) if (key.includes('web_nodes')) objects.delete(key);
  return newest;
}

describe('examples/verify-store.py', () => {
  test('accepts the store, with and without keys and pins from elsewhere', () => {
    const objects = readObjects(large.store);
    for (const options of [given, []])
      expect(verify(objects, options)).toEqual({ code: 0, lines: ['0 faults, 60 manifests'] });
  });

  test.each(damages)('names %s', (_, damage) => {
    const objects = readObjects(large.store);
    const key = damage(objects);
    const { code, lines } = verify(objects, given);
    expect(code).toBe(5);
    expect(lines.filter((line) => line.startsWith(`${key}: `))).not.toEqual([]);
  });

  test('finds with a given key that another key signed the newest manifests', () => {
    const options = ['--public-key', temp.path('old.pem')];
    const { code, lines } = verify(readObjects(large.store), options);
    expect(code).toBe(5);
    expect(lines.filter((line) => line.startsWith('_manifests/'))).not.toEqual([]);
  });
});
