// Tests writing and reading zips: complete content, and the same bytes for the same files.

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readZipped, writeZip, zipMaxBytes } from '../../lib/deploy/function-zip.ts';
import { readArchive } from '../support/archive-reader.ts';

test('returns every file unchanged, and the same bytes for any order of the files', async () => {
  const path = fc.stringMatching(/^[a-z]{1,8}(\/[a-zé]{1,8})?\.js$/);
  const files = fc.uniqueArray(fc.record({ path, bytes: fc.uint8Array({ maxLength: 2_000 }) }), {
    selector: (file) => file.path,
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(files, async (given) => {
      const archive = await writeZip(given);
      const again = await writeZip([...given].reverse());
      expect(again.equals(archive)).toBe(true);
      const entries = new Map(readArchive(archive).map((entry) => [entry.path, entry]));
      expect(await readZipped(archive, 'none.js')).toBeNull();
      expect([...entries.keys()].sort()).toEqual(given.map((file) => file.path).sort());
      for (const one of given) {
        expect(entries.get(one.path)?.bytes.equals(Buffer.from(one.bytes))).toBe(true);
        expect(entries.get(one.path)?.mode).toBe(0o100644);
        expect(await readZipped(archive, one.path)).toEqual(Buffer.from(one.bytes));
      }
    }),
    { numRuns: 50 },
  );
});

test('writes the same bytes in every time zone and at any time', async () => {
  const script = `import { writeZip } from ${JSON.stringify(new URL('../../lib/deploy/function-zip.ts', import.meta.url).href)};
const zip = await writeZip([{ path: 'index.js', bytes: Buffer.from('exports.a = 1;') }]);
process.stdout.write(zip.toString('hex'));`;
  const write = (TZ: string) =>
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env: { ...process.env, TZ },
    }).toString();
  expect(write('Pacific/Kiritimati')).toBe(write('America/Los_Angeles'));
});

test('rejects a zip above the size limit of FunctionGraph', async () => {
  const noise = Buffer.alloc(zipMaxBytes + 1);
  // Noise that does not compress, the same in each run.
  for (let index = 0, state = 1; index < noise.length; index += 4) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    noise.writeInt32LE(state ^ (state >>> 15), Math.min(index, noise.length - 4));
  }
  const failed = writeZip([{ path: 'index.js', bytes: noise }]);
  await expect(failed).rejects.toMatchObject({
    code: 'CONFIG',
    hint: expect.stringContaining('dist/meta'),
  });
});
