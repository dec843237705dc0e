// Tests what a verification says that it proves, for each combination of keys, pins and parts that were not hashed: the exact text of
// `verify`, and the codes that the page of a report says in its language.

import { expect, test } from 'vitest';
import { describeProof, listStatements, type Proof } from '../../lib/verification/proof.ts';
import { proofTexts } from '../../lib/verification/proof-texts.ts';

const plain: Proof = {
  faults: [],
  unchecked: [],
  underWay: [],
  manifests: 10,
  pruned: 0,
  prunedParts: 0,
  signatures: { valid: 0, unsigned: 10, keysFrom: 'store', keyIds: [], covered: 0 },
  pinned: null,
  notHashed: { parts: 0, since: null },
  notReached: [],
  rowParts: { compared: 20, notCompared: 0 },
};
const fault = { key: 'k', message: 'm', hint: 'h' };
const ownKeys = { ...plain.signatures, valid: 10, unsigned: 0, keyIds: ['aa'] };
const given = { ...ownKeys, keysFrom: 'given' } as const;
const covered = { ...given, valid: 7, unsigned: 3, covered: 3 };
const pinned = { targets: 2, without: 0 };
const rewrite = 'a rewrite of the whole chain cannot be excluded';

const bytes = 'every part has the bytes that its manifest names';
const signed = 'A given key signed the newest manifest of every target';
const stillThere = 'The pinned manifests of 2 targets are still in the chain with their hashes';

interface Row {
  name: string;
  proof: Partial<Proof>;
  proven: readonly string[];
  notProven: readonly string[];
  /** Neither of the two texts may say this. */
  never: readonly string[];
}

