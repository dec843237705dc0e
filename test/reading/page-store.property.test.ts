// Tests that every page is read back as it was added, wherever it is stored by then, and that altered bytes are rejected.
// Method: pages of seeded sizes are added, then read by the process that added them and by one that has only the store.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { checkpointKey, runPrefix } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { startCheckpoint } from '../../lib/reading/checkpoint.ts';
import { encodePage } from '../../lib/reading/page.ts';
import {
  openRunPages,
  type PageIndex,
  type RunPages,
  segmentPages,
} from '../../lib/reading/page-store.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { someTarget } from '../support/stored-run.ts';

const snapshot = '20261124T060000Z';
const prefix = runPrefix(someTarget, snapshot, 'abcdefabcdef');

function open(store: Store, keepAlive = async () => {}): RunPages {
  return openRunPages({ store, dataset: containerNodes, prefix, keepAlive });
}

function startIndex(): PageIndex {
  const scope = {
    account: 'prod',
    region: someTarget.region,
    projectId: someTarget.projectId,
    api: 'hss' as const,
    endpoint: 'https://hss.cn-south-4.myhuaweicloud.com',
    enterpriseProjectId: null,
    filters: {},
  };
  return startCheckpoint({ target: someTarget, schemaVersion: 1, snapshot, scope, startedAtMs: 0 });
}

/** A page of incompressible text with about this size. */
function createPage(index: number, bytes: number): Uint8Array {
  const random = createRandom(index + 1);
  const text = Array.from({ length: Math.ceil(bytes / 2) }, () =>
    Math.floor(random() * 2 ** 12).toString(36),
  ).join('');
  const header = { index, pass: 1, offset: index * 199, fetchedAtMs: index };
  return encodePage(header, `{"total_num":1,"data_list":[{"host_id":"h${index}","x":"${text}"}]}`);
}

async function addPages(pages: RunPages, sizes: readonly number[]): Promise<PageIndex> {
  let pageIndex = startIndex();
  for (const [index, bytes] of sizes.entries()) {
    const from = index === 0 ? 'start' : 'anchor';
    pageIndex = await pages.add(pageIndex, createPage(index, bytes), { pass: 1, from });
  }
  return pageIndex;
}

function createStore(options: Partial<MemoryStoreOptions> = {}) {
  return createMemoryStore({ nowMs: () => 0, ...options });
}

describe('stored pages', () => {
  test('are read back in any order, by the process that added them and by another', async () => {
    const sizes = fc.array(fc.constantFrom(10, 2_000, 100_000, 400_000), { maxLength: 35 });
    await fc.assert(
      fc.asyncProperty(sizes, async (given) => {
        const store = createStore();
        const own = open(store);
        const pageIndex = await addPages(own, given);
        const other = open(store);
        for (let index = given.length - 1; index >= 0; index -= 1) {
          for (const pages of [own, other]) {
            const { header, body } = await pages.read(pageIndex, index);
            expect(header).toEqual({ index, pass: 1, offset: index * 199, fetchedAtMs: index });
            expect(body.records).toMatchObject([{ host_id: `h${index}` }]);
          }
        }
        // The index and the store have the same pages.
        expect(pageIndex.pages).toHaveLength(given.length);
        expect([...store.dump().keys()]).toHaveLength(pageIndex.segments.length);
        expect(pageIndex.recent.length).toBeLessThanOrEqual(segmentPages);
        const carried = pageIndex.recent.reduce((sum, text) => sum + (text.length / 4) * 3, 0);
        expect(pageIndex.recent.length <= 1 || carried <= 512 * 1_024 + 30).toBe(true);
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  test('need one write and one read per ten pages', async () => {
    const calls: string[] = [];
    const store = createStore({
      onCall({ op, phase }) {
        if (phase === 'before') calls.push(op);
      },
    });
    const pageIndex = await addPages(open(store), Array(45).fill(1_000));
    expect(calls).toEqual(['put', 'put', 'put', 'put']);
    expect(pageIndex.segments.map(({ first }) => first)).toEqual([0, 10, 20, 30]);
    const other = open(store);
    for (let index = 0; index < 45; index += 1) await other.readInOrder(pageIndex, index);
    expect(calls.slice(4)).toEqual(['get', 'get', 'get', 'get']);
    // Reading in order frees memory, so an earlier page is fetched again.
    await other.read(pageIndex, 0);
    expect(calls.length).toBeGreaterThan(8);
  });

  test('are added without changing the given index', async () => {
    const pages = open(createStore());
    const pageIndex = await addPages(pages, Array(10).fill(10));
    const before = structuredClone(pageIndex);
    await pages.add(pageIndex, createPage(10, 10), { pass: 1, from: 'anchor' });
    expect(pageIndex).toEqual(before);
  });

  test('are neither written nor read if keepAlive throws', async () => {
    const store = createStore();
    const pageIndex = await addPages(open(store), Array(10).fill(10));
    const stopped = open(store, async () => {
      throw new Error('lost');
    });
    const page = { pass: 1, from: 'anchor' } as const;
    await expect(stopped.add(pageIndex, createPage(10, 10), page)).rejects.toThrow('lost');
    await expect(stopped.read(pageIndex, 0)).rejects.toThrow('lost');
    expect(store.dump().size).toBe(0);
  });
});

describe('altered bytes', () => {
  test('are reported with the key of the segment; so is a truncated or missing segment', async () => {
    const store = createStore();
    const pageIndex = await addPages(open(store), Array(11).fill(100));
    const [key = '', object] = [...store.dump()][0] ?? [];
    const bytes = object?.bytes ?? new Uint8Array();
    const harm = fc.record({
      at: fc.nat(bytes.length - 1),
      change: fc.integer({ min: 1, max: 255 }),
      cut: fc.boolean(),
      page: fc.nat(9),
    });
    await fc.assert(
      fc.asyncProperty(harm, async ({ at, change, cut, page }) => {
        const altered = cut ? bytes.slice(0, at) : Uint8Array.from(bytes);
        if (!cut) altered[at] = (altered[at] ?? 0) ^ change;
        store.restore(new Map([[key, { bytes: altered, modifiedMs: 0 }]]));
        const reading = open(store).read(pageIndex, page);
        await expect(reading).rejects.toMatchObject({ code: 'CORRUPT', key });
      }),
    );
    store.restore(new Map());
    const reading = open(store).read(pageIndex, 3);
    await expect(reading).rejects.toThrow(`${key}: is missing`);
  });

  test('in the checkpoint are reported with the key of the checkpoint', async () => {
    const pages = open(createStore());
    const pageIndex = await addPages(pages, [100, 100]);
    const recent = [pageIndex.recent[0] ?? '', Buffer.from('other').toString('base64')];
    const reading = pages.read({ ...pageIndex, recent }, 1);
    await expect(reading).rejects.toThrow(CorruptError);
    await expect(reading).rejects.toMatchObject({ key: checkpointKey(prefix) });
  });
});
