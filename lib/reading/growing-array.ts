// Responsible for arrays of numbers that grow without a copy of all of them.

type Numbers = Float64Array | Int32Array | Uint32Array;

/** Numbers per chunk, as a power of two. */
const chunkBits = 14;
const chunkLength = 2 ** chunkBits;
/** Of the first chunk, which doubles until it has the length of the others: a short list needs little memory. */
const lengthAtFirst = 2 ** 8;

export type GrowingArray = ReturnType<typeof createGrowingArray>;

/** An array that has at most one chunk more than it needs, also while it grows. `Type` decides which numbers fit. */
export function createGrowingArray(Type: new (length: number) => Numbers) {
  let first = new Type(lengthAtFirst);
  const chunks = [first];

  function addRoom(place: number): void {
    if (place > 0) {
      chunks.push(new Type(chunkLength));
      return;
    }
    const larger = new Type(first.length * 2);
    larger.set(first);
    first = larger;
    chunks[0] = first;
  }

  return {
    /** `index`: at most the largest index that was set. */
    get(index: number): number {
      return (chunks[index >>> chunkBits] as Numbers)[index & (chunkLength - 1)] as number;
    },
    /** `index`: at most one more than the largest index that was set. */
    set(index: number, value: number): void {
      const place = index >>> chunkBits;
      if (place === chunks.length || (place === 0 && index >= first.length)) addRoom(place);
      (chunks[place] as Numbers)[index & (chunkLength - 1)] = value;
    },
  };
}
