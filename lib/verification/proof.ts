// Responsible for the words that say what a verification proves and what it does not. Pure.

import type { Verification } from './verification.ts';

/** What of a verification the words depend on. */
export type Proof = Pick<
  Verification,
  | 'faults'
  | 'unchecked'
  | 'underWay'
  | 'manifests'
  | 'pruned'
  | 'prunedParts'
  | 'signatures'
  | 'pinned'
  | 'notHashed'
  | 'notReached'
  | 'rowParts'
>;

export interface ProofWords {
  proven: string;
  notProven: string;
}

/** With faults or unchecked objects the words say less. */
export function describeProof(proof: Proof): ProofWords {
  const { faults, unchecked, underWay, pinned, signatures, rowParts } = proof;
  const isWhole = faults.length === 0 && unchecked.length === 0;
  const hasKeys = signatures.keysFrom === 'given';
  const hasPins = pinned !== null && pinned.targets > 0;
  const proven = [
    `${isWhole ? '' : 'except for the listed findings, '}${describeParts(proof)}${describeRows(rowParts)}, and every manifest has the hash that the next one names.`,
    ...(isWhole && hasKeys ? [describeKeys(proof)] : []),
    ...(isWhole && hasPins ? [describePins(pinned.targets)] : []),
  ];
  const isAnchored = isWhole && (hasKeys || hasPins);
  const notProven = [
    ...(isAnchored ? listLimits(proof) : [describeUnanchored(isWhole, hasKeys || hasPins)]),
    ...(hasKeys ? [] : describeOwnKeys(signatures)),
    ...describeNotHashed(proof),
    ...describePruned(proof),
    ...describeNotCompared(rowParts),
    ...(underWay.length > 0 ? ['Objects of a seal under way are not proven.'] : []),
  ];
  return { proven: proven.join(' '), notProven: notProven.join(' ') };
}

function describeParts({ notHashed: { parts, since }, prunedParts }: Proof): string {
  const left = prunedParts === 0 ? '' : ' that was not pruned';
  if (parts === 0) return `every part${left} has the bytes that its manifest names`;
  if (since === null) return `every part${left} exists with the size that its manifest names`;
  return `every part${left} of the snapshots from ${since} on has the bytes that its manifest names`;
}

function describePruned({ pruned, prunedParts, signatures }: Proof): string[] {
  const count = `${pruned} pruned snapshot${pruned === 1 ? '' : 's'}`;
  const deleted = `Rows that were pruned can no longer be checked: ${prunedParts} part${prunedParts === 1 ? '' : 's'} of ${count} ${prunedParts === 1 ? 'is' : 'are'} deleted.`;
  const mayBeOld =
    'A signed tombstone that was removed can be put back by a person who kept a copy, and the rows deleted: its signature stays valid.';
  const mayBeForged = `Without a public key from outside the store, a person who can change the store can delete rows and write a tombstone for them: ${count} ${pruned === 1 ? 'has' : 'have'} one.`;
  return [
    ...(prunedParts > 0 ? [deleted] : []),
    ...(pruned > 0 ? [signatures.keysFrom === 'store' ? mayBeForged : mayBeOld] : []),
  ];
}

function describeRows({ compared, notCompared }: Proof['rowParts']): string {
  if (compared === 0) return '';
  const which =
    notCompared === 0 ? 'its rows' : `the rows of ${compared} part${compared === 1 ? '' : 's'}`;
  return `, ${which} have the number, order, time, account, region, project and verdict that the manifest states`;
}

function describeNotCompared({ compared, notCompared }: Proof['rowParts']): string[] {
  const cells =
    'The values of the other columns, whether they are equal in Parquet and NDJSON, and the counts of values and changes were not checked.';
  if (notCompared === 0) return compared === 0 ? [] : [cells];
  return [
    ...(compared === 0 ? [] : [cells]),
    `The rows of ${notCompared} part${notCompared === 1 ? '' : 's'} were not compared with the manifest: this version does not know their dataset.`,
  ];
}

function describeNotHashed({ notHashed: { parts, since }, notReached }: Proof): string[] {
  if (parts === 0) return [];
  const which = since === null ? '' : ` of snapshots before ${since}`;
  const reason =
    notReached.length === 0 ? '' : ` There was not enough time for ${notReached.length} of them.`;
  return [
    `${parts} part${parts === 1 ? '' : 's'}${which} ${parts === 1 ? 'was' : 'were'} not hashed: only existence and size were checked, and no row was read.${reason}`,
  ];
}

function describeKeys({ manifests, pruned, signatures: { covered } }: Proof): string {
  const signed = manifests - covered;
  const older =
    covered === 0
      ? ''
      : ` ${covered} older manifest${covered === 1 ? ' is' : 's are'} covered by the chain: unchanged since the first of these signatures.`;
  const tombstones =
    pruned === 0
      ? ''
      : ` A given key also signed the tombstone${pruned === 1 ? '' : 's'} of ${pruned} pruned snapshot${pruned === 1 ? '' : 's'}.`;
  return `A given key signed the newest manifest of every target and all its predecessors back to the first one that it signed (${signed} of ${manifests}): only the holder of the private key can rewrite them.${older}${tombstones}`;
}

function describePins(targets: number): string {
  return targets === 1
    ? 'The pinned manifest of 1 target is still in the chain with its hash: since then, no manifest up to it was changed or removed.'
    : `The pinned manifests of ${targets} targets are still in the chain with their hashes: since then, no manifest up to them was changed or removed.`;
}

function describeUnanchored(isWhole: boolean, hasAnchor: boolean): string {
  const consistent = isWhole ? 'the store is consistent in itself; ' : '';
  const advice = hasAnchor
    ? 'Public keys and pins exclude both only in a run without findings.'
    : 'To exclude both, use --public-key and --pins.';
  return `${consistent}a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted together with their pointers. ${advice}`;
}

/** What remains possible in spite of the keys and pins. */
function listLimits({ signatures, pinned }: Proof): string[] {
  const hasKeys = signatures.keysFrom === 'given';
  const limits: string[] = [];
  if (pinned === null || pinned.targets === 0) {
    limits.push(
      'without a pin, it cannot be excluded that the newest snapshots, or all of a target, were deleted together with their pointers.',
    );
  } else {
    limits.push(
      'a rollback to the pinned manifest or a later one cannot be excluded: newer snapshots, which no verification with these pins has seen, may have been deleted.',
    );
    if (!hasKeys) {
      limits.push(
        'Manifests after the pinned one are consistent in themselves, but could have been rewritten until now. Nothing is proven about the time before the first pin was made.',
      );
    }
    if (pinned.without > 0) {
      limits.push(
        `${pinned.without} target${pinned.without === 1 ? ' has' : 's have'} no pin yet: ${hasKeys ? 'its newest snapshots may have been deleted' : 'a rewrite of the whole chain cannot be excluded there'}.`,
      );
    }
  }
  if (hasKeys) {
    limits.push(
      'A signature does not prove that the content is true, or when it was written: the holder of the private key can sign any content at any time.',
    );
  }
  if (signatures.covered > 0) {
    limits.push('Older manifests could have been rewritten before the first signature.');
  }
  return limits;
}

function describeOwnKeys({ valid }: Proof['signatures']): string[] {
  if (valid === 0) return [];
  return [
    `The ${valid === 1 ? 'signature was' : 'signatures were'} checked with keys that the store holds itself (_keys/): a person who can change the store can replace both. Give the public key with --public-key.`,
  ];
}
