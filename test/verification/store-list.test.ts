// Tests what the list of a store says about keys that it may not show. The findings that follow from it: test/cli/verify.test.ts.

import { expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import { headKey, manifestKey, partKey, signatureKey } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { listStore } from '../../lib/verification/store-list.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const target = { table: 'container_nodes', region: 'r', projectId: 'p' };
const snapshot = '20261124T060000Z';
const part = partKey(target, { role: 'rows', format: 'parquet' }, snapshot, 'a'.repeat(64));

async function listWithout(...refused: string[]) {
  const memory = createMemoryStore({ nowMs: () => 0 });
  await memory.put('a', Buffer.from('x'));
  const error = new StoreError('STORE_DENIED', 'denied', 'ask');
  const store: Store = {
    ...memory,
    list: async (prefix, onRefused) => {
      for (const key of refused) onRefused?.(key, error);
      return memory.list(prefix);
    },
    listIrregular: async () => [
      { key: 'link', kind: 'special' },
      { key: '\\xff', kind: 'name' },
    ],
  };
  return listStore(store);
}

test('keys are those of objects, links and pipes, but not names that are not UTF-8', async () => {
  const list = await listWithout('x/y', 'x/y');
  expect(list.keys).toEqual(['a', 'link']);
  expect(list.listRefused()).toMatchObject([{ key: 'x/y', hint: 'ask' }]);
});

test('a key is hidden below a folder that may not be listed, and a target with its manifests', async () => {
  const hidden = await listWithout('_manifests/container_nodes');
  const keys = [
    manifestKey(target, snapshot),
    headKey(target),
    signatureKey(target, snapshot),
    part,
  ];
  expect(keys.map(hidden.isTargetHidden)).toEqual([true, true, true, true]);
  expect(keys.map(hidden.isHidden)).toEqual([true, false, false, false]);
  const other = await listWithout('_manifests/container', '_head', 'container_nodes');
  expect(keys.map(other.isTargetHidden)).toEqual([false, false, false, false]);
  expect(keys.map(other.isHidden)).toEqual([false, true, false, true]);
});
