// Responsible for the envelope that the lists of this service share: an object with `total_num` and one array of records.

import { RawNumber } from '../core/exact-json.ts';
import type { PageBody } from '../core/ports.ts';

/**
 * The page in a parsed body whose records are the array `listName`. A string says why the body is not a page; it quotes
 * nothing of the body but numbers. Missing or null records are an empty page if the total is 0.
 */
export function readListPage(body: unknown, listName: string): PageBody | string {
  if (!isObject(body)) return 'it is not an object';
  const { total_num: totalNum, [listName]: records } = body;
  if (!Object.hasOwn(body, 'total_num')) return 'total_num is missing';
  if (typeof totalNum !== 'number' || !Number.isSafeInteger(totalNum) || totalNum < 0) {
    return 'total_num is not a count';
  }
  if (Array.isArray(records)) return { totalNum, records };
  if (records !== undefined && records !== null) return `${listName} is not an array`;
  return totalNum === 0
    ? { totalNum, records: [] }
    : `total_num is ${totalNum} without ${listName}`;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RawNumber)
  );
}
