import { expect, test } from 'vitest';
import { mapParallel } from '../../lib/core/parallel.ts';

/** Each call of `work` waits until the test ends it. */
function createWork() {
  const started: number[] = [];
  const ends = new Map<number, { resolve: (value: string) => void; reject: (e: Error) => void }>();
  const work = (item: number) => {
    started.push(item);
    return new Promise<string>((resolve, reject) => ends.set(item, { resolve, reject }));
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { started, ends, work, settle };
}

test('works on a few items at a time, and returns the results in the order of the items', async () => {
  const { started, ends, work, settle } = createWork();
  const results = mapParallel([0, 1, 2, 3, 4], 2, work);
  expect(started).toEqual([0, 1]);
  ends.get(1)?.resolve('b');
  await settle();
  expect(started).toEqual([0, 1, 2]);
  for (const item of [2, 3, 4]) {
    ends.get(item)?.resolve(`${item}`);
    await settle();
  }
  ends.get(0)?.resolve('a');
  expect(await results).toEqual(['a', 'b', '2', '3', '4']);
});

test('starts nothing after an error, and throws it when what has started has ended', async () => {
  const { started, ends, work, settle } = createWork();
  let outcome = 'pending';
  const results = mapParallel([0, 1, 2, 3], 2, work);
  results.catch((error: Error) => {
    outcome = error.message;
  });
  ends.get(1)?.reject(new Error('lost'));
  await settle();
  expect([started, outcome]).toEqual([[0, 1], 'pending']);
  ends.get(0)?.reject(new Error('later'));
  await settle();
  expect([started, outcome]).toEqual([[0, 1], 'lost']);
});

test('returns at once without items', async () => {
  expect(await mapParallel([], 4, () => Promise.reject(new Error('called')))).toEqual([]);
});