const rows: Row[] = [
  {
    name: 'nothing but the store',
    proof: {},
    proven: [bytes, 'every manifest has the hash that the next one names'],
    notProven: [
      `the store is consistent in itself; ${rewrite}`,
      'the newest snapshots were deleted together with their pointers',
      '--public-key and --pins',
    ],
    never: [signed, 'pinned', 'except for', '_keys/'],
  },
  {
    name: 'rows that were compared',
    proof: {},
    proven: [
      `${bytes}, its rows have the number, order, time, account, region, project and verdict that the manifest states`,
    ],
    notProven: [
      'whether they are equal in Parquet and NDJSON, and the counts of values and changes were not checked',
    ],
    never: ['not compared'],
  },
  {
    name: 'rows of which some could not be compared',
    proof: { rowParts: { compared: 1, notCompared: 2 } },
    proven: [`${bytes}, the rows of 1 part have the number`],
    notProven: ['The rows of 2 parts were not compared with the manifest'],
    never: ['its rows'],
  },
  {
    name: 'no rows that were compared',
    proof: { rowParts: { compared: 0, notCompared: 1 } },
    proven: [`${bytes}, and every manifest`],
    notProven: ['The rows of 1 part were not compared with the manifest'],
    never: ['rows have', 'equal in Parquet and NDJSON'],
  },
  {
    name: 'a fault',
    proof: { faults: [fault] },
    proven: [`except for the listed findings, ${bytes}`],
    notProven: [rewrite],
    never: ['consistent in itself'],
  },
  {
    name: 'a fault, with keys and pins: they prove nothing then',
    proof: { faults: [fault], signatures: given, pinned },
    proven: ['except for the listed findings'],
    notProven: [rewrite, 'only in a run without findings'],
    never: ['consistent in itself', signed, 'still in the chain', 'use --public-key'],
  },
  {
    name: 'an object that could not be read',
    proof: { unchecked: [fault], signatures: given },
    proven: ['except for the listed findings'],
    notProven: [rewrite],
    never: ['consistent in itself', signed],
  },
  {
    name: "signatures by the store's own keys",
    proof: { signatures: ownKeys },
    proven: [bytes],
    notProven: [`the store is consistent in itself; ${rewrite}`, '_keys/', 'can replace both'],
    never: [signed],
  },
  {
    name: 'a given key',
    proof: { signatures: given },
    proven: [bytes, signed, '(10 of 10)', 'only the holder of the private key can rewrite them'],
    notProven: [
      'without a pin, it cannot be excluded that the newest snapshots, or all of a target, were deleted',
      'A signature does not prove that the content is true, or when it was written',
    ],
    never: [rewrite, '_keys/', 'covered'],
  },
  {
    name: 'a given key, with an unsigned beginning',
    proof: { signatures: covered },
    proven: ['(7 of 10)', '3 older manifests are covered by the chain'],
    notProven: ['could have been rewritten before the first signature'],
    never: [rewrite],
  },
  {
    name: 'pins',
    proof: { pinned },
    proven: [bytes, stillThere, 'since then, no manifest up to them was changed or removed'],
    notProven: [
      'a rollback to the pinned manifest or a later one cannot be excluded',
      'Nothing is proven about the time before the first pin was made',
    ],
    never: [rewrite, signed],
  },
  {
    name: 'pins that were just created',
    proof: { pinned: { targets: 0, without: 2 } },
    proven: [bytes],
    notProven: [`the store is consistent in itself; ${rewrite}`],
    never: ['still in the chain'],
  },
  {
    name: 'pins, and a target without one',
    proof: { pinned: { targets: 2, without: 1 } },
    proven: [stillThere],
    notProven: [`1 target has no pin yet: ${rewrite} there`],
    never: [signed],
  },
  {
    name: 'a given key and pins',
    proof: { signatures: given, pinned },
    proven: [signed, stillThere],
    notProven: ['a rollback to the pinned manifest or a later one cannot be excluded'],
    never: [rewrite, 'Nothing is proven about the time', 'without a pin'],
  },
  {
    name: 'parts before a time that were not hashed',
    proof: { notHashed: { parts: 4, since: '2026-11-01T00:00:00.000Z' } },
    proven: ['every part of the snapshots from 2026-11-01T00:00:00.000Z on has the bytes'],
    notProven: ['4 parts of snapshots before 2026-11-01T00:00:00.000Z were not hashed', rewrite],
    never: [bytes],
  },
  {
    name: 'no part that was hashed',
    proof: { notHashed: { parts: 1, since: null }, pinned },
    proven: ['every part exists with the size that its manifest names'],
    notProven: ['1 part was not hashed: only existence and size were checked'],
    never: [bytes],
  },
  {
    name: 'parts for which there was not enough time',
    proof: {
      notHashed: { parts: 5, since: '2026-11-01T00:00:00.000Z' },
      notReached: ['k', 'l'],
    },
    proven: ['every part of the snapshots from 2026-11-01T00:00:00.000Z on has the bytes'],
    notProven: ['were not hashed', 'There was not enough time for 2 of them.'],
    never: [bytes],
  },
  {
    name: 'pruned snapshots',
    proof: { pruned: 2, prunedParts: 5 },
    proven: ['every part that was not pruned has the bytes that its manifest names'],
    notProven: [
      'Rows that were pruned can no longer be checked: 5 parts of 2 pruned snapshots are deleted.',
      'a person who can change the store can delete rows and write a tombstone for them: 2 pruned snapshots have one',
    ],
    never: [bytes, 'signed the tombstone'],
  },
  {
    name: 'a pruned snapshot whose parts are still there',
    proof: { pruned: 1, pinned },
    proven: [bytes],
    notProven: ['write a tombstone for them: 1 pruned snapshot has one'],
    never: ['that was not pruned', 'can no longer be checked'],
  },
  {
    name: 'pruned snapshots, with a given key',
    proof: { pruned: 1, prunedParts: 1, signatures: given, pinned },
    proven: [
      'every part that was not pruned has the bytes',
      'A given key also signed the tombstone of 1 pruned snapshot.',
    ],
    notProven: ['1 part of 1 pruned snapshot is deleted', 'can be put back'],
    never: [bytes, 'write a tombstone'],
  },
  {
    name: 'pruned snapshots, with a fault',
    proof: { faults: [fault], pruned: 1, prunedParts: 1, signatures: given },
    proven: ['except for the listed findings, every part that was not pruned has the bytes'],
    notProven: ['Rows that were pruned can no longer be checked'],
    never: ['signed the tombstone'],
  },
  {
    name: 'pruned snapshots, and parts that were not hashed',
    proof: {
      ...{ pruned: 1, prunedParts: 1 },
      notHashed: { parts: 4, since: '2026-11-01T00:00:00.000Z' },
    },
    proven: [
      'every part that was not pruned of the snapshots from 2026-11-01T00:00:00.000Z on has',
    ],
    notProven: ['4 parts of snapshots before 2026-11-01T00:00:00.000Z were not hashed'],
    never: [bytes],
  },
  {
    name: 'a seal under way',
    proof: { underWay: ['k'], signatures: given },
    proven: [signed],
    notProven: ['Objects of a seal under way are not proven.'],
    never: [rewrite],
  },
];

