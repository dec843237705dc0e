// Responsible for where the pages of a run are stored: the newest in the checkpoint itself, older ones in segments of several.
// Not responsible for the content of pages (page.ts) or for saving the checkpoint (runs/run-state.ts).

import { CorruptError } from '../core/errors.ts';
import { checkpointKey, segmentKey } from '../core/object-keys.ts';
import type { Dataset, Store } from '../core/ports.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decodePage, pageHash, pageHint, type StoredPage } from './page.ts';
import type { Join } from './sequence.ts';

/** This many pages leave the checkpoint together and become one segment. */
export const segmentPages = 10;
/** Fewer pages leave the checkpoint together if they have more bytes than this. */
const recentBytesMax = 512 * 2 ** 10;
/** The most bytes of segments in memory, so that the process that wrote them need not read them back. */
const memoryBytesMax = 32 * 2 ** 20;
/** How many segments are requested at once when they are read back. */
const segmentsAhead = 3;

/** The part of the checkpoint that says which pages there are and where. */
export type PageIndex = Pick<Checkpoint, 'pages' | 'segments' | 'recent'>;

export type RunPages = ReturnType<typeof openRunPages>;

interface PageStoreOptions {
  store: Store;
  dataset: Dataset;
  /** Of the run's objects, as runPrefix returns it. */
  prefix: string;
  /** Awaited before each write and read; throws when the run must stop. */
  keepAlive: () => Promise<void>;
}

export function openRunPages(options: PageStoreOptions) {
  const { dataset, prefix, keepAlive } = options;
  const segments = openSegments(options);

  /** The page with this 0-based number. Throws CorruptError. */
  async function read(index: PageIndex, number: number): Promise<StoredPage> {
    await keepAlive();
    const page = index.pages[number];
    if (!page) throw new Error(`There is no page ${number}`);
    const inCheckpoint = index.recent[number - (index.pages.length - index.recent.length)];
    if (inCheckpoint !== undefined) {
      const bytes = Buffer.from(inCheckpoint, 'base64');
      return decodePage(dataset, checkpointKey(prefix), page.hash, bytes);
    }
    const place = findSegment(index, number);
    const segment = index.segments[place];
    if (!segment) throw new Error(`No segment contains page ${number}`);
    const ahead = index.segments.slice(place, place + segmentsAhead).map(segments.keyOf);
    const bytes = await segments.read(ahead, segment.hash);
    const start = countBytes(index.pages.slice(segment.first, number));
    const pageBytes = bytes.subarray(start, start + page.bytes);
    return decodePage(dataset, segments.keyOf(segment), page.hash, pageBytes);
  }

  return {
    /**
     * The index with this page added at its end. The page is stored only when the caller saves that index in the checkpoint:
     * page and reading position change in one PUT.
     */
    async add(
      index: PageIndex,
      bytes: Uint8Array,
      page: { pass: number; from: Join },
    ): Promise<PageIndex> {
      const before = isFull(index, bytes.length) ? await segments.append(index) : index;
      return {
        pages: [...index.pages, { ...page, hash: pageHash(bytes), bytes: bytes.length }],
        segments: before.segments,
        recent: [...before.recent, Buffer.from(bytes).toString('base64')],
      };
    },
    read,
    /** As `read`, for a caller that reads every page once, in order: frees the memory of the segments before it. */
    readInOrder(index: PageIndex, number: number): Promise<StoredPage> {
      const done = index.segments.slice(0, Math.max(0, findSegment(index, number)));
      for (const segment of done) segments.forget(segments.keyOf(segment));
      return read(index, number);
    },
  };
}

/** Segments by key, from memory or from the store. */
function openSegments({ store, prefix, keepAlive }: PageStoreOptions) {
  const memory = new Map<string, Uint8Array>();
  const requested = new Map<string, Promise<Uint8Array | null>>();
  let memoryBytes = 0;

  function remember(key: string, bytes: Uint8Array): void {
    if (memory.has(key) || memoryBytes + bytes.length > memoryBytesMax) return;
    memory.set(key, bytes);
    memoryBytes += bytes.length;
  }

  const keyOf = ({ first, hash }: Checkpoint['segments'][number]) =>
    segmentKey(prefix, first, hash);

  return {
    keyOf,
    /** Stores the pages of the checkpoint as a new segment. */
    async append({ pages, segments, recent }: PageIndex): Promise<PageIndex> {
      const bytes = Buffer.concat(recent.map((text) => Buffer.from(text, 'base64')));
      const segment = { first: pages.length - recent.length, hash: pageHash(bytes) };
      const key = keyOf(segment);
      await keepAlive();
      await store.put(key, bytes, { durability: 'checksummed' });
      remember(key, bytes);
      return { pages, segments: [...segments, segment], recent: [] };
    },
    forget(key: string): void {
      memoryBytes -= memory.get(key)?.length ?? 0;
      memory.delete(key);
    },
    /** The first segment of `keys`. The others, which will be needed next, are requested at the same time. */
    async read(keys: readonly string[], hash: string): Promise<Uint8Array> {
      const [key = ''] = keys;
      const inMemory = memory.get(key);
      if (inMemory) return inMemory;
      for (const next of keys) {
        if (memory.has(next) || requested.has(next)) continue;
        const promise = store.get(next);
        // A request may fail before it is awaited: without this, that would end the process.
        promise.catch(() => {});
        requested.set(next, promise);
      }
      const bytes = await requested.get(key);
      requested.delete(key);
      if (!bytes) throw new CorruptError(key, 'is missing, but the checkpoint names it', pageHint);
      if (pageHash(bytes) !== hash) {
        const message = 'does not match the hash in the checkpoint: it was truncated or altered';
        throw new CorruptError(key, message, pageHint);
      }
      remember(key, bytes);
      return bytes;
    },
  };
}

/** True if the pages in the checkpoint must leave it before a page of `bytes` is added. */
function isFull({ pages, recent }: PageIndex, bytes: number): boolean {
  const recentBytes = countBytes(pages.slice(pages.length - recent.length));
  return (
    recent.length >= segmentPages || (recent.length > 0 && recentBytes + bytes > recentBytesMax)
  );
}

/** The place of the segment that contains the page, unless the page is in the checkpoint; -1 if there is no segment. */
function findSegment({ segments }: PageIndex, number: number): number {
  return segments.findLastIndex(({ first }) => first <= number);
}

function countBytes(pages: PageIndex['pages']): number {
  return pages.reduce((sum, { bytes }) => sum + bytes, 0);
}
