// Tests which of several records of one node becomes the row, and what happens to the others: the same wherever page boundaries
// and failed responses fall. Method: a list is read as a run reads it, its pages are sealed, and the list itself is the model.

import { expect, test } from 'vitest';
import { readList } from '../reading/read-list.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { first, linesOf, seal } from '../support/sealed-run.ts';
import { nodeText } from '../support/stored-run.ts';

interface Rejected {
  reason: string;
  record: unknown;
}
type Rows = Record<string, unknown>[];

/** Records with nodes listed twice or three times, equal or not, and records without a host_id. */
function makeList(seed: number): string[] {
  const random = createRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const records = Array.from({ length: 20 + below(40) }, (_, index) =>
    nodeText(`n${index}`, { host_name: `name ${index}`, asset: index }),
  );
  for (let count = below(5); count > 0; count -= 1) {
    const at = below(records.length);
    const { host_id: id, ...rest } = JSON.parse(records[at] ?? '') as Record<string, unknown>;
    const copies = [
      JSON.stringify({ host_id: id, ...rest, host_name: `other ${count % 2}` }),
      // Equal values in another order.
      JSON.stringify({ ...rest, host_id: id }),
    ];
    for (const copy of copies.slice(below(2))) {
      records.splice(below(records.length + 1), 0, copy);
    }
  }
  return records;
}

/** What the rule says: the last record of a node is the row, the others are rejects unless they are equal to one that is kept. */
function expectOf(records: readonly string[]) {
  const byId = new Map<string, Rows>();
  for (const text of records) {
    const record = JSON.parse(text) as Record<string, unknown>;
    byId.set(String(record.host_id), [...(byId.get(String(record.host_id)) ?? []), record]);
  }
  const names = new Map<string, unknown>();
  const rejects: Rejected[] = [];
  for (const [id, listed] of byId) {
    const kept = [listed.at(-1) ?? {}];
    names.set(id, kept[0]?.host_name);
    for (const record of listed.slice(0, -1)) {
      if (kept.some((one) => one.host_name === record.host_name)) continue;
      kept.push(record);
      rejects.push({ reason: 'duplicate host_id', record });
    }
  }
  return { names, rejects };
}

/** Reads and seals the list. `glitch`: the request (from 1) that gets a wrong response. */
async function exportList(
  records: readonly string[],
  { limit, glitch, kind }: { limit: number; glitch: number; kind: 'noPage' | 'noList' | 'total' },
) {
  const places = records.map((_, index) => index);
  const ids = records.map((text) => String((JSON.parse(text) as Rows[number]).host_id));
  const shown: number[][] = [];
  let requests = 0;
  const outcome = readList(
    (offset) => {
      requests += 1;
      const isWrong = requests === glitch;
      const page = isWrong && kind !== 'total' ? [] : places.slice(offset, offset + limit);
      shown.push(page);
      const total = isWrong && kind === 'noList' ? 0 : records.length;
      const totalNum = isWrong && kind === 'total' ? total + 2 : total;
      return { totalNum, ids: page.map((place) => ids[place] ?? '') };
    },
    { limit },
  );
  const pages = outcome.pages.map(({ offset, ids: { length }, pass, from }) => ({
    records: records.slice(offset, offset + length),
    pass,
    from,
    offset,
  }));
  const { verdict, atRest } = outcome;
  const { store, manifest } = await seal({ snapshot: first, pages, verdict, atRest });
  const rejects = manifest.rejects === 0 ? [] : (linesOf(store, manifest, 'rejects') as Rejected[]);
  const rows = linesOf(store, manifest, 'rows') as Rows;
  return {
    verdict,
    evidence: manifest.evidence,
    names: new Map(rows.map((row) => [String(row.host_id), row.host_name])),
    rejects: rejects.map(({ reason, record }) => ({ reason, record })),
    listed: manifest.rows + manifest.rejects + manifest.evidence.repeats,
  };
}

const lists = countCases(150);

test(`the later record in list order is the row, and each other one is kept once, in ${lists} lists`, async () => {
  let rejected = 0;
  for (let seed = 1; seed <= lists; seed += 1) {
    const records = makeList(seed);
    const expected = expectOf(records);
    const limit = 2 + ((seed * 7) % 30);
    const kind = (['noPage', 'noList', 'total'] as const)[seed % 3] ?? 'total';
    const sealed = await exportList(records, {
      limit,
      glitch: seed % 9 === 0 ? 0 : 1 + (seed % 9),
      kind,
    });
    const text = `seed ${seed}`;
    expect(sealed.names.size, text).toBe(expected.names.size);
    for (const [id, name] of expected.names) expect(sealed.names.get(id), text).toBe(name);
    expect(sealed.rejects, text).toEqual(expected.rejects);
    expect(sealed.verdict, text).toBe('complete');
    expect(sealed.listed, text).toBe(records.length);
    rejected += sealed.rejects.length;
  }
  expect(rejected).toBeGreaterThan(countCases(100));
});

test('rows and rejects are the same for every length of a page', async () => {
  for (const seed of [3, 4, 8]) {
    const records = makeList(seed);
    const expected = expectOf(records);
    for (let limit = 2; limit <= records.length + 2; limit += 1) {
      const sealed = await exportList(records, { limit, glitch: 0, kind: 'total' });
      expect(sealed.rejects, `seed ${seed}, limit ${limit}`).toEqual(expected.rejects);
      expect(sealed.listed).toBe(records.length);
    }
  }
});
