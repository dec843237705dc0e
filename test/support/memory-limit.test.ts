// Tests that a function over its memory limit is killed, with and without a control group.

import { expect, test } from 'vitest';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { unpackFunction } from './function-process.ts';

test('kills a function over its memory limit, but not one below it', async () => {
  const code = `exports.handler = async ({ mb }) => {
  const held = Array.from({ length: mb }, () => Buffer.alloc(2 ** 20, 1));
  return held.length;
};`;
  const zip = await writeZip([{ path: 'index.js', bytes: Buffer.from(code) }]);
  const unpacked = await unpackFunction(zip);
  const run = (mb: number) =>
    unpacked.run({
      event: { mb },
      handler: 'index.handler',
      requestId: 'r',
      functionName: 'f',
      memorySize: 128,
      timeoutMs: 20_000,
      agency: null,
      userData: {},
    });
  expect(await run(10)).toMatchObject({ ok: true, result: 10 });
  expect(await run(200)).toMatchObject({ ok: false, error: { name: 'Killed' } });
  await unpacked.remove();
});
