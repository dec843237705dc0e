// Owns where a run's pages lie: the newest in the checkpoint itself, the older ones several to an object. Refuses to understand
// pages (page.ts) and to save the checkpoint (run.ts).

import { CorruptError } from '../core/errors.ts';
import { checkpointKey, segmentKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decodePage, type PageBody, type PageHeader, pageHash, pageHint } from './page.ts';

/** This many pages leave the checkpoint together, as one segment. */
export const segmentPages = 10;
/** Fewer, once the checkpoint would carry more than this of them, bytes. */
const recentBytesMax = 512 * 2 ** 10;
/** Segments kept in memory at the most, bytes: a run that one process makes does not read them back. */
const memoryMax = 32 * 2 ** 20;
/** Segments asked for at once when they are read back. */
const segmentsAhead = 3;

/** What a checkpoint tells of the run's pages. */
export type Places = Pick<Checkpoint, 'pages' | 'segments' | 'recent'>;

export interface RunPages {
  /**
   * What the checkpoint is to say of the pages with this one after them. Only the save of that checkpoint stores the page:
   * page and state are one PUT.
   */
  add(
    places: Places,
    bytes: Uint8Array,
    page: { pass: number; from: Checkpoint['pages'][number]['from'] },
  ): Promise<Places>;
  /** The page at `index`, 0-based. Throws CorruptError. */
  read(places: Places, index: number): Promise<{ header: PageHeader; body: PageBody }>;
  /** As `read`, for reading each page once and in order: what came before it is let go. */
  take(places: Places, index: number): Promise<{ header: PageHeader; body: PageBody }>;
}

/** `prefix`: the run's, as runPrefix gives it. `keepAlive` is awaited before every write and read. */
export function openRunPages(
  store: Store,
  prefix: string,
  keepAlive: () => Promise<void>,
): RunPages {
  const memory = new Map<string, Uint8Array>();
  const coming = new Map<string, Promise<Uint8Array | null>>();
  let memoryBytes = 0;

  function remember(key: string, bytes: Uint8Array): void {
    if (memory.has(key) || memoryBytes + bytes.length > memoryMax) return;
    memory.set(key, bytes);
    memoryBytes += bytes.length;
  }

  function forget(key: string): void {
    memoryBytes -= memory.get(key)?.length ?? 0;
    memory.delete(key);
  }

  /** Segments are read back in their order: the next ones are asked for while this one comes. */
  async function readSegment({ segments }: Places, place: number): Promise<Uint8Array> {
    const keys = segments.slice(place, place + segmentsAhead).map((segment) => keyOf(segment));
    const [key = ''] = keys;
    const known = memory.get(key);
    if (known) return known;
    for (const next of keys) {
      if (memory.has(next) || coming.has(next)) continue;
      const promise = store.get(next);
      // Whoever waits for it hears of its failure.
      promise.catch(() => {});
      coming.set(next, promise);
    }
    const bytes = await coming.get(key);
    coming.delete(key);
    if (!bytes) throw new CorruptError(key, 'is missing: the checkpoint names it', pageHint);
    if (pageHash(bytes) !== segments[place]?.hash) {
      const message = 'does not match the hash in the checkpoint: it was cut short or altered';
      throw new CorruptError(key, message, pageHint);
    }
    remember(key, bytes);
    return bytes;
  }

  const keyOf = ({ first, hash }: Checkpoint['segments'][number]) =>
    segmentKey(prefix, first, hash);

  async function read(places: Places, index: number) {
    await keepAlive();
    const { pages, segments, recent } = places;
    const page = pages[index];
    if (!page) throw new Error(`no page ${index}`);
    const inCheckpoint = recent[index - (pages.length - recent.length)];
    if (inCheckpoint !== undefined) {
      const bytes = Buffer.from(inCheckpoint, 'base64');
      return decodePage(checkpointKey(prefix), page.hash, bytes);
    }
    const place = segments.findLastIndex(({ first }) => first <= index);
    const segment = segments[place];
    if (!segment) throw new Error(`page ${index} lies nowhere`);
    const bytes = await readSegment(places, place);
    const start = sizeOf(pages.slice(segment.first, index));
    return decodePage(keyOf(segment), page.hash, bytes.subarray(start, start + page.bytes));
  }

  return {
    async add(places, bytes, page) {
      let { segments, recent } = places;
      const first = places.pages.length - recent.length;
      const recentBytes = sizeOf(places.pages.slice(first));
      const isFull = recent.length >= segmentPages || recentBytes + bytes.length > recentBytesMax;
      if (isFull && recent.length > 0) {
        const segment = Buffer.concat(recent.map((text) => Buffer.from(text, 'base64')));
        const hash = pageHash(segment);
        const key = segmentKey(prefix, first, hash);
        await keepAlive();
        await store.put(key, segment);
        remember(key, segment);
        segments = [...segments, { first, hash }];
        recent = [];
      }
      return {
        pages: [...places.pages, { ...page, hash: pageHash(bytes), bytes: bytes.length }],
        segments,
        recent: [...recent, Buffer.from(bytes).toString('base64')],
      };
    },
    read,
    async take(places, index) {
      const place = places.segments.findLastIndex(({ first }) => first <= index);
      for (const passed of places.segments.slice(0, Math.max(0, place))) forget(keyOf(passed));
      return read(places, index);
    },
  };
}

function sizeOf(pages: Places['pages']): number {
  return pages.reduce((sum, { bytes }) => sum + bytes, 0);
}
