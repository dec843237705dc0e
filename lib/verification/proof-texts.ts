// Responsible for the English texts of what a verification proves and what it does not: a sentence for each code. The page of a report
// has them in Chinese too (reports/page/strings-zh.ts). Not responsible for when a sentence holds (proof.ts).

import type { Parameter } from '../core/text-template.ts';

/** Templates of core/text-template.ts. A parameter is a count, or a time in ISO 8601. */
export const proofTexts = {
  bytesMatch: 'Every part has the bytes that its manifest names.',
  bytesMatchUnpruned: 'Every part that was not pruned has the bytes that its manifest names.',
  bytesMatchSince: 'Every part of the snapshots from {0} on has the bytes that its manifest names.',
  bytesMatchSinceUnpruned:
    'Every part that was not pruned of the snapshots from {0} on has the bytes that its manifest names.',
  sizesMatch: 'Every part exists with the size that its manifest names.',
  sizesMatchUnpruned:
    'Every part that was not pruned exists with the size that its manifest names.',
  rowsMatch:
    'Its rows have the number, order, time, account, region, project and verdict that the manifest states.',
  rowsMatchOfSome:
    'The rows of {0} {0|part|parts} have the number, order, time, account, region, project and verdict that the manifest states.',
  chainMatches: 'Every manifest has the hash that the next one names.',
  givenKeySigned:
    'A given key signed the newest manifest of every target and all its predecessors back to the first one that it signed ({0} of {1}): only the holder of the private key can rewrite them.',
  olderCovered:
    '{0} older {0|manifest is|manifests are} covered by the chain: unchanged since the first of these signatures.',
  tombstonesSigned:
    'A given key also signed the {0|tombstone|tombstones} of {0} pruned {0|snapshot|snapshots}.',
  pinnedInChain:
    'The pinned {0|manifest|manifests} of {0} {0|target is|targets are} still in the chain with {0|its hash|their hashes}: since then, no manifest up to {0|it|them} was changed or removed.',

  consistentButRewritable:
    'The store is consistent in itself; a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted together with their pointers.',
  rewritable:
    'A rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted together with their pointers.',
  useKeysAndPins: 'To exclude both, use --public-key and --pins.',
  excludedWithoutFindings: 'Public keys and pins exclude both only in a run without findings.',
  newestDeletable:
    'Without a pin, it cannot be excluded that the newest snapshots, or all of a target, were deleted together with their pointers.',
  rollbackPossible:
    'A rollback to the pinned manifest or a later one cannot be excluded: newer snapshots, which no verification with these pins has seen, may have been deleted.',
  afterPinRewritable:
    'Manifests after the pinned one are consistent in themselves, but could have been rewritten until now. Nothing is proven about the time before the first pin was made.',
  unpinnedDeletable:
    '{0} {0|target has|targets have} no pin yet: {0|its|their} newest snapshots may have been deleted.',
  unpinnedRewritable:
    '{0} {0|target has|targets have} no pin yet: a rewrite of the whole chain cannot be excluded there.',
  signerNotBound:
    'A signature does not prove that the content is true, or when it was written: the holder of the private key can sign any content at any time.',
  olderRewritable: 'Older manifests could have been rewritten before the first signature.',
  storeKeysUsed:
    'The {0|signature was|signatures were} checked with keys that the store holds itself (_keys/): a person who can change the store can replace both. Give the public key with --public-key.',
  partsNotHashed:
    '{0} {0|part was|parts were} not hashed: only existence and size were checked, and no row was read.',
  partsNotHashedBefore:
    '{0} {0|part|parts} of snapshots before {1} {0|was|were} not hashed: only existence and size were checked, and no row was read.',
  timeTooShort: 'There was not enough time for {0} of them.',
  rowsPruned:
    'Rows that were pruned can no longer be checked: {0} {0|part|parts} of {1} pruned {1|snapshot|snapshots} {0|is|are} deleted.',
  tombstoneReusable:
    'A signed tombstone that was removed can be put back by a person who kept a copy, and the rows deleted: its signature stays valid.',
  tombstoneForgeable:
    'Without a public key from outside the store, a person who can change the store can delete rows and write a tombstone for them: {0} pruned {0|snapshot has|snapshots have} one.',
  otherColumnsUnchecked:
    'The values of the other columns, whether they are equal in Parquet and NDJSON, and the counts of values and changes were not checked.',
  rowsNotCompared:
    'The rows of {0} {0|part|parts} were not compared with the manifest: this version does not know their dataset.',
  sealUnderWay: 'Objects of a seal under way are not proven.',
};

export type ProofCode = keyof typeof proofTexts;

export interface ProofStatement {
  code: ProofCode;
  parameters: readonly Parameter[];
}
