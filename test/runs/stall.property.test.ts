// Tests that a run without pages is reported once per stall to the failure destination, and that shorter disturbances are not.
// A timer ticks once per minute under a virtual clock. A tick reports what a new instance without memory would throw.

import { expect, test } from 'vitest';
import { openAlerts } from '../../lib/alerts/function-alerts.ts';
import {
  AuthError,
  type ExportError,
  RateLimitedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import { caseStep } from '../support/cases.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const noAnswer = () => new StoreError('STORE_FAILED', 'no answer', 'wait');
const nodes = (count: number) => Array.from({ length: count }, (_, index) => `host-${index}`);
/** A list that needs this many requests. Small pages, because only their number matters. */
const ofRequests = (count: number) => ({ ids: nodes(count * 9 + 1), limit: 10 });

async function tickFor(world: ReturnType<typeof createTestExporter>, minutes: number) {
  const reported: string[] = [];
  const statuses: string[] = [];
  let throttled = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const result = await world.tick();
    // Not in a minute in which a failing store would be reported.
    const faults = openAlerts(world.clock).listDue(result, 30 * 60_000);
    reported.push(...faults.map(({ code }) => `${minute} ${code}`));
    throttled += result.throttled;
    statuses.push(result.status);
    world.clock.advance(60_000);
  }
  return { reported, throttled, statuses };
}

test.each([
  ['another client uses up the quota', () => new RateLimitedError('too many', 'wait', 60_000)],
  ['nothing answers', () => new TransientError('UNAVAILABLE', '503', 'wait')],
])(
  '%s: reports it once after half an hour, and again only after another page',
  async (_what, fault) => {
    const world = createTestExporter({
      ...ofRequests(300),
      quota: { requests: 1, windowSeconds: 60 },
    });
    let works = true;
    world.endpoint.beforeAnswer = () => {
      if (!works) throw fault();
    };
    expect((await tickFor(world, 3)).reported).toEqual([]);
    works = false;
    expect((await tickFor(world, 25)).reported).toEqual([]);
    const stalled = await tickFor(world, 240);
    expect(stalled.reported).toHaveLength(1);
    // At minute 31 without a page, although a failing target is tried only once per hour by then.
    expect(stalled.reported[0]).toMatch(/^[3-7] RUN_STALLED$/);
    works = true;
    expect((await tickFor(world, 70)).reported).toEqual([]);
    works = false;
    const again = await tickFor(world, 240);
    expect(again.reported).toHaveLength(1);
    expect(again.reported[0]).toContain('RUN_STALLED');
  },
);

test('reports each of two stalled targets by name after half an hour', async () => {
  const world = createTestExporter({
    ...ofRequests(300),
    quota: { requests: 2, windowSeconds: 60 },
  });
  const targets = ['one_nodes', 'two_nodes'].map((table) => world.createTarget({ table }));
  let works = true;
  world.endpoint.beforeAnswer = () => {
    if (!works) throw new TransientError('UNAVAILABLE', '503', 'wait');
  };
  const stalled: string[] = [];
  for (let minute = 0; minute < 180; minute += 1) {
    const { errors } = await world.tick({ targets });
    for (const { code, message } of errors) {
      if (code === 'RUN_STALLED') stalled.push(`${minute}: ${message}`);
    }
    // The second starts after the first, because a failing target makes room for the other.
    if (minute === 1) works = false;
    world.clock.advance(60_000);
  }
  expect(stalled).toHaveLength(2);
  expect(stalled.join('\n')).toMatch(/one_nodes\/rgn=.*\(account prod, run [0-9a-f]{12}\)/);
  expect(stalled.join('\n')).toContain('two_nodes/');
  for (const reported of stalled) expect(Number.parseInt(reported, 10)).toBeLessThan(45);
});

