// Tests that a mistyped name is found, and that no other is.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { suggest } from '../../lib/config/suggest.ts';

const known = ['store', 'schedule', 'formats', 'projectId', 'iamEndpoint', 'endpoint', 'ak', 'sk'];

test.each([
  ['scheduel', 'schedule'],
  ['stroe', 'store'],
  ['tsore', 'store'],
  ['project_id', 'projectId'],
  ['PROJECT-ID', 'projectId'],
  ['endpoints', 'endpoint'],
  ['iamEndpont', 'iamEndpoint'],
  ['format', 'formats'],
  ['zebra', null],
  ['', null],
  ['accounts', null],
])('%s → %s', (given, expected) => {
  expect(suggest(given, known)).toBe(expected);
});

test('prefers the name that starts more alike if two are equally near', () => {
  expect(suggest('ofline', ['online', 'offline'])).toBe('offline');
});

test('finds a long name with one letter missing, added or changed', () => {
  const name = fc.constantFrom('schedule', 'formats', 'projectId', 'iamEndpoint');
  fc.assert(
    fc.property(name, fc.nat(), fc.constantFrom('', 'x', 'keep+'), (whole, position, change) => {
      const at = position % whole.length;
      const middle = change === 'keep+' ? `${whole[at]}x` : change;
      expect(suggest(whole.slice(0, at) + middle + whole.slice(at + 1), known)).toBe(whole);
    }),
  );
});
