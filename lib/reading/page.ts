// Responsible for one stored page: its bytes, its hash, and how records are recognised in another page.

import { gunzipSync, gzipSync } from 'node:zlib';
import { CorruptError } from '../core/errors.ts';
import { parseBounded, parseExact, stringifyExact } from '../core/exact-json.ts';
import type { Dataset, PageBody } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import type { Join } from './sequence.ts';

/** Where and when a stored page was read. */
export interface PageHeader {
  /** 0-based among all pages of the run. */
  index: number;
  /** 1-based. */
  pass: number;
  offset: number;
  fetchedAtMs: number;
}

export interface StoredPage {
  header: PageHeader;
  /** How the page joined its pass. */
  from: Join;
  body: PageBody;
}

/** A record as paging.ts sees it: its key, null if it has none, and a mark that only equal records share. */
export interface Item {
  key: string | null;
  mark: string;
}

/** One item per record, in order. The mark of a record without a key is the hash of its text. */
export function toItems(dataset: Dataset, records: readonly unknown[]): Item[] {
  return records.map((record) => {
    const key = dataset.keyOf(record);
    const mark = key === null ? `verbatim:${sha256(stringifyExact(record))}` : `key:${key}`;
    return { key, mark };
  });
}

/** The bytes of a stored page: one line with the header and how it joined, and the response body, gzipped. */
export function encodePage(header: PageHeader, from: Join, body: string): Uint8Array {
  return gzipSync(`${JSON.stringify({ ...header, from })}\n${body}`, { level: 4 });
}

/** The first 32 hex digits of the sha256, as the names of segments and checkpoints have them. The MAC of a checkpoint relies on it. */
export function pageHash(bytes: Uint8Array): string {
  return sha256(bytes).slice(0, 32);
}

/** An answer has at most 8 MiB. Bytes that are not UTF-8 were stored as a character of three bytes. */
const pageBytesMax = 2 ** 25;

/** The hint of a CorruptError about stored pages. */
export const pageHint =
  'Nothing was overwritten. Restore the object from a version of the bucket, or delete the folder of this run: the run then starts again from its first page.';

/** Throws CorruptError naming `key`, the object that holds the page, if the bytes are not a page. */
export function decodePage(dataset: Dataset, key: string, bytes: Uint8Array): StoredPage {
  try {
    const text = gunzipSync(bytes, { maxOutputLength: pageBytesMax }).toString('utf8');
    const end = text.indexOf('\n');
    const body = dataset.parsePage(parseExact(text.slice(end + 1)));
    if (typeof body === 'string') throw new Error(body);
    const { from, ...header } = parseBounded(text.slice(0, end)) as PageHeader & { from: Join };
    return { header, from, body };
  } catch (cause) {
    throw new CorruptError(key, 'contains a page that cannot be read', pageHint, { cause });
  }
}
