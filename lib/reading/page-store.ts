// Responsible for where the pages of a run are stored: the newest in the checkpoint itself, older ones in segments of several.
// Not responsible for the content of pages (page.ts) or for saving the checkpoint (runs/run-state.ts).
//
// docs/design/decisions/pages-in-checkpoint.md explains the bounds.

import { CorruptError } from '../core/errors.ts';
import { parseBounded } from '../core/exact-json.ts';
import { checkpointKey, segmentKey } from '../core/object-keys.ts';
import type { Dataset, Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decodePage, pageHash, pageHint, type StoredPage } from './page.ts';

/** At most this many pages become one segment. */
export const segmentPages = 10;
/** Fewer pages become a segment if they have more bytes than this. */
const recentBytesMax = 512 * 2 ** 10;
/** A page in the checkpoint is written again with every page after it. All that may be this share of the bytes of all pages … */
const carriedShareMax = 0.82;
/** … and this many bytes more: for a short list, fewer requests matter more than fewer bytes. */
const carriedBytesFree = 2 * 2 ** 20;
/** This many segments are a group: the last one lists the others, and the checkpoint names only the last one. */
export const groupSegments = 64;
/** The most bytes of segments in memory. A process does not fetch again what it has written or fetched. */
const memoryBytesMax = 2 ** 20;
/** How many segments are requested before they are needed. */
const segmentsAhead = 4;

/** The part of the checkpoint that says which pages there are and where. */
export type PageIndex = Pick<
  Checkpoint,
  'pageCount' | 'passStarts' | 'pageBytes' | 'carriedBytes' | 'groups' | 'segments' | 'recent'
>;

/** Which pages to read. Default: all. */
export interface PageRange {
  /** Only pages of this pass and later ones. */
  fromPass?: number;
  /** Only pages of passes before this one. */
  beforePass?: number;
}

/** The stored pages in order. Some objects are requested ahead. Throws CorruptError. */
export type ReadPages = (index: PageIndex, range?: PageRange) => AsyncIterable<StoredPage>;

export type RunPages = ReturnType<typeof openRunPages>;

interface PageStoreOptions {
  store: Store;
  dataset: Dataset;
  /** Of the run's objects, as runPrefix returns it. */
  prefix: string;
  /** Awaited before each write and each page that is read; throws when the run must stop. */
  keepAlive: () => Promise<void>;
}

export function openRunPages(options: PageStoreOptions) {
  const { dataset, prefix, keepAlive } = options;
  const segments = openSegments(options);

  /** The pages from the 0-based number `first` on. */
  async function* readFrom(index: PageIndex, first: number): AsyncGenerator<StoredPage> {
    const { pageCount, recent } = index;
    for await (const segment of segments.read(index, first)) {
      for (const [place, bytes] of segment.pages.entries()) {
        if (segment.first + place < first) continue;
        await keepAlive();
        yield decodePage(dataset, segment.key, bytes);
      }
    }
    for (const [place, text] of recent.entries()) {
      if (pageCount - recent.length + place < first) continue;
      await keepAlive();
      yield decodePage(dataset, checkpointKey(prefix), Buffer.from(text, 'base64'));
    }
  }

  return {
    /**
     * The index with a page of this pass added at its end. `bytes`: as encodePage returns them. The page is stored only when the
     * caller saves that index in the checkpoint: page and reading position change in one PUT.
     */
    async add(index: PageIndex, bytes: Uint8Array, pass: number): Promise<PageIndex> {
      const isFirst = index.passStarts.at(-1)?.pass !== pass;
      const start = { pass, first: index.pageCount };
      const added: PageIndex = {
        ...index,
        pageCount: index.pageCount + 1,
        passStarts: isFirst ? [...index.passStarts, start] : index.passStarts,
        pageBytes: index.pageBytes + bytes.length,
        recent: [...index.recent, Buffer.from(bytes).toString('base64')],
      };
      const carriedBytes = index.carriedBytes + countBytes(added.recent);
      return mayCarry({ ...added, carriedBytes })
        ? { ...added, carriedBytes }
        : await segments.append(added);
    },
    async *read(index: PageIndex, range: PageRange = {}): AsyncGenerator<StoredPage> {
      const first = findStart(index, range.fromPass ?? 0);
      const end = findStart(index, range.beforePass ?? Number.POSITIVE_INFINITY);
      let left = end - first;
      if (left <= 0) return;
      for await (const page of readFrom(index, first)) {
        yield page;
        left -= 1;
        if (left === 0) return;
      }
    },
  };
}

/** Whether the newest pages may stay in the checkpoint. */
function mayCarry({ recent, pageBytes, carriedBytes }: PageIndex): boolean {
  return (
    recent.length < segmentPages &&
    countBytes(recent) <= recentBytesMax &&
    carriedBytes <= carriedShareMax * pageBytes + carriedBytesFree
  );
}

/** Of texts in base64. */
function countBytes(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0);
}

/** The number of the first page of `pass` or of a later pass. */
function findStart({ passStarts, pageCount }: PageIndex, pass: number): number {
  return passStarts.find((start) => start.pass >= pass)?.first ?? pageCount;
}

