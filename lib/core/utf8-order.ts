// Owns the order of keys: by their UTF-8 bytes, as stores list and Parquet readers compare. Refuses locales.

/**
 * Orders well-formed strings by their UTF-8 bytes, without encoding them: negative, zero or positive.
 *
 * UTF-16 order differs in one place only: surrogates (D800–DFFF) stand for U+10000 and up and so come
 * after E000–FFFF. Moving both blocks, where both sides are in one of them, puts that right.
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
