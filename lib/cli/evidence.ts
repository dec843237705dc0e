// Responsible for the command `evidence`: a zip with one snapshot and what proves it, which can be checked without this program.

import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { requireOutsideStore } from '../app/outside-store.ts';
import { exitCodes } from '../core/error-policy.ts';
import {
  CorruptError,
  configFault,
  NewerVersionError,
  PrunedError,
  UnusableObjectError,
} from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { ScratchFile, Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import {
  describeIrregular,
  listSnapshots,
  readManifest,
  type Sealed,
} from '../snapshots/catalog.ts';
import type { Part } from '../snapshots/manifest.ts';
import { describeDifference, partMissing } from '../snapshots/part-difference.ts';
import { readTimeline } from '../snapshots/timeline.ts';
import { collectEvidence, type Evidence, type KeptObject } from '../verification/evidence-chain.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { formatCheck, formatReadme } from './evidence-readme.ts';
import { describeTarget, formatBytes, formatCount, formatPlural, quoteForShell } from './format.ts';
import { createStreamedFile } from './new-file.ts';
import {
  addReaderOptions,
  connectPickedTargets,
  describePick,
  type ReaderOptions,
} from './picked-targets.ts';
import type { ProgressState } from './progress.ts';
import type { Session } from './session.ts';
import { checkKept, type ListNeeded, nameRetry, type Retry } from './snapshot-pair.ts';
import { pickAllStoredTargets, type StoredTarget } from './stored-targets.ts';
import { writeZip, type ZipMember } from './zip-file.ts';

type EvidenceOptions = ReaderOptions & { out?: string };

export const evidenceCommand: CommandDefinition<EvidenceOptions> = {
  name: 'evidence',
  summary: 'write a zip that proves a snapshot to others',
  description:
    'Writes one snapshot and its proof into a zip: its files, its manifest and all later ones, signatures, public keys and tombstones. README in the zip says how to check it with sha256sum and OpenSSL 3, without cgs-export. Everything is checked while it is packed: if something does not match, no zip is written. Sends nothing to the service.',
  arguments: [['[snapshot]', 'the name of a snapshot, for example 20261124T060000Z']],
  addOptions: (command) =>
    command.option('--out <file>', 'the zip to write; a file that exists is never overwritten'),
  addTargetOptions: addReaderOptions,
  writes: 'the zip; nothing in the store; copies of manifests in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export evidence 20261124T060000Z --out evidence.zip',
    'cgs-export evidence 20261124T060000Z --out evidence.zip --account prod --region cn-north-4',
  ],
  note: 'Several targets can have a snapshot of this name: the zip has all of them, or those that the options\npick. Give the receiver the key ids, or the hash of the newest manifest, in another way than in the\nzip.',
  run: runEvidence,
};

/** A target with the snapshot. */
interface Found {
  target: StoredTarget;
  sealed: Sealed;
}

const outHint = 'Give another name with --out, in a folder that exists.';

async function runEvidence(
  options: EvidenceOptions,
  session: Session,
  [snapshot]: readonly string[] = [],
): Promise<Outcome> {
  const { out, ...readerOptions } = options;
  if (out === undefined) {
    throw configFault('--out', 'is missing', 'Name the zip to write: --out evidence.zip.');
  }
  if (snapshot === undefined || snapshotTimeMs(snapshot) === null) {
    throw await notAName(snapshot, readerOptions, session);
  }
  const { connection, targets } = await connectPickedTargets(
    readerOptions,
    session,
    pickAllStoredTargets,
  );
  const { store, scratch } = connection;
  const file = resolve(session.runtime.cwd, out);
  await requireOutsideStore(
    {
      ...{ name: '--out', path: file, hint: 'Choose a folder outside the store.' },
      reason: '`verify` and other programs would take the zip for a stored object',
    },
    store,
  );
  const retry: Retry = (target, [kept]) =>
    `cgs-export evidence ${kept}${describePick(options, target, targets)} --out ${quoteForShell(out)}`;
  let found: Found[] = [];
  try {
    found = await findSnapshot(store, targets, snapshot);
    await checkAllKept(store, found, retry);
    await scratch.removeLeft();
    const copies = await scratch.open();
    try {
      return await packAll(store, session, { found, copies, file });
    } finally {
      await copies.remove();
    }
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    // Retention may have deleted a part while it was packed.
    await checkAllKept(store, found, retry);
    throw withHint(error);
  }
}

