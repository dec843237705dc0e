// Tests how an outcome is printed for people and for programs.

import { expect, test } from 'vitest';
import { printOutcome } from '../../lib/cli/outcome.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createTestRuntime } from './test-runtime.ts';

const errors = [{ code: 'NETWORK', message: 'no route', hint: 'check the cable' }];

test('prints text on stdout and errors with their hints on stderr, for people', () => {
  const runtime = createTestRuntime({ terminal: true });
  const session = openSession(runtime, createScrubber(), { json: false });
  printOutcome(session, { exitCode: 4, json: { a: 1 }, text: 'summary\n', errors });
  expect(runtime.out()).toBe('summary\n');
  expect(runtime.err()).toBe('error NETWORK: no route\n  check the cable\n');
});

test('prints one object on stdout and log lines on stderr, with --json', () => {
  const runtime = createTestRuntime();
  const session = openSession(runtime, createScrubber(), { json: true });
  printOutcome(session, { exitCode: 4, json: { a: 1 }, text: 'summary\n', errors });
  expect(runtime.json()).toEqual({ a: 1 });
  expect(runtime.logs()).toMatchObject([
    { level: 'error', code: 'NETWORK', message: 'no route', hint: 'check the cable' },
  ]);
});

test('redacts secrets in text and in JSON', () => {
  const scrubber = createScrubber();
  scrubber.add('verysecret');
  for (const json of [true, false]) {
    const runtime = createTestRuntime();
    const session = openSession(runtime, scrubber, { json });
    const text = 'a verysecret summary\n';
    printOutcome(session, { exitCode: 0, json: { text }, text, errors: [] });
    expect(runtime.out()).toContain('[redacted] summary');
  }
});
