// Tests the intervals of single nodes, with the snapshots named 1, 2, 3 from old to new.

import { expect, test } from 'vitest';
import { type NodeState, openNodeStates } from '../../lib/reports/node-states.ts';

const safe: NodeState = { hostName: 'web', protectStatus: 'opened', agentStatus: 'online' };
const open: NodeState = { ...safe, protectStatus: 'closed' };
const bad: NodeState = { ...open, agentStatus: 'offline' };

test('an interval goes from the first snapshot in which a node has the state to the first one in which it does not have it', () => {
  const states = openNodeStates();
  states.begin('a', safe);
  states.setBefore('3', 'a', open);
  expect(states.take()).toEqual([]);
  states.setBefore('2', 'a', safe);
  const found = { hostId: 'a', hostName: 'web', reason: 'unprotected', from: '2', to: '3' };
  expect(states.take()).toEqual([found]);
  states.finish('1');
  expect(states.take()).toEqual([]);
});

test('a node with both states has two intervals, and an interval that has not ended has no end', () => {
  const states = openNodeStates();
  states.begin('a', bad);
  states.setBefore('2', 'a', { ...open, hostName: 'old name' });
  states.finish('1');
  const found = states.take().map(({ reason, from, to, hostName }) => [reason, from, to, hostName]);
  expect(found).toEqual([
    ['offline', '2', null, 'web'],
    ['unprotected', '1', null, 'web'],
  ]);
});

test('a node that is not listed has no interval, and one that comes back has two', () => {
  const states = openNodeStates();
  states.begin('a', open);
  states.setBefore('3', 'a', null);
  states.setBefore('2', 'a', open);
  states.finish('1');
  expect(states.take().map(({ from, to }) => [from, to])).toEqual([
    ['3', null],
    ['1', '2'],
  ]);
});

test('the rows of a snapshot replace all states: what they do not list is not listed', () => {
  const states = openNodeStates();
  states.begin('a', open);
  states.begin('b', open);
  states.startRows();
  states.setBefore('2', 'b', open);
  states.setBefore('2', 'c', open);
  states.endRows('2');
  states.finish('1');
  const found = states.take().map(({ hostId, from, to }) => [hostId, from, to]);
  expect(found).toEqual([
    ['a', '2', null],
    ['b', '1', null],
    ['c', '1', '2'],
  ]);
});

test('the same state twice changes nothing', () => {
  const states = openNodeStates();
  states.begin('a', safe);
  states.setBefore('2', 'a', open);
  states.setBefore('2', 'a', open);
  states.setBefore('2', 'b', null);
  states.finish('1');
  expect(states.take()).toHaveLength(1);
});

test('where the states before a snapshot are not known, what was read of them is dropped', () => {
  const states = openNodeStates();
  states.begin('a', open);
  states.begin('b', safe);
  states.setBefore('2', 'b', open);
  states.finish('2');
  expect(states.take().map(({ hostId, from, to }) => [hostId, from, to])).toEqual([
    ['a', '2', null],
  ]);
});

test('null counts as unprotected; nothing is left after clear()', () => {
  const states = openNodeStates();
  states.begin('a', { ...safe, protectStatus: null });
  states.clear();
  states.finish('1');
  expect(states.take()).toEqual([]);
  states.begin('a', { ...safe, protectStatus: null });
  states.finish('1');
  expect(states.take()).toHaveLength(1);
});
