// Tests that every page is read back as it was added, wherever it is stored by then, that few bytes are written for it, and that
// altered bytes are rejected.
// Method: pages of seeded sizes and passes are added, then read by the process that added them and by one that has only the store.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { checkpointKey, runPrefix } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { encodePage, type StoredPage } from '../../lib/reading/page.ts';
import {
  groupSegments,
  openRunPages,
  type PageIndex,
  type PageRange,
  type RunPages,
  segmentPages,
} from '../../lib/reading/page-store.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { someTarget } from '../support/stored-run.ts';

const snapshot = '20261124T060000Z';
const prefix = runPrefix(someTarget, snapshot, 'abcdefabcdef');

function open(store: Store, keepAlive = async () => {}): RunPages {
  return openRunPages({ store, dataset: containerNodes, prefix, keepAlive });
}

function startRun(): Checkpoint {
  const scope = {
    account: 'prod',
    region: someTarget.region,
    projectId: someTarget.projectId,
    api: 'hss' as const,
    endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
    enterpriseProjectId: null,
    filters: {},
  };
  const read = { dataset: 'container_nodes', schemaVersion: 1, scope };
  return startCheckpoint({ target: someTarget, ...read, snapshot, startedAtMs: 0 });
}

interface Given {
  /** About this many bytes. */
  bytes: number;
  pass: number;
}

const fromOf = (index: number) => (index === 0 ? 'start' : index % 3 === 0 ? 'overlap' : 'anchor');

/** A page of incompressible text. */
function createPage(index: number, { bytes, pass }: Given): Uint8Array {
  const text = createHash('shake256', { outputLength: bytes }).update(`${index}`).digest('base64');
  const header = { index, pass, offset: index * 199, fetchedAtMs: index };
  const body = `{"total_num":1,"data_list":[{"host_id":"h${index}","x":"${text}"}]}`;
  return encodePage(header, fromOf(index), body);
}

const ofPass1 = (...sizes: number[]): Given[] => sizes.map((bytes) => ({ bytes, pass: 1 }));

/** Adds the pages, and saves the checkpoint after each, as a run does. */
async function addPages(
  store: Store,
  pages: RunPages,
  given: readonly Given[],
  start = startRun(),
): Promise<Checkpoint> {
  let checkpoint = start;
  for (const page of given) {
    const bytes = createPage(checkpoint.pageCount, page);
    checkpoint = { ...checkpoint, ...(await pages.add(checkpoint, bytes, page.pass)) };
    await store.put(checkpointKey(prefix), encodeCheckpoint(checkpoint));
  }
  return checkpoint;
}

/** As addPages, but each page becomes a segment: so many bytes were written again that no page may stay in the checkpoint. */
async function addSegments(
  store: Store,
  given: readonly Given[],
  start = startRun(),
): Promise<Checkpoint> {
  let checkpoint = start;
  for (const page of given) {
    const full = { ...checkpoint, carriedBytes: Number.MAX_SAFE_INTEGER };
    checkpoint = await addPages(store, open(store), [page], full);
  }
  return checkpoint;
}

async function readAll(
  pages: RunPages,
  index: PageIndex,
  range?: PageRange,
): Promise<StoredPage[]> {
  const read: StoredPage[] = [];
  for await (const page of pages.read(index, range)) read.push(page);
  return read;
}

function expectPages(read: readonly StoredPage[], given: readonly Given[], first = 0): void {
  expect(read.map(({ header }) => header)).toEqual(
    given.map(({ pass }, place) => {
      const index = first + place;
      return { index, pass, offset: index * 199, fetchedAtMs: index };
    }),
  );
  for (const { header, from, body } of read) {
    expect(from).toBe(fromOf(header.index));
    expect(body.records).toMatchObject([{ host_id: `h${header.index}` }]);
  }
}

function createStore(options: Partial<MemoryStoreOptions> = {}) {
  return createMemoryStore({ nowMs: () => 0, ...options });
}

/** Counts calls and written bytes. */
function createCountedStore() {
  const counts = { put: 0, get: 0, bytes: 0 };
  const store = createStore({
    onCall({ op, phase }) {
      if (phase === 'before' && (op === 'put' || op === 'get')) counts[op] += 1;
    },
  });
  const counted: Store = {
    ...store,
    put(key, bytes, options) {
      counts.bytes += bytes.length;
      return store.put(key, bytes, options);
    },
  };
  return { store, counted, counts };
}

const pageKeys = (store: ReturnType<typeof createStore>) =>
  [...store.dump().keys()].filter((key) => key.includes('/pages/'));

