// Tests the envelope of a list: what is a page, and what is wrong with a body that is not one. container-nodes.test.ts and
// second-dataset.test.ts test how records become rows.

import { describe, expect, test } from 'vitest';
import { parseExact, RawNumber } from '../../lib/core/exact-json.ts';
import { readListPage } from '../../lib/datasets/api-records.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

describe('reads a page', () => {
  test.each([
    ['{"total_num":2,"data_list":[{"host_id":"a"},null]}', 2, [{ host_id: 'a' }, null]],
    ['{"data_list":[],"total_num":7,"request_id":"x"}', 7, []],
    ['{"total_num":0}', 0, []],
    ['{"total_num":0,"data_list":null}', 0, []],
    ['{"total_num":1,"data_list":[1.0]}', 1, [new RawNumber('1.0')]],
  ])('%s', (text, totalNum, records) => {
    expect(containerNodes.parsePage(parseExact(text))).toEqual({ totalNum, records });
  });

  test('from the member that the dataset names', () => {
    const body = { total_num: 1, data_list: 'x', cluster_info_list: ['a'] };
    expect(readListPage(body, 'cluster_info_list')).toEqual({ totalNum: 1, records: ['a'] });
    expect(readListPage({ total_num: 1, data_list: ['a'] }, 'cluster_info_list')).toBe(
      'total_num is 1 without cluster_info_list',
    );
  });
});

describe('reports what is wrong with a body', () => {
  test.each([
    ['null', 'it is not an object'],
    ['[]', 'it is not an object'],
    ['"text"', 'it is not an object'],
    ['5', 'it is not an object'],
    ['1.5', 'it is not an object'],
    ['{}', 'total_num is missing'],
    ['{"total_num":"2","data_list":[]}', 'total_num is not a count'],
    ['{"total_num":-1,"data_list":[]}', 'total_num is not a count'],
    ['{"total_num":1.5,"data_list":[]}', 'total_num is not a count'],
    ['{"total_num":2.0,"data_list":[]}', 'total_num is not a count'],
    ['{"total_num":9007199254740993,"data_list":[]}', 'total_num is not a count'],
    ['{"total_num":null,"data_list":[]}', 'total_num is not a count'],
    ['{"total_num":2}', 'total_num is 2 without data_list'],
    ['{"total_num":2,"data_list":null}', 'total_num is 2 without data_list'],
    ['{"total_num":0,"data_list":{}}', 'data_list is not an array'],
    ['{"total_num":"secret","secret":1}', 'total_num is not a count'],
  ])('%s', (text, fault) => {
    expect(containerNodes.parsePage(parseExact(text))).toBe(fault);
  });
});
