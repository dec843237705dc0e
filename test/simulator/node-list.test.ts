// Tests the list of nodes against a plain array that has the same changes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNodeList } from '../../lib/simulator/node-list.ts';
import type { NodeRecord } from '../../lib/simulator/nodes.ts';

const makeNode = (ordinal: number): NodeRecord => ({ host_id: `h${ordinal}`, size: ordinal % 3 });

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const changes = fc.array(
  fc.record({
    act: fc.constantFrom('insert', 'remove', 'move', 'change', 'replace', 'none'),
    from: place,
    to: place,
  }),
  { maxLength: 40 },
);

test('has the same nodes in the same order as an array with the same changes, also by class', () => {
  fc.assert(
    fc.property(fc.nat(30), changes, (count, steps) => {
      const list = createNodeList(count, makeNode);
      let plain = Array.from({ length: count }, (_, ordinal) => makeNode(ordinal));
      for (const { act, from, to } of steps) {
        const position = Math.floor(from * plain.length);
        const other = Math.floor(to * plain.length);
        if (act === 'insert') plain.splice(position, 0, list.insert(position));
        if (act === 'replace') {
          plain = [...plain.slice(0, position).reverse(), { host_id: 'extra', size: 9 }];
          list.replace(plain.map((node) => ({ ...node })));
        }
        if (plain.length > 0 && act === 'remove') {
          list.remove(position);
          plain.splice(position, 1);
        }
        if (plain.length > 0 && act === 'move') {
          list.move(position, other);
          plain.splice(other, 0, ...plain.splice(position, 1));
        }
        if (plain.length > 0 && act === 'change') {
          list.change(position, { size: other });
          plain[position] = { ...plain[position], size: other };
        }
        expect(list.length).toBe(plain.length);
        expect(list.slice(0, list.length)).toEqual(plain);
        expect(list.slice(position, other)).toEqual(plain.slice(position, other));
        if (position < plain.length) expect(list.at(position)).toEqual(plain[position]);
        const ofClass: NodeRecord[] = [];
        list.visitClasses(
          'even sizes',
          (node) => (Number(node.size) % 2) + 1,
          (size, ordinal) => void (size === 1 && ofClass.push(list.read(ordinal))),
        );
        expect(ofClass).toEqual(plain.filter((node) => Number(node.size) % 2 === 0));
      }
    }),
  );
});

test('slice gives what exists, and at throws outside of the list', () => {
  const list = createNodeList(5, makeNode);
  expect(list.slice(3, 99)).toHaveLength(2);
  expect(list.slice(7, 9)).toEqual([]);
  for (const position of [-1, 5]) expect(() => list.at(position)).toThrow(RangeError);
  expect(createNodeList(0, makeNode).slice(0, 10)).toEqual([]);
});

test('makes only the nodes that are read', () => {
  let made = 0;
  const list = createNodeList(1_000_000, (ordinal) => {
    made += 1;
    return makeNode(ordinal);
  });
  list.remove(500_000);
  list.move(10, 999_998);
  expect(list.slice(999_800, 1_000_000)).toHaveLength(199);
  expect(made).toBe(199);
});

test('classifies a node once, and again only after a change; old classes are forgotten', () => {
  let classified = 0;
  const list = createNodeList(100, makeNode);
  const visit = (name: string) => {
    classified = 0;
    list.visitClasses(
      name,
      () => {
        classified += 1;
        return 1;
      },
      () => {},
    );
    return classified;
  };
  expect([visit('a'), visit('a')]).toEqual([100, 0]);
  list.change(3, { size: 7 });
  list.insert(50);
  expect([visit('a'), visit('a')]).toEqual([2, 0]);
  for (let index = 0; index < 16; index += 1) visit(`other ${index}`);
  expect(visit('a')).toBe(101);
});
