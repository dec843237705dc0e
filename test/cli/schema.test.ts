// Tests `schema`: the JSON Schema on stdout.

import { expect, test } from 'vitest';
import { createJsonSchema } from '../../lib/config/json-schema.ts';
import { call } from './world.ts';

test('prints the JSON Schema, and nothing else', async () => {
  const { code, world } = await call(['schema']);
  expect(code).toBe(0);
  expect(JSON.parse(world.out())).toEqual(createJsonSchema());
  expect(world.out().split('\n').length).toBeGreaterThan(100);
  expect(world.err()).toBe('');
});

test('--json: in the one object that every command prints', async () => {
  const { code, world } = await call(['schema', '--json']);
  expect(code).toBe(0);
  expect(world.json()).toEqual({ status: 'printed', schema: createJsonSchema(), errors: [] });
});
