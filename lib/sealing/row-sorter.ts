// Responsible for sorting the readings of a run in bounded memory: sorted batches in temporary files, then merged.

import type { Appended, Scratch, ScratchFile } from '../core/ports.ts';
import { countCharacters } from '../core/row-size.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { decodeBlock, encodeBlock, type Reading } from './sorted-block.ts';

/**
 * How many readings are in memory. `batch`: sorted at once; if there are more, each batch goes to the temporary files. `block`: read
 * back at once, one block of each batch: 2,000,000 readings are 100 batches. Both have fewer readings if these are large.
 */
export interface SortSize {
  batch: number;
  block: number;
}

const defaultSize: SortSize = { batch: 20_000, block: 256 };
/** A batch and a block end with the reading that reaches this size. Usual readings have a third of it. */
const batchCharactersMax = 24 * 2 ** 20;
const blockCharactersMax = 256 * 2 ** 10;

/**
 * Each batch is divided among so many files, the least keys in the first one. A file is removed when it has been read, while
 * the rows that were in it go to other files: the disk need not hold all readings and all rows at the same time.
 */
const filesMax = 8;

/** Merged readings that `sorted` returns at once. */
const readingsPerStep = 1_000;

export interface SorterOptions {
  scratch: Scratch;
  /** The column of the key in each row. */
  keyIndex: number;
  /** Default: 20,000 and 256. */
  size?: SortSize | undefined;
}

export interface RowSorter {
  add(readings: readonly Reading[]): Promise<void>;
  /**
   * All readings, some at a time, ascending by key in the order of its UTF-8 bytes; those of one key in the order in which they
   * were added. Call it once, after the last `add`.
   */
  sorted(): AsyncGenerator<readonly Reading[]>;
  /** Deletes the temporary files. */
  remove(): Promise<void>;
}

/** A temporary file, and how many of its blocks were not read yet. */
interface SortFile {
  file: ScratchFile;
  blocksLeft: number;
}

/** Where a block is. */
interface Place {
  in: SortFile;
  block: Appended;
}

/** A sorted batch while it is merged: the block in memory, and the places of the blocks after it. */
interface Source {
  /** Of the batch, in the order in which batches were written. */
  number: number;
  places: readonly Place[];
  nextPlace: number;
  readings: readonly Reading[];
  nextReading: number;
}

// Long because: one state, and the functions that share it.
export function openSorter({ scratch, keyIndex, size = defaultSize }: SorterOptions): RowSorter {
  let batch: Reading[] = [];
  let batchCharacters = 0;
  const files: SortFile[] = [];
  const spilled: Place[][] = [];

  async function spill(): Promise<void> {
    sortBatch(batch);
    const places: Place[] = [];
    const readingsPerFile = Math.ceil(batch.length / filesMax);
    for (let start = 0; start < batch.length; start += readingsPerFile) {
      const part = batch.slice(start, start + readingsPerFile);
      const number = start / readingsPerFile;
      files[number] ??= { file: await scratch.open(), blocksLeft: 0 };
      const to = files[number];
      for (const block of cutIntoBlocks(part, size.block)) {
        places.push({ in: to, block: await to.file.append(encodeBlock(block)) });
        to.blocksLeft += 1;
      }
    }
    batch = [];
    batchCharacters = 0;
    spilled.push(places);
  }

  /** Reads the next block of the source. False: there is none. */
  async function fill(source: Source): Promise<boolean> {
    const place = source.places[source.nextPlace];
    if (!place) return false;
    source.nextPlace += 1;
    const { file } = place.in;
    source.readings = decodeBlock(await file.read(place.block), keyIndex);
    source.nextReading = 0;
    place.in.blocksLeft -= 1;
    if (place.in.blocksLeft === 0) await file.remove();
    return true;
  }

  async function* merge(): AsyncGenerator<readonly Reading[]> {
    const heap: Source[] = [];
    for (const [number, places] of spilled.entries()) {
      const source = { number, places, nextPlace: 0, readings: [], nextReading: 0 };
      if (await fill(source)) heap.push(source);
    }
    for (let i = heap.length >> 1; i >= 0; i--) siftDown(heap, i);
    let merged: Reading[] = [];
    for (let top = heap[0]; top; top = heap[0]) {
      merged.push(headOf(top));
      top.nextReading += 1;
      if (top.nextReading >= top.readings.length && !(await fill(top))) {
        const last = heap.pop() as Source;
        if (last !== top) heap[0] = last;
      }
      siftDown(heap, 0);
      if (merged.length >= readingsPerStep) {
        yield merged;
        merged = [];
      }
    }
    yield merged;
  }

  return {
    async add(readings) {
      for (const reading of readings) {
        // Not when the batch is full but with the next reading: what fits into memory needs no file.
        if (batch.length >= size.batch || batchCharacters >= batchCharactersMax) await spill();
        batch.push(reading);
        batchCharacters += countCharacters(reading.row);
      }
    },
    async *sorted() {
      if (spilled.length === 0) {
        sortBatch(batch);
        yield batch;
        return;
      }
      await spill();
      yield* merge();
    },
    async remove() {
      batch = [];
      for (const { file } of files) await file.remove();
    },
  };
}

function* cutIntoBlocks(readings: readonly Reading[], readingsMax: number): Generator<Reading[]> {
  let block: Reading[] = [];
  let characters = 0;
  for (const reading of readings) {
    block.push(reading);
    characters += countCharacters(reading.row);
    if (block.length < readingsMax && characters < blockCharactersMax) continue;
    yield block;
    block = [];
    characters = 0;
  }
  if (block.length > 0) yield block;
}

/** Stable: readings of one key stay in their order. */
function sortBatch(batch: Reading[]): void {
  batch.sort((a, b) => compareUtf8(a.key, b.key));
}

/** Restores the order of a binary heap, the least first, after the source at `start` has changed. */
function siftDown(heap: Source[], start: number): void {
  for (let i = start; ; ) {
    const left = 2 * i + 1;
    const right = left + 1;
    let least = i;
    if (isBefore(heap[left], heap[least])) least = left;
    if (isBefore(heap[right], heap[least])) least = right;
    if (least === i) return;
    [heap[i], heap[least]] = [heap[least] as Source, heap[i] as Source];
    i = least;
  }
}

function isBefore(a: Source | undefined, b: Source | undefined): boolean {
  if (!a || !b) return false;
  // A later batch has later readings.
  return (compareUtf8(headOf(a).key, headOf(b).key) || a.number - b.number) < 0;
}

function headOf({ readings, nextReading }: Source): Reading {
  return readings[nextReading] as Reading;
}
