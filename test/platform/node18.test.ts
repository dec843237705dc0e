// Owns the proof that what Node 18.15 misses is added there and nowhere else; that pino is content, test/platform shows.

import channels from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { addCanParse, addTracingChannel } from '../../lib/platform/node18.ts';

test('Node that has tracing channels keeps its own', () => {
  const { tracingChannel } = channels;
  addTracingChannel(channels);
  expect(channels.tracingChannel).toBe(tracingChannel);
});

test('Node without them gets one that is never traced', () => {
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
])('what is added to URL judges %j on %j as URL itself does', (url, base) => {
  const old: Partial<Pick<typeof URL, 'canParse'>> = {};
  addCanParse(old);
  expect(old.canParse?.(url, base)).toBe(URL.canParse(url, base));
  const { canParse } = URL;
  addCanParse(URL);
  expect(URL.canParse).toBe(canParse);
});