/** A segment as read. */
interface Segment {
  key: string;
  /** The number of its first page. */
  first: number;
  pages: Uint8Array[];
  /** The other segments of its group, if it is the last one; else empty. */
  before: string[];
}

/** The first line of a segment. The bytes of its pages follow. */
interface SegmentHeader {
  /** The number of bytes of each page. */
  pages: number[];
  before: string[];
}

/** A segment is named by the number of its first page and the hash of its bytes, so the name proves its content. */
function nameSegment(first: number, bytes: Uint8Array): string {
  return `${String(first).padStart(6, '0')}-${pageHash(bytes)}`;
}

function firstPageOf(name: string): number {
  return Number.parseInt(name, 10);
}

function encodeSegment(pages: readonly Uint8Array[], before: readonly string[]): Uint8Array {
  const header: SegmentHeader = { pages: pages.map(({ length }) => length), before: [...before] };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...pages]);
}

/** `bytes` null: the object is missing. Throws CorruptError naming `key`. */
function decodeSegment(key: string, name: string, bytes: Uint8Array | null): Segment {
  if (!bytes) throw new CorruptError(key, 'is missing, but the checkpoint names it', pageHint);
  const first = firstPageOf(name);
  if (nameSegment(first, bytes) !== name) {
    const message = 'does not match the hash in its name: it was truncated or altered';
    throw new CorruptError(key, message, pageHint);
  }
  const end = bytes.indexOf(10);
  const header = parseBounded(Buffer.from(bytes.subarray(0, end)).toString()) as SegmentHeader;
  let from = end + 1;
  const pages = header.pages.map((length) => {
    from += length;
    return bytes.subarray(from - length, from);
  });
  return { key, first, pages, before: header.before };
}

/** Segments by name, from memory or from the store. */
// Long because: one state, and the functions that share it.
function openSegments({ store, prefix, keepAlive }: PageStoreOptions) {
  const memory = new Map<string, Uint8Array>();
  let memoryBytes = 0;

  async function request(name: string): Promise<Segment> {
    const key = segmentKey(prefix, name);
    const bytes = memory.get(name) ?? (await readState(store, key));
    const segment = decodeSegment(key, name, bytes);
    remember(name, bytes);
    return segment;
  }

  function remember(name: string, bytes: Uint8Array | null): void {
    if (!bytes || memory.has(name) || memoryBytes + bytes.length > memoryBytesMax) return;
    memory.set(name, bytes);
    memoryBytes += bytes.length;
  }

  /** Requests each segment when it is taken from here, in order, from the one that has the page `first`. */
  async function* requestAll(
    { groups, segments, pageCount, recent }: PageIndex,
    first: number,
  ): AsyncGenerator<{ requested: Promise<Segment> }> {
    for (const [place, last] of groups.entries()) {
      // The page is behind this group.
      const next = groups[place + 1] ?? segments[0];
      if (next !== undefined && firstPageOf(next) <= first) continue;
      const requested = request(last);
      const { before } = await requested;
      for (const name of selectFrom(before, first, firstPageOf(last))) {
        yield { requested: requestAhead(name) };
      }
      yield { requested };
    }
    for (const name of selectFrom(segments, first, pageCount - recent.length)) {
      yield { requested: requestAhead(name) };
    }
  }

  function requestAhead(name: string): Promise<Segment> {
    const requested = request(name);
    // It may fail before it is awaited: without this, that would end the process.
    requested.catch(() => {});
    return requested;
  }

  return {
    /** Stores the pages of the checkpoint as a new segment. */
    async append(index: PageIndex): Promise<PageIndex> {
      const { pageCount, segments, groups, recent } = index;
      const isLastOfGroup = segments.length === groupSegments - 1;
      const pages = recent.map((text) => Buffer.from(text, 'base64'));
      const bytes = encodeSegment(pages, isLastOfGroup ? segments : []);
      const name = nameSegment(pageCount - recent.length, bytes);
      await keepAlive();
      await store.put(segmentKey(prefix, name), bytes, { durability: 'checksummed' });
      remember(name, bytes);
      return {
        ...index,
        recent: [],
        groups: isLastOfGroup ? [...groups, name] : groups,
        segments: isLastOfGroup ? [] : [...segments, name],
      };
    },
    /** The segments from the one that has the page `first`. */
    async *read(index: PageIndex, first: number): AsyncGenerator<Segment> {
      const requests = requestAll(index, first);
      const ahead: Promise<Segment>[] = [];
      for (;;) {
        while (ahead.length < segmentsAhead) {
          const next = await requests.next();
          if (next.done) break;
          ahead.push(next.value.requested);
        }
        const segment = ahead.shift();
        if (!segment) return;
        yield await segment;
      }
    },
  };
}

/** The names of the segments that have the page `first` or later ones. `end`: the number of the page after the last of them. */
function selectFrom(names: readonly string[], first: number, end: number): readonly string[] {
  return names.filter((_, place) => {
    const next = names[place + 1];
    return (next === undefined ? end : firstPageOf(next)) > first;
  });
}
