// Responsible for a store as a later major version of cgs-export would leave it: greater versions in manifests, with a chain and
// pointers that fit. Uses no code of lib/, because that code is under test.

import { createHash } from 'node:crypto';

const snapshotOf = (key: string) => key.slice(key.lastIndexOf('/') + 1, -'.json'.length);
const targetOf = (key: string) => key.slice(key.indexOf('/') + 1, key.lastIndexOf('/'));

/** The objects that differ, by key. `isNewer`: which snapshots the later version wrote, by their names; default: all of them. */
export function makeNewer(
  objects: ReadonlyMap<string, Uint8Array>,
  isNewer: (snapshot: string) => boolean = () => true,
): Map<string, Uint8Array> {
  const changed = new Map<string, Uint8Array>();
  const hashes = new Map<string, string>();
  const nameOf = (target: string, snapshot: string) => `${target}/${snapshot}`;
  const encode = (value: object) => Buffer.from(`${JSON.stringify(value)}\n`);
  const decode = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());
  const keys = [...objects.keys()].sort();
  // By name, so that each manifest comes after the one that it names.
  for (const key of keys.filter((one) => one.startsWith('_manifests/'))) {
    const manifest = decode(objects.get(key) as Uint8Array);
    const [target, snapshot] = [targetOf(key), snapshotOf(key)];
    if (isNewer(snapshot)) manifest.manifestVersion = 2;
    const { previous } = manifest;
    if (previous) previous.manifestSha256 = hashes.get(nameOf(target, previous.snapshot));
    const bytes = encode(manifest);
    hashes.set(nameOf(target, snapshot), createHash('sha256').update(bytes).digest('hex'));
    changed.set(key, bytes);
  }
  for (const key of keys.filter((one) => /^_(head|latest)\//.test(one))) {
    const pointer = decode(objects.get(key) as Uint8Array);
    const target = targetOf(pointer.manifest);
    changed.set(
      key,
      encode({ ...pointer, manifestSha256: hashes.get(nameOf(target, pointer.snapshot)) }),
    );
  }
  return changed;
}
