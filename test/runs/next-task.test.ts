// Tests which targets have work and in which order they are tried, for a timer and for a command.

import { describe, expect, test } from 'vitest';
import type { Agenda } from '../../lib/runs/invocation.ts';
import { hasWork, pickNextTask } from '../../lib/runs/next-task.ts';
import { policies } from '../../lib/runs/policy.ts';
import { listTasks } from '../../lib/runs/projects.ts';
import { emptySchedule, type TargetState } from '../../lib/runs/schedule.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const fresh: TargetState = { open: null, sealed: null, failures: 0, retryAtMs: 0 };

/** Targets p1, p2, ... with the given states; a null state is a target whose project is not known. */
function createAgenda(mode: 'timer' | 'command', states: (Partial<TargetState> | null)[]): Agenda {
  const world = createTestExporter();
  const schedule = emptySchedule();
  const targets = states.map((state, index) => {
    const projectId = `p${index + 1}`;
    const id = `container_nodes/rgn=cn-south-4/prj=${projectId}`;
    if (state) schedule.targets[id] = { ...fresh, ...state };
    const name = { account: projectId, projectQuestion: projectId };
    return world.createTarget({ ...name, projectId: state === null ? null : projectId });
  });
  return { ...world.createPorts({ targets }), policy: policies[mode], schedule };
}

/** Account names in the order in which the targets are tried. */
const hasAny = (agenda: Agenda) => hasWork(agenda, listTasks(agenda));

function orderOf(agenda: Agenda): string[] {
  const tasks = listTasks(agenda);
  const tried: string[] = [];
  for (;;) {
    const task = pickNextTask(agenda, tasks, ({ target }) => tried.includes(target.account));
    if (!task) return tried;
    tried.push(task.target.account);
  }
}

/** The virtual clock starts at 06:00. */
const later = Date.UTC(2026, 10, 24, 6, 10);
const sealedNow = { sealed: '20261124T060000Z' };
const openRun = (snapshot: string) => ({ open: { snapshot, run: 'aaaaaaaaaaaa' } });

describe('a timer', () => {
  test('continues open runs first, the oldest first, then starts due targets that were never sealed in file order', () => {
    const states = [{}, openRun('20261124T060000Z'), {}, openRun('20261123T060000Z')];
    expect(orderOf(createAgenda('timer', states))).toEqual(['p4', 'p2', 'p1', 'p3']);
  });

  test('tries targets that failed more than once after all others', () => {
    const states = [{ ...openRun('20261123T060000Z'), failures: 2 }, {}, { failures: 1 }];
    expect(orderOf(createAgenda('timer', states))).toEqual(['p2', 'p3', 'p1']);
  });

  test('starts the target that has waited longest, never sealed first', () => {
    const sealed = (snapshot: string, sealedAtMs: number) => ({ sealed: snapshot, sealedAtMs });
    const states = [
      sealed('20261123T000000Z', 7),
      sealed('20261122T000000Z', 9),
      sealed('20261122T000000Z', 8),
      {},
    ];
    expect(orderOf(createAgenda('timer', states))).toEqual(['p4', 'p3', 'p2', 'p1']);
    expect(orderOf(createAgenda('command', states))).toEqual(['p4', 'p3', 'p2', 'p1']);
  });

  test('a snapshot named after tomorrow does not make its target wait for ever', () => {
    const agenda = createAgenda('command', [
      { sealed: '20261123T000000Z' },
      { sealed: '20991231T000000Z' },
    ]);
    expect(orderOf(agenda)).toEqual(['p2', 'p1']);
  });

  test('tries a target that fails repeatedly in its turn again, a schedule after its last attempt', () => {
    const nowMs = Date.UTC(2026, 10, 24, 6);
    const failed = (hours: number) => {
      const timeMs = nowMs - hours * 3_600_000;
      const failure = { code: 'X', message: 'm', hint: 'h', sinceMs: timeMs, lastMs: timeMs };
      return { failures: 5, failure };
    };
    const states = [failed(23), { sealed: '20261122T000000Z' }, failed(24)];
    expect(orderOf(createAgenda('timer', states))).toEqual(['p3', 'p2', 'p1']);
  });

  test('resolves an unknown project in its turn once that has cost a slot', () => {
    const missed = { count: 1, untilMs: 0, scheduleMs: 1 };
    const agenda = createAgenda('timer', [{}, null]);
    const id = 'container_nodes/rgn=cn-south-4/account=p2';
    agenda.schedule.targets[id] = { ...fresh, missed };
    agenda.schedule.targets['container_nodes/rgn=cn-south-4/prj=p1'] = {
      ...fresh,
      sealed: '20261122T000000Z',
    };
    expect(orderOf(agenda)).toEqual(['p2', 'p1']);
  });

  test('resolves unknown projects last', () => {
    expect(orderOf(createAgenda('timer', [null, {}]))).toEqual(['p2', 'p1']);
  });

  test('skips targets that are not due or held off', () => {
    const states = [sealedNow, { retryAtMs: later }, {}];
    expect(orderOf(createAgenda('timer', states))).toEqual(['p3']);
  });

  test('has no work if nothing is due, and none for held-off targets', () => {
    expect(hasAny(createAgenda('timer', [sealedNow, { retryAtMs: later }]))).toBe(false);
    expect(hasAny(createAgenda('timer', [sealedNow, {}]))).toBe(true);
    expect(hasAny(createAgenda('timer', [null]))).toBe(true);
  });
});

test('a command resolves unknown projects first and exports every target, due or not', () => {
  const states = [sealedNow, { retryAtMs: later }, null, openRun('20261124T060000Z')];
  expect(orderOf(createAgenda('command', states))).toEqual(['p3', 'p4', 'p2', 'p1']);
});
