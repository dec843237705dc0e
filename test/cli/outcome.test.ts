import { expect, test } from 'vitest';
import { printOutcome } from '../../lib/cli/outcome.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createTestWorld } from './world.ts';

const errors = [{ code: 'NETWORK', message: 'no route', hint: 'look at the cable' }];

test('for people: text on stdout, errors with their hints on stderr', () => {
  const world = createTestWorld({ terminal: true });
  const session = openSession(world, createScrubber(), { json: false });
  printOutcome(session, { exitCode: 4, json: { a: 1 }, text: 'summary\n', errors });
  expect(world.out()).toBe('summary\n');
  expect(world.err()).toBe('error NETWORK: no route\n  look at the cable\n');
});

test('for programs: one object on stdout, log lines on stderr', () => {
  const world = createTestWorld();
  const session = openSession(world, createScrubber(), { json: true });
  printOutcome(session, { exitCode: 4, json: { a: 1 }, text: 'summary\n', errors });
  expect(world.json()).toEqual({ a: 1 });
  expect(world.logs()).toMatchObject([
    { level: 'error', code: 'NETWORK', message: 'no route', hint: 'look at the cable' },
  ]);
});

test('secrets get out neither way', () => {
  const scrubber = createScrubber();
  scrubber.add('verysecret');
  for (const json of [true, false]) {
    const world = createTestWorld();
    const session = openSession(world, scrubber, { json });
    const text = 'a verysecret summary\n';
    printOutcome(session, { exitCode: 0, json: { text }, text, errors: [] });
    expect(world.out()).toContain('[redacted] summary');
  }
});
