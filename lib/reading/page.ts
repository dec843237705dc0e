// Owns a page: how its body is understood and how it is stored until it is sealed. Refuses to compare pages (paging.ts).

import { gunzipSync, gzipSync } from 'node:zlib';
import { CorruptError, ProtocolError } from '../core/errors.ts';
import { parseExact, stringifyExact } from '../core/exact-json.ts';
import type { Dataset } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';

/** What the API said. `records` may hold anything. */
export interface PageBody {
  totalNum: number;
  records: readonly unknown[];
}

/** Where and when a stored page was read. */
export interface PageHeader {
  /** 0-based among the run's pages. */
  index: number;
  /** 1-based. */
  pass: number;
  offset: number;
  fetchedAtMs: number;
}

/** One record of a page as paging sees it: its key if it has one, and a mark that equal records share. */
export interface Item {
  key: string | null;
  mark: string;
}

/** Throws ProtocolError `NOT_A_PAGE` for anything that is not a page of the list. */
export function parsePageBody(text: string): PageBody {
  let body: unknown;
  try {
    body = parseExact(text);
  } catch (error) {
    // The source has parsed it, but not by these rules: nested too deeply, or a string beyond what can be scanned.
    if (error instanceof SyntaxError || error instanceof RangeError) {
      throw notAPage('its body cannot be read as JSON');
    }
    throw error;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw notAPage(
      `its body is ${body === null ? 'null' : Array.isArray(body) ? 'a list' : `a ${typeof body}`}`,
    );
  }
  const { total_num: totalNum, data_list: dataList } = body as Record<string, unknown>;
  if (typeof totalNum !== 'number' || !Number.isSafeInteger(totalNum) || totalNum < 0) {
    throw notAPage('total_num is missing or no count');
  }
  if ((dataList === undefined || dataList === null) && totalNum === 0)
    return { totalNum, records: [] };
  if (!Array.isArray(dataList)) throw notAPage('data_list is missing or no list');
  return { totalNum, records: dataList };
}

function notAPage(reason: string): ProtocolError {
  return new ProtocolError(
    'NOT_A_PAGE',
    `The endpoint answered 200, but not with a page of container nodes: ${reason}.`,
    'Check `endpoint` and `api` of the target: another service may be answering.',
  );
}

/** A record without a key is known by its verbatim text. */
export function toItem(dataset: Dataset, record: unknown): Item {
  const key = dataset.keyOf(record);
  return key === null
    ? { key, mark: `verbatim:${sha256(stringifyExact(record))}` }
    : { key, mark: `key:${key}` };
}

/** The object's bytes: gzip of a header line and the body as it came. */
export function encodePage(header: PageHeader, body: string): Uint8Array {
  return gzipSync(`${JSON.stringify(header)}\n${body}`, { level: 4 });
}

/** The part of the hash that page keys and checkpoints carry. */
export function pageHash(bytes: Uint8Array): string {
  return sha256(bytes).slice(0, 16);
}

/** What to do about stored pages that are not as they were stored. */
export const pageHint =
  'Nothing was overwritten. Restore the object from a version of the bucket, or delete the folder of this run: it then starts again from its first page.';

/** Throws CorruptError naming `key`, the object that holds the page, if the bytes are not the ones that `hash` was taken of. */
export function decodePage(
  key: string,
  hash: string,
  bytes: Uint8Array,
): { header: PageHeader; body: PageBody } {
  if (pageHash(bytes) !== hash) {
    const message = 'holds a page that does not match its hash: it was cut short or altered';
    throw new CorruptError(key, message, pageHint);
  }
  try {
    const text = gunzipSync(bytes).toString('utf8');
    const end = text.indexOf('\n');
    return {
      header: JSON.parse(text.slice(0, end)) as PageHeader,
      body: parsePageBody(text.slice(end + 1)),
    };
  } catch (cause) {
    throw new CorruptError(key, 'holds a page that cannot be read', pageHint, { cause });
  }
}
