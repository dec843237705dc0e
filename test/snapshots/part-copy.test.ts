// Tests that a copy of a part has its bytes, in memory and in a file, however they arrive and are read.

import { describe, expect, test } from 'vitest';
import { openPartCopy } from '../../lib/snapshots/part-copy.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { createTestScratch } from '../support/test-scratch.ts';

describe.each([
  ['in memory', 2 ** 20],
  ['in a file', 0],
])('%s', (_place, memoryBytesMax) => {
  const seeds = countCases(20);
  test(`has the bytes of the part and no more, in any pieces: ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = createRandom(seed);
      const below = (max: number) => Math.floor(random() * max);
      const bytes = Uint8Array.from({ length: below(700_000) + 1 }, () => below(256));
      const scratch = createTestScratch();
      const copy = await openPartCopy({ scratch, bytes: bytes.length, memoryBytesMax });
      for (let at = 0; at < bytes.length; ) {
        const chunk = bytes.slice(at, at + 1 + below(300_000));
        await copy.add(chunk);
        at += chunk.length;
        // The store uses the memory of a chunk again.
        chunk.fill(0);
      }
      await copy.add(new Uint8Array(1_000));
      const source = await copy.finish();
      expect(source.bytes, `seed ${seed}`).toBe(bytes.length);
      for (let round = 0; round < 5; round += 1) {
        const [start = 0, end = 0] = [below(bytes.length), below(bytes.length)].sort(
          (a, b) => a - b,
        );
        const found = Buffer.compare(await source.read(start, end), bytes.slice(start, end));
        expect(found, `seed ${seed}`).toBe(0);
      }
      expect(scratch.opened()).toBe(memoryBytesMax === 0 ? 1 : 0);
      await copy.remove();
      await copy.remove();
      expect(scratch.left(), `seed ${seed}`).toBe(0);
    }
  });
});
