// Tests `schema`: the JSON Schema on stdout.

import { expect, test } from 'vitest';
import { createJsonSchema } from '../../lib/config/json-schema.ts';
import { call } from './test-runtime.ts';

test('prints the JSON Schema, and nothing else', async () => {
  const { code, runtime } = await call(['schema']);
  expect(code).toBe(0);
  expect(JSON.parse(runtime.out())).toEqual(createJsonSchema());
  expect(runtime.out().split('\n').length).toBeGreaterThan(100);
  expect(runtime.err()).toBe('');
});

test('--json: in the one object that every command prints', async () => {
  const { code, runtime } = await call(['schema', '--json']);
  expect(code).toBe(0);
  expect(runtime.json()).toEqual({ status: 'printed', schema: createJsonSchema(), errors: [] });
});
