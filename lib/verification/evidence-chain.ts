// Responsible for what proves one snapshot: its manifest and all later ones up to the newest, with signatures, public keys and
// tombstones. It reads each object once and checks it. Not responsible for the bytes of the parts.

import * as v from 'valibot';
import { CorruptError } from '../core/errors.ts';
import { parseBounded } from '../core/exact-json.ts';
import {
  headKey,
  isFutureName,
  isPartOf,
  manifestKey,
  publicKeyKey,
  signatureKey,
  type TargetKey,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../core/object-keys.ts';
import type { Appended, ScratchFile, Store } from '../core/ports.ts';
import { findNewest, listSnapshots, readEvidence } from '../snapshots/catalog.ts';
import {
  decodePointer,
  decodeSealed,
  type Pointer,
  restoreHint,
  type Sealed,
} from '../snapshots/manifest.ts';
import { readsMax } from '../snapshots/read-note.ts';
import { type PublicKey, readPublicKey } from '../snapshots/signature.ts';
import { checkCounts } from './stated-rows.ts';

/** An object of the store, copied into the temporary file. */
export interface KeptObject {
  key: string;
  kept: Appended;
}

export interface Evidence {
  target: TargetKey;
  /** The snapshot that is proven. */
  sealed: Sealed;
  /** The end of the chain. */
  newest: Pick<Sealed, 'manifestKey' | 'manifestSha256'>;
  /** All but the parts, each once. */
  objects: readonly KeptObject[];
  manifests: number;
  /** How many of the manifests are signed. */
  signed: number;
  tombstones: number;
  /** Of all signatures, sorted. */
  keyIds: readonly string[];
}

export interface EvidenceOptions {
  store: Store;
  /** Takes the objects. */
  file: ScratchFile;
  /** Called often; `total` is an estimate. May throw to stop. */
  onProgress: (done: number, total: number) => void;
}

/** What is kept of a manifest while the chain is followed. */
interface Link extends Pick<Sealed, 'manifestKey' | 'manifestSha256'> {
  snapshot: string;
  previous: Sealed['manifest']['previous'];
  keyId: string | null;
  objects: KeptObject[];
}

/**
 * `sealed`: a snapshot of `target`. Memory: a few hundred bytes for each manifest. Throws CorruptError for the first object that is
 * missing or does not match, and the error of the store.
 */
export async function collectEvidence(
  target: TargetKey,
  sealed: Sealed,
  options: EvidenceOptions,
): Promise<Evidence> {
  const { store } = options;
  const { snapshot } = sealed.manifest;
  checkOwnParts(target, sealed);
  const reader = openReader(target, options);
  const start = await findStart(store, target);
  const links = await readLinks(reader, { from: snapshot, start: start.snapshot }, options);
  const chain = await followChain(reader, links, { start: start.snapshot, snapshot });
  checkHead(target, chain, start.head);
  const [newest] = chain;
  const own = chain.at(-1);
  if (!newest || own?.manifestSha256 !== sealed.manifestSha256) {
    throw corrupt(sealed.manifestKey, 'was replaced while it was read');
  }
  const tombstones: KeptObject[] = [];
  for (const link of chain) tombstones.push(...(await reader.readTombstone(link)));
  return {
    ...{ target, sealed, newest, manifests: chain.length },
    objects: [...chain.flatMap(({ objects }) => objects), ...tombstones, ...reader.listKeys()],
    signed: chain.filter(({ keyId }) => keyId !== null).length,
    tombstones: tombstones.filter(({ key }) => key.endsWith('.json')).length,
    keyIds: reader.listKeys().map(({ key }) => key.slice(-20, -4)),
  };
}

/** A manifest may name only parts of its own snapshot: another key could lead out of the store. */
function checkOwnParts(target: TargetKey, sealed: Sealed): void {
  const { manifestKey: key, manifest } = sealed;
  const other = manifest.parts.find((part) => !isPartOf(target, manifest.snapshot, part));
  if (other) {
    throw corrupt(key, `names ${JSON.stringify(other.key)}, which is not a part of this snapshot`);
  }
  const [fault] = checkCounts(sealed);
  if (fault) throw corrupt(key, fault.message);
}

/** `snapshot`: of the newest manifest. It is newer than `head` if a seal is under way or was interrupted. */
async function findStart(store: Store, target: TargetKey) {
  const key = headKey(target);
  const bytes = await readEvidence(store, key);
  if (!bytes) throw corrupt(key, 'is missing: it names the newest snapshot');
  const head = decodePointer(target, key, bytes);
  const newest = (await findNewest(store, target))?.manifest.snapshot ?? '';
  const isNewer = newest > head.snapshot && !isFutureName(head.snapshot, store.nowMs());
  return { head, snapshot: isNewer ? newest : head.snapshot };
}

type Reader = ReturnType<typeof openReader>;

/** Reads manifests, signatures, keys and tombstones into the file. Each method may be called once for each object. */
// Long because: one state, and the functions that share it.
function openReader(target: TargetKey, { store, file }: EvidenceOptions) {
  const keys = new Map<string, { object: KeptObject; publicKey: PublicKey }>();

  async function keep(key: string, bytes: Uint8Array): Promise<KeptObject> {
    return { key, kept: await file.append(bytes) };
  }

  async function readKey(keyId: string): Promise<PublicKey> {
    const known = keys.get(keyId);
    if (known) return known.publicKey;
    const key = publicKeyKey(keyId);
    const bytes = await readEvidence(store, key);
    if (!bytes) throw corrupt(key, 'is missing: a signature names this key');
    const publicKey = readPublicKey(Buffer.from(bytes).toString());
    if (publicKey?.keyId !== keyId) {
      throw corrupt(key, 'is not an Ed25519 public key with the id in its name');
    }
    keys.set(keyId, { object: await keep(key, bytes), publicKey });
    return publicKey;
  }

  /** Keeps the signature of `signed`. */
  async function keepSignature(
    key: string,
    signature: Uint8Array | null,
    signed: { key: string; keyId: string; bytes: Uint8Array },
  ): Promise<KeptObject> {
    if (!signature) throw corrupt(key, `is missing: ${signed.key} says that it is signed`);
    const publicKey = await readKey(signed.keyId);
    if (!publicKey.isSignatureOf(signed.bytes, signature)) {
      throw corrupt(key, `is not the signature of ${signed.key} by the key ${signed.keyId}`);
    }
    return keep(key, signature);
  }

  return {
    target,
    /** The given manifests that exist. They are read at the same time. */
    async readLinks(snapshots: readonly string[]): Promise<Link[]> {
      const read = await Promise.all(
        snapshots.map(async (snapshot) => {
          const key = manifestKey(target, snapshot);
          const bytes = await readEvidence(store, key);
          if (!bytes) return null;
          const sealed = decodeSealed(key, bytes);
          const { signing } = sealed.manifest;
          const place = signatureKey(target, snapshot);
          return { sealed, bytes, signature: signing && (await readEvidence(store, place)) };
        }),
      );
      const links: Link[] = [];
      for (const found of read) {
        if (!found) continue;
        const { manifestKey: key, manifest, manifestSha256 } = found.sealed;
        const { snapshot, previous, signing } = manifest;
        const keyId = signing?.keyId ?? null;
        const objects = [await keep(key, found.bytes)];
        if (keyId !== null) {
          const signed = { key, keyId, bytes: found.bytes };
          const place = signatureKey(target, snapshot);
          objects.push(await keepSignature(place, found.signature, signed));
        }
        links.push({ manifestKey: key, manifestSha256, snapshot, previous, keyId, objects });
      }
      return links;
    },
    /** The tombstone and its signature; empty: the snapshot has none. */
    async readTombstone({ snapshot, manifestSha256 }: Link): Promise<KeptObject[]> {
      const key = tombstoneKey(target, snapshot);
      const bytes = await readEvidence(store, key);
      if (!bytes) return [];
      const { keyId, namedSha256 } = readTombstoneText(key, bytes);
      if (namedSha256 !== manifestSha256) {
        throw corrupt(key, 'does not fit its manifest: it has another hash of it');
      }
      const objects = [await keep(key, bytes)];
      if (keyId === null) return objects;
      const place = tombstoneSignatureKey(target, snapshot);
      const signature = await readEvidence(store, place);
      return [...objects, await keepSignature(place, signature, { key, keyId, bytes })];
    },
    listKeys: () => [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { object }]) => object),
  };
}

