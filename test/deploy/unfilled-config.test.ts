// Tests reading a configuration whose variables have no values.

import { expect, test } from 'vitest';
import { mayBeMounted, parseUnfilled, placeholder } from '../../lib/deploy/unfilled-config.ts';

test('every variable has the same value, and its name is passed on', () => {
  const names: string[] = [];
  const text = 'store: "obs://${BUCKET}/cgs"\nobs: { region: $x, acl: ${ACL} } # ${COMMENT}\n';
  const value = parseUnfilled(text, 'cgs-export.yml', (name) => names.push(name));
  expect(value).toEqual({
    store: `obs://${placeholder}/cgs`,
    obs: { region: '$x', acl: placeholder },
  });
  expect(names).toEqual(['BUCKET', 'ACL']);
});

test('throws the faults of a text that does not parse, with the name of the file', () => {
  expect(() => parseUnfilled('a: [', 'cgs-export.yml')).toThrow(/cgs-export\.yml:1:/);
});

test.each([
  [true, true],
  ['true', true],
  [placeholder, true],
  [false, false],
  [undefined, false],
  [null, false],
])('mounted: %j may be mounted: %s', (mounted, expected) => {
  expect(mayBeMounted(mounted)).toBe(expected);
});