/** A target of its own project whose requests all end in `fault`; null: they succeed. */
function failing(
  world: ReturnType<typeof createTestExporter>,
  name: string,
  fault: () => ExportError | null,
  user = name.padEnd(12, '0'),
) {
  return world.createTarget({
    account: name,
    user,
    projectId: name,
    openSource: () => ({
      async fetchPage(page, attempts) {
        const error = fault();
        if (!error) return world.source.fetchPage(page, attempts);
        if (!(await attempts.admit())) return 'paused';
        await attempts.sent({ atMonotonicMs: world.clock.monotonicMs(), error });
        throw error;
      },
    }),
  });
}

test.each([
  ['whose key is always throttled', () => new RateLimitedError('too many', 'wait', 60_000), 'b'],
  ['that is refused, under the same key', () => new AuthError('NOT_PERMITTED', '403', 'x'), 'a'],
  ['that does not answer', () => new TransientError('TIMEOUT', 'no answer', 'wait'), 'b'],
])('a target %s keeps no other from being exported', async (_what, fault, user) => {
  const scheduleMs = 6 * 60 * 60_000;
  const world = createTestExporter({ ids: nodes(300), scheduleMs });
  const bad = failing(world, 'bad', fault, 'a'.padEnd(12, '0'));
  const good = failing(world, 'good', () => null, user.padEnd(12, '0'));
  // The clock starts with a slot.
  const slots = Math.ceil(12 / caseStep);
  let sealed = 0;
  for (let minute = 0; minute < slots * 6 * 60; minute += 1) {
    sealed += (await world.tick({ targets: [bad, good] })).snapshots.length;
    world.clock.advance(60_000);
  }
  expect(sealed).toBe(slots);
});

test('does not report a run that stores one page per invocation before each fault', async () => {
  const world = createTestExporter(ofRequests(30));
  let answered = false;
  const target = failing(world, 'slow', () => {
    if (answered) return new TransientError('UNAVAILABLE', '503', 'wait');
    answered = true;
    return null;
  });
  let sealed = 0;
  for (let minute = 0; minute < 40; minute += 1) {
    answered = false;
    const { snapshots, errors } = await world.tick({ targets: [target] });
    sealed += snapshots.length;
    expect(errors.map(({ code }) => code)).not.toContain('RUN_STALLED');
    world.clock.advance(60_000);
  }
  expect(sealed).toBe(1);
});

test('does not report a target that waited 40 minutes for another with the same quota', async () => {
  const world = createTestExporter(ofRequests(200));
  const targets = [world.createTarget(), world.createTarget({ table: 'other_nodes' })];
  await tickFor(world, 3);
  const [, other] = targets;
  await world.exportNow({ targets: other ? [other] : [] });
  for (let minute = 0; minute < 10; minute += 1) {
    const { errors } = await world.tick({ targets });
    expect(errors).toEqual([]);
    world.clock.advance(60_000);
  }
});

test('reports no stall while two accounts take turns for hours, and opens no run before its turn', async () => {
  const world = createTestExporter(ofRequests(200));
  const targets = ['one', 'two'].map((name) => failing(world, name, () => null));
  const sealed: string[] = [];
  for (let minute = 0; minute < 100; minute += 1) {
    const { errors, snapshots } = await world.tick({ targets });
    expect(errors).toEqual([]);
    sealed.push(...snapshots.map(({ manifest }) => manifest.scope.projectId));
    const open = [...world.store.dump().keys()].filter((key) => key.endsWith('/checkpoint.json'));
    // The seal record of a sealed run stays for a while.
    expect(open.length).toBeLessThanOrEqual(1 + sealed.length);
    world.clock.advance(60_000);
  }
  expect(sealed).toHaveLength(2);
});

test('does not report a target after one failed tick and a long turn of another target', async () => {
  const world = createTestExporter(ofRequests(200));
  let down = true;
  const fault = () => (down ? new TransientError('UNAVAILABLE', '503', 'wait') : null);
  const targets = ['one', 'two'].map((name) => failing(world, name, fault));
  for (let minute = 0; minute < 100; minute += 1) {
    const { errors } = await world.tick({ targets });
    expect(errors.map(({ code }) => code)).not.toContain('RUN_STALLED');
    down = false;
    world.clock.advance(60_000);
  }
});

