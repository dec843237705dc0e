// Responsible for large sets of texts in little memory: a text is stored as a hash of 128 bits, and has a number.
//
// The hash is the first half of the SHA-256. Two of the 2,000,200 texts of the longest list have the same one with a probability
// of 2^42 / 2^129 = 10^-26: less likely than an undetected error of the memory that the texts are in. No way to make two
// such texts is known.

import * as nodeCrypto from 'node:crypto';
import { createGrowingArray } from './growing-array.ts';

/** Numbers of 32 bits per hash. */
const words = 4;

/** The hash of a text, as hashText returns it: 16 characters of 8 bits each. */
export type TextHash = string & { readonly isHash: true };

/** Several times as fast as createHash() for short texts. Node.js has it since 20.12. */
const { hash: hashAtOnce } = nodeCrypto as Partial<Pick<typeof nodeCrypto, 'hash'>>;

export function hashText(text: string): TextHash {
  const digest = hashAtOnce
    ? hashAtOnce('sha256', text, 'binary')
    : nodeCrypto.createHash('sha256').update(text).digest('binary');
  return digest.slice(0, words * 4) as TextHash;
}

function wordOf(hash: TextHash, word: number): number {
  const at = word * 4;
  return (
    hash.charCodeAt(at) |
    (hash.charCodeAt(at + 1) << 8) |
    (hash.charCodeAt(at + 2) << 16) |
    (hash.charCodeAt(at + 3) << 24)
  );
}

const slotsAtFirst = 2 ** 6;
/** With more texts per slot, searches become long. */
const loadMax = 3 / 4;

export interface KeyTable {
  readonly size: number;
  /** The number of the text: how many others were added before it; -1 if it was not added. */
  find(hash: TextHash): number;
  has(hash: TextHash): boolean;
  /** The number of the text, as `find` returns it from then on. */
  add(hash: TextHash): number;
  /** How many texts of `other` are not in this table. */
  countMissing(other: KeyTable): number;
  /** `visit` must not keep the array, which holds the hash in numbers of 32 bits. */
  forEachHash(visit: (hash: Uint32Array) => void): void;
}

/** A set of texts. It needs 16 bytes per text, and 5 to 11 bytes for finding it. */
// Long because: one state, and the functions that share it.
export function createKeyTable(): KeyTable {
  /** By number: the hash of the text. */
  const hashes = createGrowingArray(Uint32Array);
  /** Where a hash may be: its number plus 1; 0: the slot is free. The length is a power of two. */
  let slots = new Int32Array(slotsAtFirst);
  let size = 0;
  const searched = new Uint32Array(words);

  /** The slot of the hash in `searched`, or the free slot where it belongs. */
  function findSlot(): number {
    const mask = slots.length - 1;
    for (let slot = (searched[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const number = (slots[slot] as number) - 1;
      if (number < 0 || isSearched(number)) return slot;
    }
  }

  function isSearched(number: number): boolean {
    for (let word = 0; word < words; word += 1) {
      if (hashes.get(number * words + word) !== searched[word]) return false;
    }
    return true;
  }

  function search(number: number): void {
    for (let word = 0; word < words; word += 1) searched[word] = hashes.get(number * words + word);
  }

  function addSlots(): void {
    slots = new Int32Array(slots.length * 2);
    for (let number = 0; number < size; number += 1) {
      search(number);
      slots[findSlot()] = number + 1;
    }
  }

  function find(hash: TextHash): number {
    for (let word = 0; word < words; word += 1) searched[word] = wordOf(hash, word);
    return (slots[findSlot()] as number) - 1;
  }

  return {
    get size(): number {
      return size;
    },
    find,
    has: (hash) => find(hash) >= 0,
    add(hash) {
      if (size + 1 > slots.length * loadMax) addSlots();
      const known = find(hash);
      if (known >= 0) return known;
      for (let word = 0; word < words; word += 1) {
        hashes.set(size * words + word, searched[word] as number);
      }
      slots[findSlot()] = size + 1;
      size += 1;
      return size - 1;
    },
    countMissing(other) {
      let missing = 0;
      other.forEachHash((hash) => {
        searched.set(hash);
        if (slots[findSlot()] === 0) missing += 1;
      });
      return missing;
    },
    forEachHash(visit) {
      for (let number = 0; number < size; number += 1) {
        search(number);
        visit(searched);
      }
    },
  };
}
