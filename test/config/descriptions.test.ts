// Tests that exactly the settings of the schema have a description.

import { expect, test } from 'vitest';
import { descriptions } from '../../lib/config/descriptions.ts';
import { settings } from '../../lib/config/setting-list.ts';

test('describes every setting of every section, in the order of the schema', () => {
  const sections = settings
    .filter(({ names, kind }) => kind === 'section' && names.length > 0)
    // They are those of accounts.*.credentials.
    .filter(({ path }) => !/^(?:verify\.)?obs\.credentials$/.test(path));
  const described = Object.entries(descriptions).map(([path, texts]) => [path, Object.keys(texts)]);
  expect(Object.fromEntries(described)).toEqual(
    Object.fromEntries(sections.map(({ path, names }) => [path, names])),
  );
});
