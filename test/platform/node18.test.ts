// Tests that the functions which Node 18.15 does not have are added there, and that newer versions keep their own.
// built-function.platform.ts runs a whole bundle on Node 18.15.

import channels from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { addCanParse, addTracingChannel } from '../../lib/platform/node18.ts';

test('keeps tracingChannel where Node has it', () => {
  const { tracingChannel } = channels;
  addTracingChannel(channels);
  expect(channels.tracingChannel).toBe(tracingChannel);
});

test('adds a tracingChannel without subscribers where Node has none', () => {
  const old: Partial<typeof channels> = {};
  addTracingChannel(old);
  expect(old.tracingChannel?.('any').hasSubscribers).toBe(false);
});

test.each([
  ['https://a.example', undefined],
  ['/b', 'https://a.example'],
  ['/b', undefined],
  ['https://', undefined],
  ['', 'https://a.example'],
])('the added URL.canParse(%j, %j) returns the same as the original', (url, base) => {
  const old: Partial<Pick<typeof URL, 'canParse'>> = {};
  addCanParse(old);
  expect(old.canParse?.(url, base)).toBe(URL.canParse(url, base));
  const { canParse } = URL;
  addCanParse(URL);
  expect(URL.canParse).toBe(canParse);
});
