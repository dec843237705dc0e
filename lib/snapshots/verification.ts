// Responsible for checking that a store still holds what its manifests say: parts, chains, pointers. It only reads.

import { CorruptError } from '../core/errors.ts';
import {
  headKey,
  headsPrefix,
  latestKey,
  latestPrefix,
  manifestKey,
  manifestsPrefix,
  parseManifestKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import type { Sealed } from './catalog.ts';
import { decodeManifest, decodePointer, type Manifest, type Part } from './manifest.ts';

export interface Fault {
  /** The object's key. */
  key: string;
  message: string;
}

export interface Verification {
  manifests: number;
  parts: number;
  /** Of the parts that were read. */
  bytes: number;
  /** Everything that does not match. Empty: every byte equals what was sealed. */
  faults: Fault[];
  /** Keys of data objects that no manifest names: left by an interrupted seal, or added by another program. */
  unnamed: string[];
}

type Report = (key: string, message: string) => void;

/** `onPart` is called before each part is read. */
export async function verifyStore(
  store: Store,
  onPart: (progress: { key: string; done: number; total: number }) => void,
): Promise<Verification> {
  const faults: Fault[] = [];
  const report: Report = (key, message) => faults.push({ key, message });
  const chains = await readChains(store, report);
  for (const chain of chains) checkChain(chain, report);
  await checkPointers(store, chains, report);
  const parts = chains.flat().flatMap(({ manifest }) => manifest.parts);
  const named = new Map(parts.map((part) => [part.key, part]));
  let bytes = 0;
  let done = 0;
  for (const [key, part] of named) {
    onPart({ key, done, total: named.size });
    done += 1;
    bytes += await checkPart(store, part, report);
  }
  const unnamed = (await store.list(''))
    .map((object) => object.key)
    .filter((key) => !key.startsWith('_') && !named.has(key));
  return { manifests: chains.flat().length, parts: named.size, bytes, faults, unnamed };
}

/** The readable manifests of each target, oldest first. */
async function readChains(store: Store, report: Report): Promise<Sealed[][]> {
  const chains = new Map<string, Sealed[]>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const parsed = parseManifestKey(key);
    if (!parsed) {
      report(key, 'is not a manifest: only manifests belong here');
      continue;
    }
    const bytes = await store.get(key);
    const manifest = bytes && decodeOrReport(() => decodeManifest(key, bytes), report);
    if (!bytes || !manifest) continue;
    const own = targetOf(manifest);
    if (manifestKey(own, manifest.snapshot) !== key) {
      report(key, `is the manifest of ${targetId(own)} ${manifest.snapshot}: it was moved`);
    }
    const id = targetId(parsed.target);
    const sealed = { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
    chains.set(id, [...(chains.get(id) ?? []), sealed]);
  }
  return [...chains.values()];
}

function targetOf({ table, scope }: Manifest): TargetKey {
  return { table, region: scope.region, projectId: scope.projectId };
}

/** Null if `decode` throws CorruptError, which is reported. */
function decodeOrReport<T>(decode: () => T, report: Report): T | null {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    report(error.key, error.message.slice(error.key.length + 2));
    return null;
  }
}

/** Each manifest must name the one before it, and its hash. */
function checkChain(chain: readonly Sealed[], report: Report): void {
  for (const [index, { manifestKey: key, manifest }] of chain.entries()) {
    const { previous, snapshot } = manifest;
    const before = chain[index - 1];
    if (!previous) {
      if (before) report(key, 'claims to be the first of its chain, but an older manifest exists');
    } else if (before?.manifest.snapshot !== previous.snapshot) {
      const found = before?.manifest.snapshot ?? 'missing';
      report(
        key,
        `names ${previous.snapshot} as its predecessor, but the one before it is ${found}`,
      );
    } else if (before.manifestSha256 !== previous.manifestSha256) {
      report(before.manifestKey, `was altered: ${snapshot} recorded another hash of it`);
    }
  }
}

/** `_head` must name each target's newest manifest, and `_latest` its newest complete one. */
async function checkPointers(
  store: Store,
  chains: readonly (readonly Sealed[])[],
  report: Report,
): Promise<void> {
  const checked = new Set<string>();
  for (const chain of chains) {
    const newest = chain[chain.length - 1];
    if (!newest) continue;
    const target = targetOf(newest.manifest);
    const complete = chain.findLast(({ manifest }) => manifest.verdict === 'complete');
    const pointers = [
      { key: headKey(target), expected: newest, what: 'the newest snapshot' },
      { key: latestKey(target), expected: complete, what: 'the newest complete snapshot' },
    ];
    for (const pointer of pointers) {
      checked.add(pointer.key);
      await checkPointer(store, pointer, report);
    }
  }
  for (const prefix of [headsPrefix, latestPrefix]) {
    for (const { key } of await store.list(prefix)) {
      if (!checked.has(key)) report(key, 'names a target that has no manifest');
    }
  }
}

async function checkPointer(
  store: Store,
  { key, expected, what }: { key: string; expected: Sealed | undefined; what: string },
  report: Report,
): Promise<void> {
  const bytes = await store.get(key);
  if (!bytes) {
    if (expected) report(key, `is missing: it should name ${what}, ${expected.manifest.snapshot}`);
    return;
  }
  const pointer = decodeOrReport(() => decodePointer(key, bytes), report);
  if (!pointer) return;
  const isExpected =
    pointer.snapshot === expected?.manifest.snapshot && pointer.manifest === expected.manifestKey;
  if (!isExpected) {
    const found = expected?.manifest.snapshot ?? 'none';
    report(key, `names ${pointer.snapshot}, but ${what} is ${found}`);
  } else if (pointer.manifestSha256 !== expected.manifestSha256) {
    report(expected.manifestKey, `was altered: ${key} recorded another hash of it`);
  }
}

/** Returns the number of bytes read. */
async function checkPart(store: Store, part: Part, report: Report): Promise<number> {
  const { key } = part;
  const bytes = await store.get(key);
  if (!bytes) {
    report(key, 'is missing: a manifest names it');
    return 0;
  }
  if (bytes.length !== part.bytes) {
    report(key, `has ${bytes.length} bytes, but its manifest says ${part.bytes}`);
  } else if (sha256(bytes) !== part.sha256) {
    report(key, 'was altered: its hash differs from the one in its manifest');
  }
  return bytes.length;
}
