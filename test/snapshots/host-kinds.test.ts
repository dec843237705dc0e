// Tests how hosts are counted by what the service states about them.

import { expect, test } from 'vitest';
import { addHost, countKinds, noHosts, sumKinds } from '../../lib/snapshots/host-kinds.ts';

test('a host without a value is neither a container node nor another host', () => {
  const kinds = noHosts();
  for (const cell of [true, true, false, null, null, null]) addHost(kinds, cell);
  expect(kinds).toEqual({ containerNodes: 2, otherHosts: 1, notStated: 3 });
  expect(sumKinds([kinds, { containerNodes: 10, otherHosts: 20, notStated: 30 }])).toEqual({
    ...{ containerNodes: 12, otherHosts: 21, notStated: 33 },
  });
  expect(sumKinds([])).toEqual(noHosts());
});

test('the rows that a manifest does not count have no value', () => {
  expect(countKinds({ rows: 10, values: { is_container_node: { true: 6, false: 1 } } })).toEqual({
    ...{ containerNodes: 6, otherHosts: 1, notStated: 3 },
  });
  expect(countKinds({ rows: 2, values: { is_container_node: { false: 2 } } }).otherHosts).toBe(2);
  expect(countKinds({ rows: 2, values: {} })).toEqual({
    ...{ containerNodes: 0, otherHosts: 0, notStated: 2 },
  });
});
