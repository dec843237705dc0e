// Tests what counts as unprotected and as offline.

import { expect, test } from 'vitest';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import {
  countProtection,
  findProtection,
  isOffline,
  isUnprotected,
} from '../../lib/snapshots/protection.ts';

test('every protect_status but opened is unprotected, null too', () => {
  expect(['opened', 'closed', 'new_status', '', null].map(isUnprotected)).toEqual([
    false,
    true,
    true,
    true,
    true,
  ]);
});

test('only the agent_status offline is offline', () => {
  expect(['offline', 'online', 'not_installed', null].map(isOffline)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('the counts of a manifest include nodes without a status, which it does not count', () => {
  const values = { protect_status: { opened: 5, closed: 2 }, agent_status: { offline: 3 } };
  expect(countProtection({ rows: 10, values })).toEqual({ nodes: 10, unprotected: 5, offline: 3 });
  expect(countProtection({ rows: 2, values: {} })).toEqual({
    nodes: 2,
    unprotected: 2,
    offline: 0,
  });
});

test('a snapshot of another dataset has no such counts', () => {
  const some = { rows: 2, values: { protect_status: { opened: 1 } } };
  expect(findProtection({ dataset: containerNodes.name, ...some })).toEqual(countProtection(some));
  expect(findProtection({ dataset: 'container_clusters', ...some })).toBeNull();
});