/** `given`: not the name of a snapshot. If it is a time, the hint names the newest snapshot up to it. */
async function notAName(given: string | undefined, options: ReaderOptions, session: Session) {
  const hint = 'Write it like 20261124T060000Z. `cgs-export history` lists all snapshots.';
  if (given === undefined) return configFault('snapshot', 'is missing', hint);
  const message = `"${given}" is not the name of a snapshot`;
  const timeMs = /^\d{4}-\d\d-\d\d/.test(given) ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(timeMs)) return configFault('snapshot', message, hint);
  const picked = await connectPickedTargets(options, session, pickAllStoredTargets);
  const { store } = picked.connection;
  const names = await Promise.all(picked.targets.map((target) => listSnapshots(store, target)));
  const nearest = names
    .flat()
    .filter((name) => (snapshotTimeMs(name) ?? Infinity) <= timeMs)
    .sort()
    .at(-1);
  const found =
    nearest === undefined
      ? 'There is no snapshot at or before this time.'
      : `The nearest snapshot at or before this time is ${nearest}.`;
  return configFault('snapshot', message, `${found} \`cgs-export history\` lists all snapshots.`);
}

function withHint(cause: CorruptError): CorruptError {
  const { key, message } = cause;
  const todo =
    cause instanceof NewerVersionError
      ? cause.hint
      : 'Run `cgs-export verify`: it lists all faults of the store.';
  const hint = `No zip was written. ${todo}`;
  return new CorruptError(key, message.slice(key.length + 2), hint, { cause });
}

const listAll: ListNeeded = ({ manifest }) => manifest.parts;

/** Throws PrunedError if retention has deleted a part. */
async function checkAllKept(store: Store, found: readonly Found[], retry: Retry): Promise<void> {
  for (const { target, sealed } of found) {
    for (const part of sealed.manifest.parts) {
      await checkKept(store, target, { sealed, part }, listAll).catch((error: unknown) => {
        if (error instanceof PrunedError) nameRetry(error, target, retry);
        throw error;
      });
    }
  }
}

/** Throws ConfigError if no target has the snapshot. */
async function findSnapshot(
  store: Store,
  targets: readonly StoredTarget[],
  snapshot: string,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const target of targets) {
    const sealed = await readManifest(store, target, snapshot);
    if (sealed) found.push({ target, sealed });
    else await requireNotGone(store, target, snapshot);
  }
  if (found.length > 0) return found;
  const names = await Promise.all(targets.map((target) => listSnapshots(store, target)));
  const nearest = listNearest(names.flat(), snapshot);
  const hint = `The nearest snapshots are ${nearest.join(', ')}.`;
  throw configFault('snapshot', `no picked target has the snapshot ${snapshot}`, hint);
}

/** Throws CorruptError if another object names the snapshot, although it has no manifest. */
async function requireNotGone(store: Store, target: StoredTarget, snapshot: string): Promise<void> {
  const timeMs = snapshotTimeMs(snapshot) ?? 0;
  const { faults } = await readTimeline(store, target, { sinceMs: timeMs, untilMs: timeMs });
  const [fault] = faults;
  if (fault) throw new CorruptError(fault.key, fault.message, fault.hint);
}

const nearestMax = 3;

function listNearest(names: readonly string[], snapshot: string): string[] {
  const distance = (name: string) =>
    Math.abs((snapshotTimeMs(name) ?? 0) - (snapshotTimeMs(snapshot) ?? 0));
  const sorted = [...new Set(names)].sort((a, b) => distance(a) - distance(b));
  return sorted.slice(0, nearestMax).sort();
}

interface Packing {
  found: readonly Found[];
  /** Takes the copies of all objects but parts. */
  copies: ScratchFile;
  file: string;
}

async function packAll(
  store: Store,
  session: Session,
  { found, copies, file }: Packing,
): Promise<Outcome> {
  const { signal } = session;
  let progress: ProgressState | null = null;
  const report = (unit: 'manifests' | 'parts', done: number, total: number) => {
    signal.throwIfAborted();
    const rest = { perSecond: null, leftMs: null, wait: null, note: '' };
    progress = { label: 'evidence', unit, done, total, ...rest };
  };
  return session.showProgress(
    () => progress,
    () =>
      createStreamedFile(file, outHint, async (out) => {
        const items: Evidence[] = [];
        for (const { target, sealed } of found) {
          const onProgress = (done: number, total: number) => report('manifests', done, total);
          items.push(await collectEvidence(target, sealed, { store, file: copies, onProgress }));
        }
        await copies.finish();
        const parts = items.flatMap(({ sealed }) => sealed.manifest.parts);
        let started = 0;
        const readParts = parts.map((part) => () => {
          started += 1;
          return readPart(store, part, () => report('parts', started - 1, parts.length));
        });
        const members = listMembers(items, copies, parts, readParts);
        const zip = await writeZip(members, out, signal);
        return describeOutcome(items, { store: store.url, file, files: members.length, ...zip });
      }),
  );
}

