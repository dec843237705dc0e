// Tests that damaged working state is kept, for the later search for the cause. What follows from it: collect.test.ts.

import { expect, test } from 'vitest';
import {
  CorruptError,
  EvidenceError,
  NewerVersionError,
  OtherVersionError,
} from '../../lib/core/errors.ts';
import type { Log } from '../../lib/core/ports.ts';
import { describeSetAside, setAside } from '../../lib/runs/set-aside.ts';
import { createMemoryStore } from '../support/memory-store.ts';

test('keeps the bytes under the other key, and only the newest copy', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  for (const text of ['one', 'two']) {
    await store.put('_runs/a.json', Buffer.from(text));
    await setAside(store, '_runs/a.json', '_runs/damaged.json');
  }
  await setAside(store, '_runs/none.json', '_runs/damaged.json');
  const kept = [...store.dump()].map(([key, { bytes }]) => [key, Buffer.from(bytes).toString()]);
  expect(kept).toEqual([
    ['_runs/a.json', 'two'],
    ['_runs/damaged.json', 'two'],
  ]);
});

test.each([
  ['damaged', CorruptError, 'Find out what changed it'],
  ['of another version', OtherVersionError, 'Nothing is damaged'],
  ['of a newer version', NewerVersionError, 'Update cgs-export'],
])('says what to do about an object that is %s', (_, Type, todo) => {
  const { hint } = describeSetAside(new Type('_runs/a.json', 'm', 'h'), '_runs/b.json', () => {});
  expect(hint).toContain(todo);
  expect(hint).not.toContain('estore');
});

test('reports the object with an error that does not stop the export, and logs it', () => {
  const lines: unknown[] = [];
  const log: Log = (level, message, fields) => lines.push([level, message, fields]);
  const error = new CorruptError('_runs/a.json', 'cannot be parsed', 'h');
  const reported = describeSetAside(error, '_runs/damaged.json', log, { target: 't' });
  expect(reported).toBeInstanceOf(EvidenceError);
  const message = '_runs/a.json: cannot be parsed. It was set aside and started again';
  expect(reported).toMatchObject({ key: '_runs/a.json', message });
  expect(reported.hint).toContain('_runs/damaged.json');
  expect(lines).toMatchObject([['error', message, { code: 'CORRUPT', target: 't' }]]);
});
