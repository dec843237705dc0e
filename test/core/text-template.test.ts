// Tests sentences with parameters.

import { expect, test } from 'vitest';
import { fillTemplate } from '../../lib/core/text-template.ts';

test.each([
  ['{0} of {1}', [1, 1_234], '<1> of <1234>'],
  ['{0} {0|day|days}', [1], '<1> day'],
  ['{0} {0|day|days}', [0], '<0> days'],
  ['{1|it|they}: {0}', ['a', 2], 'they: a'],
  ['{0}{1}', ['a'], 'a'],
  ['{0}', ['{1} $& {0|a|b}'], '{1} $& {0|a|b}'],
])('%s with %j is %s', (template, parameters, text) => {
  expect(fillTemplate(template, parameters, (value) => `<${value}>`)).toBe(text);
});
