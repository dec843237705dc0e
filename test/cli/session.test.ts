import { expect, test } from 'vitest';
import type { ProgressState } from '../../lib/cli/progress.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createTestWorld } from './world.ts';

const state: ProgressState = {
  label: 'container_nodes cn-south-4',
  unit: 'nodes',
  done: 200,
  total: 1_000,
  perSecond: 3.26,
  leftMs: 60_000,
  wait: { leftMs: 37_000, reason: 'for the quota' },
  note: '',
};

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

test('without a terminal: a log line every 10 s', () => {
  const { timers, every } = createTimers();
  const world = createTestWorld({ every });
  const session = openSession(world, createScrubber(), { json: false });
  const stop = session.follow(() => state);
  expect(timers[0]?.intervalMs).toBe(10_000);
  timers[0]?.work();
  expect(world.logs()).toMatchObject([
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
  stop();
  expect(timers[0]?.running).toBe(false);
  expect(world.out()).toBe('');
});

test('on a terminal: a line that goes when it is over', () => {
  const { timers, every } = createTimers();
  const world = createTestWorld({ every, terminal: true });
  const session = openSession(world, createScrubber(), { json: false });
  const stop = session.follow(() => state);
  timers[0]?.work();
  expect(world.err()).toContain('200/1,000 nodes');
  session.log('info', 'meanwhile');
  const [, above = '', below = ''] = /2K([^\r\n]*meanwhile)\n([^\r\n]*)$/.exec(world.err()) ?? [];
  expect(above).not.toContain('nodes');
  expect(below).toContain('200/1,000 nodes');
  stop();
  expect(world.err().endsWith('\r\u001b[2K')).toBe(true);
});

test.each([
  ['--json', { json: true }, {}],
  ['NO_PROGRESS', { json: false }, { NO_PROGRESS: '1' }],
])('on a terminal with %s: log lines', (_name, options, env) => {
  const { timers, every } = createTimers();
  const world = createTestWorld({ every, env, terminal: true });
  openSession(world, createScrubber(), options).follow(() => state);
  expect(timers[0]?.intervalMs).toBe(10_000);
});

test('the first signal stops, the second ends', () => {
  const world = createTestWorld();
  const session = openSession(world, createScrubber(), { json: false });
  world.raise('SIGTERM');
  expect(session.signal.aborted).toBe(true);
  expect(session.signal.reason).toMatchObject({ code: 'STOPPED' });
  expect(world.exits).toEqual([]);
  world.raise('SIGINT');
  world.raise('SIGTERM');
  expect(world.exits).toEqual([130, 143]);
});

test('a closed session hears no signal', () => {
  const world = createTestWorld();
  const session = openSession(world, createScrubber(), { json: false });
  session.close();
  world.raise('SIGINT');
  expect(session.signal.aborted).toBe(false);
});

test('the log level is that of the flag, else of the environment', () => {
  const world = createTestWorld({ env: { CGS_EXPORT_LOG_LEVEL: 'error' } });
  openSession(world, createScrubber(), { json: false }).log('info', 'quiet');
  openSession(world, createScrubber(), { json: false, logLevel: 'debug' }).log('debug', 'loud');
  expect(world.logs().map((line) => line.message)).toEqual(['loud']);
});
