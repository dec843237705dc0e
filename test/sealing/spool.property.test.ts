// Tests with random chunks and limits that a spool and a real store agree: whatever was kept in memory or in a file, the
// stored bytes and both hashes are those of the content.

import { createHash } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeHost } from '../../lib/platform/host.ts';
import { openScratch } from '../../lib/platform/scratch.ts';
import { openSpool } from '../../lib/sealing/spool.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { countCases } from '../support/cases.ts';

test('any chunks, any limit: the same bytes, the same hashes, and nothing left', async () => {
  const root = await mkdtemp(join(tmpdir(), 'spool-store-'));
  const parent = await mkdtemp(join(tmpdir(), 'spool-'));
  const clock = { nowMs: Date.now };
  const store = openFileStore({ root, clock });
  const scratch = openScratch({ parent, host: describeHost(Math.random), clock, onExit: () => {} });
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 0, max: 300 }), async (content, limit) => {
      const spool = openSpool(scratch, limit);
      for (const chunk of content) await spool.append(chunk);
      const spooled = await spool.finish();
      const whole = Buffer.concat(content);
      expect((await readdir(parent)).length).toBe(whole.length > limit ? 1 : 0);
      expect(spooled.bytes).toBe(whole.length);
      expect(spooled.sha256).toBe(createHash('sha256').update(whole).digest('hex'));
      expect(Buffer.from(spooled.md5)).toEqual(createHash('md5').update(whole).digest());
      await spooled.put(store, 'a', { durability: 'acknowledged' });
      expect(Buffer.compare((await store.get('a')) as Uint8Array, whole)).toBe(0);
      await spooled.remove();
      expect(await readdir(parent)).toEqual([]);
    }),
    { numRuns: countCases(100) },
  );
});