describe('stored pages', () => {
  const sizes = fc.constantFrom(10, 2_000, 60_000, 300_000);
  const passes = fc.array(fc.array(sizes, { maxLength: 14 }), { maxLength: 3 });

  test('are read back in order, from any pass to any other, by the process that added them and by another', async () => {
    await fc.assert(
      fc.asyncProperty(passes, async (sizesByPass) => {
        const given = sizesByPass.flatMap((all, place) =>
          all.map((bytes) => ({ bytes, pass: place + 1 })),
        );
        const store = createStore();
        const own = open(store);
        const checkpoint = await addPages(store, own, given);
        expect(checkpoint.pageCount).toBe(given.length);
        const stored = store.dump().get(checkpointKey(prefix))?.bytes;
        const resumed = stored ? decodeCheckpoint('c', stored) : startRun();
        expect(resumed).toEqual(checkpoint);
        for (const pages of [own, open(store)]) {
          expectPages(await readAll(pages, resumed), given);
          for (let pass = 1; pass <= sizesByPass.length + 1; pass += 1) {
            const before = given.filter((page) => page.pass < pass);
            const after = given.filter((page) => page.pass >= pass);
            expectPages(await readAll(pages, resumed, { beforePass: pass }), before);
            expectPages(await readAll(pages, resumed, { fromPass: pass }), after, before.length);
            const only = given.filter((page) => page.pass === pass);
            const range = { fromPass: pass, beforePass: pass + 1 };
            expectPages(await readAll(pages, resumed, range), only, before.length);
          }
        }
        expect(pageKeys(store)).toHaveLength(resumed.segments.length);
        expect(resumed.recent.length).toBeLessThan(segmentPages);
      }),
      { numRuns: 10 },
    );
  }, 60_000);

  test('of a long list are in groups of segments, and are read from any pass on', async () => {
    const store = createStore();
    const given = [1, 62, 1, 1, 63, 64, 10].flatMap((count, place) =>
      Array.from({ length: count }, () => ({ bytes: 10, pass: place + 1 })),
    );
    const checkpoint = await addSegments(store, given);
    expect(checkpoint.groups).toHaveLength(3);
    expect(checkpoint.segments).toHaveLength(given.length - 3 * groupSegments);
    expect(pageKeys(store)).toHaveLength(given.length);
    for (let pass = 0; pass <= 8; pass += 1) {
      const before = given.filter((page) => page.pass < pass).length;
      const read = await readAll(open(store), checkpoint, { fromPass: pass });
      expectPages(read, given.slice(before), before);
    }
  });

  test('are added without changing the given index', async () => {
    const store = createStore();
    const pages = open(store);
    const checkpoint = await addPages(store, pages, ofPass1(...Array(segmentPages - 1).fill(10)));
    const before = structuredClone(checkpoint);
    const after = await pages.add(checkpoint, createPage(9, { bytes: 10, pass: 1 }), 1);
    expect(checkpoint).toEqual(before);
    expect(after.segments).toHaveLength(1);
  });

  test('are neither written nor read if keepAlive throws', async () => {
    const store = createStore();
    const checkpoint = await addPages(store, open(store), ofPass1(...Array(9).fill(10)));
    const stopped = open(store, async () => {
      throw new Error('lost');
    });
    const tenth = createPage(9, { bytes: 10, pass: 1 });
    await expect(stopped.add(checkpoint, tenth, 1)).rejects.toThrow('lost');
    await expect(readAll(stopped, checkpoint)).rejects.toThrow('lost');
    expect(pageKeys(store)).toEqual([]);
  });

  test('of two processes that continue one run without a lease are kept apart', async () => {
    const store = createStore();
    const shared = await addPages(store, open(store), ofPass1(...Array(8).fill(10)));
    const sizes = [ofPass1(...Array(20).fill(10)), ofPass1(...Array(20).fill(11))];
    const ends = await Promise.all(
      sizes.map((given) => addPages(store, open(store), given, shared)),
    );
    for (const [place, end] of ends.entries()) {
      const given = [...ofPass1(...Array(8).fill(10)), ...(sizes[place] ?? [])];
      expectPages(await readAll(open(store), end), given);
    }
    // The last checkpoint counts, and it is one of the two.
    const stored = decodeCheckpoint(
      'c',
      store.dump().get(checkpointKey(prefix))?.bytes as Uint8Array,
    );
    expect(ends).toContainEqual(stored);
  });
});

