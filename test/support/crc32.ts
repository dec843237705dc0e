// Responsible for the checksum of a zip entry. Slow, but independent of the zip writer.

/** CRC-32 of IEEE 802.3, bit by bit: node:zlib has no crc32() before Node 20.15. */
export function crc32Of(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
