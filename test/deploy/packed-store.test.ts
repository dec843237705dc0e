// Tests that a folder as the store, and a file as the pins, of a function is rejected when it is packed, without any variable.

import { expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { usesPackedConfig } from '../../lib/deploy/function-zip.ts';
import { checkPackedStore } from '../../lib/deploy/packed-store.ts';

const check =
  (text: string, readsPins = true) =>
  () =>
    checkPackedStore(text, 'cgs-export.yml', readsPins);

test.each([
  'store: file:./export',
  'store: file:/tmp/lake',
  'store: file:/mnt/lake\nmounted: false',
  'store: file:${FOLDER}\nmounted: "false"',
  '{ "store": "file:///mnt/lake", "mounted": null }',
])('rejects %s', (text) => {
  expect(check(text)).toThrow(ConfigError);
  expect(check(text)).toThrow(/^store: is a folder, which a function loses/);
});

test.each([
  'store: file:/mnt/lake\nmounted: true',
  'store: file:/mnt/lake\nmounted: "true"',
  'store: file:/mnt/lake\nmounted: ${IS_MOUNTED}',
  'store: ${STORE}',
  'store: obs://lake/cgs',
  'store: [file]',
  'nonsense: 1',
])('accepts %s', (text) => {
  expect(check(text)).not.toThrow();
});

const bucketWith = (pins: string) => `store: obs://lake/cgs\nverify: { pins: ${pins} }`;

test('rejects pins in a file, only for a function that reads them', () => {
  const text = bucketWith('file:/safe/pins.jsonl');
  expect(check(text)).toThrow(/^verify\.pins: is a file, which a function loses/);
  expect(check(text, false)).not.toThrow();
  expect(check(`mounted: true\n${text}`)).not.toThrow();
});

test.each(['obs://other/pins.jsonl', '${PINS}'])('accepts the pins %s', (pins) => {
  expect(check(bucketWith(pins))).not.toThrow();
});

test.each([
  [{}, true],
  [{ CGS_EXPORT_CONFIG: '/opt/function/code/cgs-export.yml' }, true],
  [{ CGS_EXPORT_CONFIG: '/mnt/lake/other.yml' }, false],
])(
  'with the variables %j, the function reads the configuration in the zip: %s',
  (variables, expected) => {
    expect(usesPackedConfig(variables)).toBe(expected);
  },
);
