// Tests removing a function: triggers first, and a result that names what remains.
// Method: the real client and SDK over http against the FunctionGraph double.

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
const remove = () => removeFunction(api, urn(), () => {});

async function deploy(...timers: string[]) {
  const settings = settingsOf({ events: timers.map((name) => timerOf(name)) });
  const zip = await zipAnswering('one');
  return deployFunction({ api, urn: urn(), settings, secrets: {}, zip, scope: 'all' }, () => {});
}

const writes = () => double.requests.filter((request) => !request.startsWith('GET'));

test('removes triggers, then the function; removing an absent function succeeds', async () => {
  await deploy('a', 'b');
  expect(await remove()).toEqual({
    done: ['remove trigger a', 'remove trigger b', 'remove function'],
    notDone: [],
    error: null,
  });
  expect(double.functions.size).toBe(0);
  const [first, ...rest] = writes().slice(-3);
  expect(first).toContain('/triggers/');
  expect(rest.at(-1)).toMatch(/^DELETE .*\/functions\/urn/);
  expect((await remove()).done).toEqual([]);
});

test('a lost response: reports a removed function as removed', async () => {
  await deploy('a', 'b');
  double.lose = (method) => method === 'DELETE';
  expect(await remove()).toMatchObject({ notDone: [], error: null });
  expect(double.functions.size).toBe(0);
});

test('no more responses: reports an unknown outcome', async () => {
  await deploy('a', 'b');
  let down = false;
  double.lose = (method) => {
    down ||= method === 'DELETE';
    return down;
  };
  double.fail = () => (down ? { status: 503, code: 'FSS.0503', message: 'down' } : null);
  expect(await remove()).toMatchObject({
    done: [],
    notDone: [
      'remove trigger a (outcome unknown: no answer)',
      'remove trigger b',
      'remove function',
    ],
    error: { code: 'FSS.0503' },
  });
});

test('a 404 of a proxy does not mean that the function is absent', async () => {
  await deploy('a');
  double.answerAfter = () => ({ status: 404, body: '<html>' });
  await expect(remove()).rejects.toThrow(/ShowFunctionConfig/);
  double.answerAfter = (method) => (method === 'DELETE' ? { status: 404, body: '<html>' } : null);
  // The requests have their effect, and the state is read afterwards.
  expect(await remove()).toMatchObject({ notDone: [] });
});

test.each([
  ['an error in the middle', 500, 'FSS.0500', 'FSS.0500'],
  ['a 200 response of another server', 200, 'x', 'UNEXPECTED_ANSWER'],
])('%s: reports what is removed and what is not', async (_what, status, answered, code) => {
  await deploy('every-minute');
  double.fail = (method, path) =>
    method === 'DELETE' && path.includes('/functions/')
      ? { status, code: answered, message: 'No' }
      : null;
  expect(await remove()).toMatchObject({
    done: ['remove trigger every-minute'],
    notDone: ['remove function'],
    error: { code },
  });
});
