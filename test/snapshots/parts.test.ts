// Tests the part that holds rejects.

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { first, many, seal } from '../support/sealed-run.ts';
import { pageTimeMs } from '../support/stored-run.ts';

test('keeps each distinct reject once and verbatim, whatever pages and passes contain it', async () => {
  const nameless = '{"host_name":"x","n":1.0}';
  const { store, manifest } = await seal({
    snapshot: first,
    pages: [
      many,
      { records: [nameless, '{"host_id":5}', nameless] },
      { records: [nameless, '{"host_name":"x","n":1.00}'], pass: 2 },
    ],
  });
  expect(manifest).toMatchObject({ rows: 300, rejects: 3 });
  const key = manifest.parts.find(({ role }) => role === 'rejects')?.key ?? '';
  const text = gunzipSync(store.dump().get(key)?.bytes ?? new Uint8Array()).toString();
  const at = (index: number) => new Date(pageTimeMs + index * 1_000).toISOString();
  expect(text.split('\n')).toEqual([
    `{"reason":"host_id is missing","fetched_at":"${at(1)}","record":${nameless}}`,
    `{"reason":"host_id is a number, not a string","fetched_at":"${at(1)}","record":{"host_id":5}}`,
    `{"reason":"host_id is missing","fetched_at":"${at(2)}","record":{"host_name":"x","n":1.00}}`,
    '',
  ]);
});