describe('a process that is killed between any two writes', () => {
  test('leaves a checkpoint whose pages can all be read, and loses at most the page in flight', async () => {
    const killed = new Error('killed');
    // From shortly before the end of a group to shortly after it: each page is a segment and a checkpoint.
    const given = ofPass1(...Array(60).fill(10));
    const more = ofPass1(...Array(8).fill(10));
    let puts = 0;
    let killAt = Number.POSITIVE_INFINITY;
    const store = createStore({
      onCall({ op, phase }) {
        if (op !== 'put' || phase !== 'before') return;
        if (puts === killAt) throw killed;
        puts += 1;
      },
    });
    const start = await addSegments(store, given);
    const objects = store.dump();
    for (let kill = 0; kill < 2 * more.length; kill += 1) {
      store.restore(objects);
      puts = 0;
      killAt = kill;
      await expect(addSegments(store, more, start)).rejects.toBe(killed);
      killAt = Number.POSITIVE_INFINITY;
      const bytes = store.dump().get(checkpointKey(prefix))?.bytes as Uint8Array;
      const left = decodeCheckpoint('c', bytes);
      expect(left.pageCount).toBe(given.length + Math.floor(kill / 2));
      expectPages(await readAll(open(store), left), ofPass1(...Array(left.pageCount).fill(10)));
      // Another process continues, also over the page that the killed one has stored but not named.
      const rest = more.slice(Math.floor(kill / 2)).map((page) => ({ ...page, bytes: 11 }));
      const end = await addSegments(store, rest, left);
      expect(end.groups).toHaveLength(1);
      expectPages(await readAll(open(store), end), [...given, ...more]);
    }
  });
});

describe('what is written for a page', () => {
  test('of a short list is one PUT, and one more for ten pages; they are read with one GET', async () => {
    const { store, counted, counts } = createCountedStore();
    const checkpoint = await addPages(counted, open(counted), ofPass1(...Array(45).fill(1_000)));
    expect(counts.put).toBe(45 + 4);
    expect(pageKeys(store)).toHaveLength(4);
    await readAll(open(counted), checkpoint);
    expect(counts.get).toBe(4);
  });

  test('of a long list is less than twice its bytes, with at most 1.4 PUTs', async () => {
    const { store, counted, counts } = createCountedStore();
    const pages = open(counted);
    // A page of 200 nodes has about 20 kB.
    let checkpoint = await addPages(counted, pages, ofPass1(...Array(1_000).fill(20_000)));
    const before = { ...counts, kept: checkpoint.pageBytes };
    checkpoint = await addPages(counted, pages, ofPass1(...Array(500).fill(20_000)), checkpoint);
    expect((counts.put - before.put) / 500).toBeLessThanOrEqual(1.4);
    const kept = checkpoint.pageBytes - before.kept;
    expect((counts.bytes - before.bytes) / kept).toBeLessThan(2);
    const all = [...store.dump().values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(all).toBeLessThanOrEqual(checkpoint.pageBytes * 1.02);
    expect(encodeCheckpoint({ ...checkpoint, recent: [] }).length).toBeLessThanOrEqual(5_000);
  }, 60_000);

  test('does not request more than the pages that are read, but for a few ahead', async () => {
    const { counted, counts } = createCountedStore();
    const checkpoint = await addPages(counted, open(counted), ofPass1(...Array(300).fill(10)));
    expect(checkpoint.segments).toHaveLength(30);
    for await (const { header } of open(counted).read(checkpoint)) {
      if (header.index === 9) break;
    }
    expect(counts.get).toBeLessThanOrEqual(5);
  });
});

describe('altered bytes', () => {
  test('of a segment are reported with its key, wherever it is named; so is a truncated or missing segment', async () => {
    const store = createStore();
    const checkpoint = await addSegments(store, ofPass1(...Array(70).fill(10)));
    expect([checkpoint.groups.length, checkpoint.segments.length]).toEqual([1, 6]);
    const objects = store.dump();
    const keys = pageKeys(store);
    const harm = fc.record({
      // In a group, the last of a group, and after the groups.
      key: fc.constantFrom(...[0, 30, 63, 64, 69].map((place) => keys[place] as string)),
      at: fc.nat(),
      change: fc.integer({ min: 1, max: 255 }),
      kind: fc.constantFrom('changed', 'cut', 'missing'),
    });
    await fc.assert(
      fc.asyncProperty(harm, async ({ key, at, change, kind }) => {
        const bytes = objects.get(key)?.bytes ?? new Uint8Array();
        const place = at % bytes.length;
        const altered = kind === 'cut' ? bytes.slice(0, place) : Uint8Array.from(bytes);
        if (kind === 'changed') altered[place] = (altered[place] ?? 0) ^ change;
        const damaged = new Map([...objects, [key, { bytes: altered, modifiedMs: 0 }]]);
        if (kind === 'missing') damaged.delete(key);
        store.restore(damaged);
        const reading = readAll(open(store), checkpoint);
        await expect(reading).rejects.toThrow(CorruptError);
        await expect(reading).rejects.toMatchObject({ code: 'CORRUPT', key });
      }),
    );
  });
});