test('a timer slower than the stall limit tries again before it reports', async () => {
  const world = createTestExporter({ ids: nodes(600) });
  let down = true;
  const target = failing(world, 'slow', () =>
    down ? new TransientError('UNAVAILABLE', '503', 'wait') : null,
  );
  await world.tick({ targets: [target] });
  world.clock.advance(60 * 60_000);
  down = false;
  expect(await world.tick({ targets: [target] })).toMatchObject({ status: 'sealed', errors: [] });
});

test('ends the invocation that detects a stall, so that a later kill cannot hide it', async () => {
  const world = createTestExporter(ofRequests(150));
  const bad = failing(world, 'bad', () => new TransientError('UNAVAILABLE', '503', 'wait'));
  const killed = failing(world, 'killed', () => {
    throw new Error('killed');
  });
  const reported: string[] = [];
  for (let minute = 0; minute < 60; minute += 1) {
    try {
      const targets = minute < 25 ? [bad] : [bad, killed];
      const { errors } = await world.tick({ targets });
      reported.push(...errors.map(({ code }) => code).filter((code) => code === 'RUN_STALLED'));
    } catch {
      // The platform kills the process.
    }
    world.clock.advance(60_000);
  }
  expect(reported).toEqual(['RUN_STALLED']);
});

test('reports an abandoned run once, although the store fails at that moment', async () => {
  let down = false;
  const world = createTestExporter({
    ...ofRequests(60),
    store: {
      onCall({ op, key, phase }) {
        if (down && phase === 'before' && op === 'list' && key.startsWith('_manifests')) {
          throw noAnswer();
        }
      },
    },
  });
  await tickFor(world, 2);
  world.clock.advance(49 * 3_600_000);
  down = true;
  const { reported } = await tickFor(world, 20);
  expect(reported.filter((one) => one.includes('RUN_ABANDONED'))).toHaveLength(1);
});

test('reports a drifted snapshot once, although the schedule cannot be saved at that moment', async () => {
  let down = false;
  const world = createTestExporter({
    ids: nodes(300),
    store: {
      onCall({ op, key, phase }) {
        if (op === 'put' && key.startsWith('_manifests')) down = true;
        if (down && phase === 'before' && op === 'put' && key.includes('schedule')) {
          throw noAnswer();
        }
      },
    },
  });
  world.endpoint.beforeAnswer = () => {
    world.endpoint.ids = [...world.endpoint.ids].reverse();
  };
  const first = await tickFor(world, 3);
  down = false;
  const { reported } = await tickFor(world, 10);
  expect([...first.reported, ...reported].filter((one) => one.includes('DRIFTED'))).toHaveLength(1);
});

test('counts a throttled request', async () => {
  const world = createTestExporter({ ids: nodes(10) });
  world.endpoint.beforeAnswer = (index) => {
    if (index === 0) throw new RateLimitedError('too many', 'wait', 60_000);
  };
  expect(await world.tick()).toMatchObject({ requests: 1, throttled: 1, status: 'paused' });
});

test('only the tick that seals a drifted snapshot reports it', async () => {
  const world = createTestExporter({ ids: nodes(600), scheduleMs: 86_400_000 });
  // Every page comes from a list in another order, so no pass can be shown to be complete.
  let seed = 1;
  world.endpoint.beforeAnswer = () => {
    world.endpoint.ids = [...world.endpoint.ids].sort(() => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 16) % 2 === 0 ? 1 : -1;
    });
  };
  const { reported, statuses } = await tickFor(world, 60);
  expect(reported).toHaveLength(1);
  expect(reported[0]).toContain('DRIFTED');
  expect(statuses.filter((status) => status === 'sealed')).toHaveLength(1);
});