/** What the archive depends on. */
const tombstoneShape = v.object({
  manifestSha256: v.string(),
  signing: v.nullable(v.object({ keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)) })),
});

function readTombstoneText(key: string, bytes: Uint8Array) {
  try {
    const text = Buffer.from(bytes).toString();
    const { manifestSha256, signing } = v.parse(tombstoneShape, parseBounded(text));
    return { namedSha256: manifestSha256, keyId: signing?.keyId ?? null };
  } catch {
    throw corrupt(key, 'is not a valid tombstone: it was truncated or altered');
  }
}

/** Those whose names lie between the two, by name: nearly always the whole chain. */
async function readLinks(
  reader: Reader,
  { from, start }: { from: string; start: string },
  { store, onProgress }: EvidenceOptions,
): Promise<Map<string, Link>> {
  const names = await listSnapshots(store, reader.target);
  const wanted = names.filter((name) => name >= from && name <= start);
  const links = new Map<string, Link>();
  for (let at = 0; at < wanted.length; at += readsMax) {
    onProgress(at, wanted.length);
    const read = await reader.readLinks(wanted.slice(at, at + readsMax));
    for (const link of read) links.set(link.snapshot, link);
  }
  return links;
}

/** From the newest to `snapshot`. A snapshot whose name is in the future can have a later one with an earlier name: it is read here. */
async function followChain(
  reader: Reader,
  links: ReadonlyMap<string, Link>,
  { start, snapshot }: { start: string; snapshot: string },
): Promise<Link[]> {
  const chain: Link[] = [];
  const seen = new Set<string>();
  let name = start;
  for (;;) {
    const key = manifestKey(reader.target, name);
    const link = links.get(name) ?? (await reader.readLinks([name]))[0];
    const follower = chain.at(-1);
    const by = follower ? follower.snapshot : headKey(reader.target);
    if (!link) throw corrupt(key, `is missing: ${by} names it`);
    if (follower && follower.previous?.manifestSha256 !== link.manifestSha256) {
      throw corrupt(key, `was altered: ${by} recorded another hash of it`);
    }
    chain.push(link);
    if (name === snapshot) return chain;
    seen.add(name);
    const { previous } = link;
    if (!previous || seen.has(previous.snapshot)) {
      const own = manifestKey(reader.target, snapshot);
      throw corrupt(own, `is not in the chain that ends with ${chain[0]?.manifestKey}`);
    }
    name = previous.snapshot;
  }
}

/** `_head` names a manifest of the chain with its hash, or the one before it if the snapshot is the newest. */
function checkHead(target: TargetKey, chain: readonly Link[], head: Pointer): void {
  const named = [
    ...chain.map(({ snapshot, manifestSha256 }) => ({ snapshot, manifestSha256 })),
    chain.at(-1)?.previous,
  ];
  const found = named.find((one) => one?.snapshot === head.snapshot);
  if (found && found.manifestSha256 === head.manifestSha256) return;
  throw corrupt(headKey(target), 'does not match the manifest that it names');
}

function corrupt(key: string, message: string): CorruptError {
  return new CorruptError(key, message, restoreHint);
}
