// Tests that rows, rejects, counts and bytes are those of a simple seal in memory, whatever the size of a batch: several passes,
// lists that moved or not, keys listed twice, records without a key.

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { countCases } from '../support/cases.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { first, linesOf, many, seal } from '../support/sealed-run.ts';
import { nodeText, type RunToStore } from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

interface Page {
  records: string[];
  pass: number;
  offset: number;
}

/** A list, and pages of one to three passes over it. If it moved, pages do not fit each other. */
function makeRun(seed: number): RunToStore & { pages: Page[]; atRest: boolean } {
  const random = createRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const atRest = below(2) === 0;
  const recordOf = (number: number) =>
    below(12) === 0
      ? `{"host_name":"keyless ${below(2)}"}`
      : nodeText(`n${number}`, {
          host_name: `v${below(3)}`,
          newer: below(9) === 0 ? 1 : undefined,
        });
  const list = Array.from({ length: 5 + below(60) }, (_, index) =>
    recordOf(below(8) === 0 ? below(index + 1) : index),
  );
  const pages: Page[] = [];
  const passes = 1 + below(3);
  const limit = 2 + below(14);
  for (let pass = 1; pass <= passes; pass += 1) {
    const isFixed = atRest && pass === passes;
    for (let offset = 0; ; ) {
      if (!isFixed)
        for (let changes = below(3); changes > 0; changes -= 1) {
          list.splice(below(list.length), below(2), recordOf(below(list.length)));
        }
      const records = list.slice(offset, offset + limit);
      pages.push({ records, pass, offset });
      if (offset + limit >= list.length) break;
      // Pages overlap by one row or more.
      offset += Math.max(1, limit - 1 - below(3));
    }
  }
  // Otherwise the share of records without a key would be too large.
  const filler = {
    records: many.records.map((text) => text.replace('"n', '"fill-')),
    pass: 1,
    offset: 0,
  };
  const shifted = pages.map((page) => ({ ...page, pass: page.pass + 1 }));
  return { snapshot: first, atRest, pages: [filler, ...shifted] };
}

/** Position by position, with everything in memory. */
function expectOf({ pages, atRest }: { pages: readonly Page[]; atRest: boolean }) {
  const lastPass = pages.at(-1)?.pass;
  const newest = new Map<string, string>();
  const keyless = new Set<string>();
  /** The texts of each mark by the number of their group and their position. A group is the pass, or one page if the list moved. */
  const listed = new Map<string, Map<number, Map<number, string>>>();
  for (const [index, { records, pass, offset }] of pages.entries()) {
    for (const [place, text] of records.entries()) {
      const key = containerNodes.keyOf(JSON.parse(text));
      if (key === null) keyless.add(text);
      else newest.set(key, text);
      if (pass !== lastPass) continue;
      const mark = key ?? text;
      const groups = listed.get(mark) ?? new Map<number, Map<number, string>>();
      const group = groups.get(atRest ? 0 : index) ?? new Map<number, string>();
      group.set(atRest ? offset + place : place, text);
      listed.set(mark, groups.set(atRest ? 0 : index, group));
    }
  }
  let repeats = 0;
  const duplicates: string[] = [];
  for (const [mark, groups] of listed) {
    if (!newest.has(mark)) {
      for (const group of groups.values()) repeats += group.size - 1;
      continue;
    }
    const groupsOfTwo = [...groups.values()].filter((group) => group.size > 1);
    const earlier = [...(groupsOfTwo.at(-1)?.values() ?? [])].slice(0, -1);
    const kept = new Set([newest.get(mark)]);
    for (const text of earlier) {
      if (kept.has(text)) repeats += 1;
      else duplicates.push(text);
      kept.add(text);
    }
  }
  return { newest, rejects: [...keyless, ...duplicates], repeats };
}

const partsOf = (store: MemoryStore) =>
  [...store.dump()].filter(([key]) => !key.startsWith('_')).map(([key]) => key);

const seeds = countCases(40);

test(`are the same for every size of a batch, and those of a seal in memory: ${seeds} seeds`, async () => {
  let spilled = 0;
  let duplicates = 0;
  let repeats = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = makeRun(seed);
    const expected = expectOf(run);
    const text = `seed ${seed}`;
    const encoders = seed % 8 === 0 ? [parquetEncoder, ndjsonEncoder] : [ndjsonEncoder];
    const scratch = createTestScratch();
    const whole = await seal(run, { encoders, scratch });
    expect(scratch.opened(), text).toBe(0);
    const { manifest, store } = whole;
    const rows = linesOf(store, manifest, 'rows') as { host_id: string; host_name: string }[];
    expect(rows.length, text).toBe(expected.newest.size);
    for (const { host_id: id, host_name: name } of rows) {
      const record = JSON.parse(expected.newest.get(id) ?? '{}') as { host_name?: string };
      expect(name, `${text} ${id}`).toBe(record.host_name ?? null);
    }
    const rejected = manifest.parts.find(({ role }) => role === 'rejects')?.key ?? '';
    const lines = rejected
      ? gunzipSync(store.dump().get(rejected)?.bytes ?? '')
          .toString()
          .trim()
          .split('\n')
      : [];
    const records = lines.map((line) => line.replace(/^.*?"record":(.*)\}$/, '$1'));
    expect(records, text).toEqual(expected.rejects);
    expect(manifest.evidence.repeats, text).toBe(expected.repeats);
    const size = { batch: 3 + ((seed * 31) % 300), block: 1 + (seed % 9) };
    const small = createTestScratch();
    const cut = await seal(run, { encoders, scratch: small, sortSize: size });
    expect(partsOf(cut.store), text).toEqual(partsOf(store));
    expect(cut.manifest, text).toEqual(manifest);
    expect(small.left(), text).toBe(0);
    spilled += small.opened();
    duplicates += expected.rejects.length;
    repeats += expected.repeats;
  }
  expect([spilled, duplicates, repeats].map((count) => count > countCases(25))).toEqual([
    true,
    true,
    true,
  ]);
});
