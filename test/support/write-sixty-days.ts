// Responsible for writing the store of 60 days into a folder, for screenshots and for trying the report.
// Usage: npx tsx test/support/write-sixty-days.ts FOLDER [tampered]. The last snapshot is of today.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createSixtyDays } from './sixty-days.ts';

const [folder, tampered] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write to');
const dayMs = 86_400_000;
const { store, dayName } = await createSixtyDays(Math.floor(Date.now() / dayMs) * dayMs);
for (const [key, { bytes }] of store.dump()) {
  const path = join(folder, key);
  await mkdir(dirname(path), { recursive: true });
  // One row of one snapshot reads differently, and its size is the same.
  const isTarget = key.startsWith('container_nodes/') && key.includes(`/${dayName(45)}-`);
  const isAltered = tampered === 'tampered' && isTarget && key.includes('prj=9f8e7d6c5b4a');
  await writeFile(path, isAltered ? alter(bytes) : bytes);
}

function alter(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const middle = copy.length >> 1;
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}
