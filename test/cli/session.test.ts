// Tests the session of a command: progress, signals, log level and log format.

import { expect, test } from 'vitest';
import type { ProgressState } from '../../lib/cli/progress.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createTestRuntime } from './test-runtime.ts';

const state: ProgressState = {
  label: 'container_nodes cn-south-4',
  unit: 'nodes',
  done: 200,
  total: 1_000,
  perSecond: 3.26,
  leftMs: 60_000,
  wait: { leftMs: 37_000, text: 'waiting 37 s for the quota', short: 'waiting 37 s' },
  note: '',
};

/** Ends when the returned `finish` is called, like work that takes time. */
function createWork() {
  let finish = () => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { work: () => ended, finish: () => finish() };
}

function createTimers() {
  const timers: { intervalMs: number; work: () => void; running: boolean }[] = [];
  const every = (intervalMs: number, work: () => void) => {
    const timer = { intervalMs, work, running: true };
    timers.push(timer);
    return () => {
      timer.running = false;
    };
  };
  return { timers, every };
}

test('logs the progress every 10 s without a terminal', async () => {
  const { timers, every } = createTimers();
  const runtime = createTestRuntime({ every });
  const session = openSession(runtime, createScrubber(), { json: false });
  const { work, finish } = createWork();
  const shown = session.showProgress(() => state, work);
  expect(timers[0]?.intervalMs).toBe(10_000);
  timers[0]?.work();
  expect(runtime.logs()).toMatchObject([
    {
      level: 'info',
      message: 'progress',
      of: 'container_nodes cn-south-4',
      nodes: 200,
      total: 1_000,
      perSecond: 3.3,
      left: '60 s',
      waiting: '37 s for the quota',
    },
  ]);
  finish();
  await shown;
  expect(timers[0]?.running).toBe(false);
  expect(runtime.out()).toBe('');
});

test('shows a progress bar on a terminal and removes it at the end', async () => {
  const { timers, every } = createTimers();
  const runtime = createTestRuntime({ every, terminal: true });
  const session = openSession(runtime, createScrubber(), { json: false });
  const { work, finish } = createWork();
  const shown = session.showProgress(() => state, work);
  timers[0]?.work();
  expect(runtime.err()).toContain('200/1,000 nodes');
  session.log('info', 'meanwhile');
  const [, above = '', below = ''] = /2K([^\r\n]*meanwhile)\n([^\r\n]*)$/.exec(runtime.err()) ?? [];
  expect(above).not.toContain('nodes');
  expect(below).toContain('200/1,000 nodes');
  finish();
  await shown;
  expect(runtime.err().endsWith('\r\u001b[2K')).toBe(true);
});

test.each([
  ['--json', { json: true }, {}],
  ['--log-format json', { json: false, logFormat: 'json' as const }, {}],
  ['NO_PROGRESS', { json: false }, { NO_PROGRESS: '1' }],
])('logs the progress on a terminal with %s', async (_name, options, env) => {
  const { timers, every } = createTimers();
  const runtime = createTestRuntime({ every, env, terminal: true });
  const session = openSession(runtime, createScrubber(), options);
  await session.showProgress(
    () => state,
    async () => {},
  );
  expect(timers[0]?.intervalMs).toBe(10_000);
  expect(timers[0]?.running).toBe(false);
});

test('the first signal stops the command, later ones end the process', () => {
  const runtime = createTestRuntime();
  const session = openSession(runtime, createScrubber(), { json: false });
  runtime.raise('SIGTERM');
  expect(session.signal.aborted).toBe(true);
  expect(session.signal.reason).toMatchObject({ code: 'STOPPED' });
  expect(runtime.exits).toEqual([]);
  runtime.raise('SIGINT');
  runtime.raise('SIGTERM');
  expect(runtime.exits).toEqual([130, 143]);
});

test('a closed session ignores signals', () => {
  const runtime = createTestRuntime();
  const session = openSession(runtime, createScrubber(), { json: false });
  session.close();
  runtime.raise('SIGINT');
  expect(session.signal.aborted).toBe(false);
});

test('takes the log level from the option, otherwise from the environment', () => {
  const runtime = createTestRuntime({ env: { CGS_EXPORT_LOG_LEVEL: 'error' } });
  openSession(runtime, createScrubber(), { json: false }).log('info', 'quiet');
  openSession(runtime, createScrubber(), { json: false, logLevel: 'debug' }).log('debug', 'loud');
  expect(runtime.logs().map((line) => line.message)).toEqual(['loud']);
});
