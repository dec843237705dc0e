// Responsible for the order of texts by their UTF-8 bytes. Stores list keys in this order, and Parquet readers compare with it.

/**
 * Compares two well-formed strings by their UTF-8 bytes, without encoding them: negative, zero or positive.
 *
 * UTF-16 order differs in one place only. Surrogates (D800–DFFF) encode U+10000 and above, so they must come after
 * E000–FFFF. Where both code units are in one of these two blocks, rankHigh() exchanges the blocks.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    if (left < 0xd800 || right < 0xd800) return left - right;
    return rankHigh(left) - rankHigh(right);
  }
  return a.length - b.length;
}

function rankHigh(unit: number): number {
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