/** README, check.sh and SHA256SUMS come first, then the objects by key. */
function listMembers(
  items: readonly Evidence[],
  copies: ScratchFile,
  parts: readonly Part[],
  readParts: readonly ZipMember['read'][],
): ZipMember[] {
  const snapshot = items[0]?.sealed.manifest.snapshot ?? '';
  // Targets can have public keys in common.
  const objects = new Map(items.flatMap((item) => item.objects.map((one) => [one.key, one])));
  const hashed = [
    toMember('README', formatReadme(items)),
    { ...toMember('check.sh', formatCheck(snapshot)), isExecutable: true },
    ...[...objects.values()].map((object) => copyMember(copies, object)),
    ...parts.map(({ key, bytes, sha256: hash }, index) => {
      return { path: key, bytes, hash, read: readParts[index] as ZipMember['read'] };
    }),
  ].sort((a, b) => compareUtf8(a.path, b.path));
  const sums = hashed.map(({ path, hash }) => `${hash}  ${path}\n`).join('');
  const isText = ({ path }: ZipMember) => !path.includes('/');
  return [
    ...hashed.filter(isText),
    toMember('SHA256SUMS', sums),
    ...hashed.filter((member) => !isText(member)),
  ];
}

interface HashedMember extends ZipMember {
  hash: string;
}

function toMember(path: string, text: string): HashedMember {
  const bytes = Buffer.from(text);
  return { path, bytes: bytes.length, hash: sha256(bytes), read: () => [bytes] };
}

function copyMember(copies: ScratchFile, { key, kept }: KeptObject): HashedMember {
  async function* read() {
    yield await copies.read(kept);
  }
  return { path: key, bytes: kept.length, hash: kept.sha256, read };
}

/** Throws CorruptError if the part does not match its manifest. */
async function* readPart(
  store: Store,
  part: Part,
  onChunk: () => void,
): AsyncGenerator<Uint8Array> {
  const { key } = part;
  const corrupt = (message: string) => new CorruptError(key, message, '');
  const chunks = await store.read(key).catch((cause: unknown) => {
    throw cause instanceof UnusableObjectError ? corrupt(describeIrregular(cause)) : cause;
  });
  if (!chunks) throw corrupt(partMissing);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    onChunk();
    bytes += chunk.length;
    if (bytes > part.bytes) break;
    hash.update(chunk);
    // The store uses the memory of a chunk again.
    yield Uint8Array.from(chunk);
  }
  const difference = describeDifference(part, { bytes, sha256: hash.digest('hex') });
  if (difference !== null) throw corrupt(difference);
}

interface Written {
  /** Its address. */
  store: string;
  file: string;
  /** In the zip. */
  files: number;
  bytes: number;
  sha256: string;
}

function describeOutcome(items: readonly Evidence[], written: Written): Outcome {
  const { file, files, bytes } = written;
  const keyIds = [...new Set(items.flatMap((item) => item.keyIds))].sort();
  const isSigned = keyIds.length > 0;
  return {
    exitCode: exitCodes.complete,
    json: {
      ...{ status: 'written', ...written, keyIds },
      targets: items.map(({ target, sealed, newest, manifests, signed, tombstones }) => ({
        account: sealed.manifest.scope.account,
        ...target,
        snapshot: sealed.manifest.snapshot,
        verdict: sealed.manifest.verdict,
        rows: sealed.manifest.rows,
        manifest: sealed.manifestKey,
        manifestSha256: sealed.manifestSha256,
        newest: { manifest: newest.manifestKey, manifestSha256: newest.manifestSha256 },
        ...{ manifests, signed, tombstones },
      })),
      errors: [],
    },
    text: [
      `wrote ${file}: ${formatPlural(files, 'file')}, ${formatBytes(bytes)}, sha256 ${written.sha256}`,
      ...items.map(describeItem),
      'every hash, every signature and the chain were checked while packing',
      'README in the zip says how to check it with sha256sum and OpenSSL 3.',
      'Give the receiver one of these in another way than the zip. Without it, the zip only shows that its files fit together.',
      ...(isSigned ? [`  key id  ${keyIds.join(', ')}`] : []),
      ...items.map(
        ({ newest }) => `  newest  ${newest.manifestKey}  sha256 ${newest.manifestSha256}`,
      ),
      '',
    ].join('\n'),
  };
}

function describeItem({ target, sealed, manifests, signed, tombstones }: Evidence): string {
  const { scope, snapshot, verdict, rows } = sealed.manifest;
  const name = describeTarget({ ...target, account: scope.account });
  const pruned = tombstones === 0 ? '' : `, ${formatPlural(tombstones, 'tombstone')}`;
  return `  ${name} ${snapshot}: ${verdict}, ${formatPlural(rows, 'row')}; ${formatPlural(manifests, 'manifest')}, ${formatCount(signed)} signed${pruned}`;
}
