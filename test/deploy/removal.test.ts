// Owns the proof that a removed function is gone, triggers first, and that what is not gone is said.
// Method: as deployment.test.ts.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { deployFunction, urnOf } from '../../lib/deploy/deployment.ts';
import type { FunctionGraph } from '../../lib/deploy/function-graph.ts';
import { removeFunction } from '../../lib/deploy/removal.ts';
import { connectTo, settingsOf, timerOf, zipAnswering } from '../support/deploy-api.ts';
import { type FunctionGraphDouble, startFunctionGraph } from '../support/function-graph.ts';

let double: FunctionGraphDouble;
let api: FunctionGraph;
beforeEach(async () => {
  double = await startFunctionGraph();
  api = await connectTo(double);
});
afterEach(() => double.stop());

const urn = () => urnOf(double, settingsOf());
const remove = () => removeFunction({ api, progress: () => {} }, urn());

async function deploy(...timers: string[]) {
  const settings = settingsOf({ events: timers.map((name) => timerOf(name)) });
  const zip = await zipAnswering('one');
  return deployFunction({ api, progress: () => {} }, urn(), settings, {}, zip);
}

const writes = () => double.requests.filter((request) => !request.startsWith('GET'));

test('takes triggers and function; what is not there is no error', async () => {
  await deploy('a', 'b');
  expect(await remove()).toEqual({
    done: ['trigger a', 'trigger b', 'function'],
    notDone: [],
    error: null,
  });
  expect(double.functions.size).toBe(0);
  const [first, ...rest] = writes().slice(-3);
  expect(first).toContain('/triggers/');
  expect(rest.at(-1)).toMatch(/^DELETE .*\/functions\/urn/);
  expect((await remove()).done).toEqual([]);
});

test('what was removed though the answer was lost is said to be removed', async () => {
  await deploy('a', 'b');
  double.lose = (method) => method === 'DELETE';
  expect(await remove()).toMatchObject({ notDone: [], error: null });
  expect(double.functions.size).toBe(0);
});

test('nobody answers any more: not claimed either way', async () => {
  await deploy('a', 'b');
  let down = false;
  double.lose = (method) => {
    down ||= method === 'DELETE';
    return down;
  };
  double.fail = () => (down ? { status: 503, code: 'FSS.0503', message: 'down' } : null);
  expect(await remove()).toMatchObject({
    done: [],
    notDone: ['trigger a (or it was: nobody answers)', 'trigger b', 'function'],
    error: { code: 'FSS.0503' },
  });
});

test("somebody else's 404 is no function that was not deployed", async () => {
  await deploy('a');
  double.answerAfter = () => ({ status: 404, body: '<html>' });
  await expect(remove()).rejects.toThrow(/ShowFunctionConfig/);
  double.answerAfter = (method) => (method === 'DELETE' ? { status: 404, body: '<html>' } : null);
  // The requests have their effect: what stands then is read.
  expect(await remove()).toMatchObject({ notDone: [] });
});

test.each([
  ['that fails midway', 500, 'FSS.0500', 'FSS.0500'],
  ["that a page of somebody else's answers with 200", 200, 'x', 'UNEXPECTED_ANSWER'],
])('%s says what is gone and what is not', async (_what, status, answered, code) => {
  await deploy('every-minute');
  double.fail = (method, path) =>
    method === 'DELETE' && path.includes('/functions/')
      ? { status, code: answered, message: 'No' }
      : null;
  expect(await remove()).toMatchObject({
    done: ['trigger every-minute'],
    notDone: ['function'],
    error: { code },
  });
});