test.each(rows)('$name', ({ proof, proven, notProven, never }) => {
  const words = describeProof({ ...plain, ...proof });
  for (const text of proven) expect(words.proven).toContain(text);
  for (const text of notProven) expect(words.notProven).toContain(text);
  for (const text of never) expect(`${words.proven} ${words.notProven}`).not.toContain(text);
});

test('the text is exact: programs and people compare it between versions', () => {
  expect(describeProof(plain)).toEqual({
    proven:
      'every part has the bytes that its manifest names, its rows have the number, order, time, account, region, project and verdict that the manifest states, and every manifest has the hash that the next one names.',
    notProven:
      'the store is consistent in itself; a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted together with their pointers. To exclude both, use --public-key and --pins. The values of the other columns, whether they are equal in Parquet and NDJSON, and the counts of values and changes were not checked.',
  });
  const notHashed = { parts: 1_234, since: null };
  const unread = { notHashed, rowParts: { compared: 0, notCompared: 0 } };
  expect(describeProof({ ...plain, ...unread, faults: [fault], signatures: ownKeys })).toEqual({
    proven:
      'except for the listed findings, every part exists with the size that its manifest names, and every manifest has the hash that the next one names.',
    notProven:
      'a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted together with their pointers. To exclude both, use --public-key and --pins. The signatures were checked with keys that the store holds itself (_keys/): a person who can change the store can replace both. Give the public key with --public-key. 1234 parts were not hashed: only existence and size were checked, and no row was read.',
  });
  const one = { pinned: { targets: 1, without: 0 }, pruned: 1, prunedParts: 1 };
  expect(describeProof({ ...plain, ...one, ...unread, signatures: covered })).toEqual({
    proven:
      'every part that was not pruned exists with the size that its manifest names, and every manifest has the hash that the next one names. A given key signed the newest manifest of every target and all its predecessors back to the first one that it signed (7 of 10): only the holder of the private key can rewrite them. 3 older manifests are covered by the chain: unchanged since the first of these signatures. A given key also signed the tombstone of 1 pruned snapshot. The pinned manifest of 1 target is still in the chain with its hash: since then, no manifest up to it was changed or removed.',
    notProven:
      'a rollback to the pinned manifest or a later one cannot be excluded: newer snapshots, which no verification with these pins has seen, may have been deleted. A signature does not prove that the content is true, or when it was written: the holder of the private key can sign any content at any time. Older manifests could have been rewritten before the first signature. 1234 parts were not hashed: only existence and size were checked, and no row was read. Rows that were pruned can no longer be checked: 1 part of 1 pruned snapshot is deleted. A signed tombstone that was removed can be put back by a person who kept a copy, and the rows deleted: its signature stays valid.',
  });
});

test('each text is stated by one of the proofs above, and each text is a sentence', () => {
  const others: Partial<Proof>[] = [
    { prunedParts: 1, notHashed: { parts: 1, since: null } },
    { signatures: given, pinned: { targets: 2, without: 1 } },
  ];
  const stated = [...rows.map(({ proof }) => proof), ...others].flatMap((proof) => {
    const { stored, anchored, notProven } = listStatements({ ...plain, ...proof });
    return [...stored, ...anchored, ...notProven].map(({ code }) => code);
  });
  expect(Object.keys(proofTexts).sort()).toEqual([...new Set(stated)].sort());
  for (const text of Object.values(proofTexts)) expect(text).toMatch(/^(?:\p{Lu}|\{0).*[.]$/u);
});
