// Responsible for the command `tick`: does what one invocation of the timer's function does.

import { toResultJson } from '../app/result-json.ts';
import { describeLift } from '../runs/holds.ts';
import type { HeldTarget, PausedTarget } from '../runs/invocation.ts';
import { slotMs } from '../runs/schedule.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectTargets, warnOfNewFolder } from './connection.ts';
import { exitCodeOfResult } from './exit-code.ts';
import { describeSnapshots, describeTarget, formatPlural } from './format.ts';
import { addTargetOptions, readNumber, type TargetOptions } from './options.ts';
import { describeReason } from './progress.ts';
import type { Session } from './session.ts';

interface TickOptions extends TargetOptions {
  timeLimit: string;
}

export const tickCommand: CommandDefinition<TickOptions> = {
  name: 'tick',
  summary: 'do what one invocation of the timer does, then stop',
  description:
    'Does what one invocation of the timer does: works on the targets that are due, as far as the quota and the time limit allow, then stops. Does not wait for the next quota window. Use it with cron, or to see what the function would do.',
  addOptions: (command) =>
    command.option('--time-limit <seconds>', 'stop early enough to end within this time', '900'),
  addTargetOptions,
  writes: 'the store, like `export`',
  codes: [0, 1, 2, 3, 4, 5],
  examples: ['cgs-export tick', 'cgs-export tick --time-limit 50'],
  note: 'Exit code 0 of this command also means paused, drifted or nothing to do: the next tick continues.\nExit code 4 means that a signal stopped it.\n\nA line for crontab:\n  * * * * * cd /srv/audit && cgs-export tick --time-limit 50',
  printsResult: true,
  run: runTick,
};

async function runTick(options: TickOptions, session: Session): Promise<Outcome> {
  const { runtime, signal } = session;
  const limitMs = readNumber('--time-limit', options.timeLimit, 1) * 1_000;
  const endMs = runtime.monotonicMs() + limitMs;
  const connection = await connectTargets(options, session);
  await warnOfNewFolder(connection, session);
  const result = await connection.collect('timer', {
    signal,
    progress: () => {},
    timeLeftMs: () => endMs - runtime.monotonicMs(),
  });
  const { store, scheduleMs } = connection;
  const nextSlot = new Date(slotMs(store.nowMs(), scheduleMs) + scheduleMs).toISOString();
  const idle = result.idle === null ? {} : { idle: { reason: idleReasons[result.idle], nextSlot } };
  return {
    exitCode: exitCodeOfResult(result, 'timer'),
    json: { ...toResultJson(result, session.scrubber), ...idle },
    text: [
      describeSnapshots(result.snapshots, store.url),
      ...result.held.map(describeHeld),
      ...result.failing.map(describeFailing),
      ...result.paused.map(describePaused),
      `${result.status}, ${formatPlural(result.requests, 'request')}`,
      result.idle === null
        ? ''
        : `: ${idleReasons[result.idle]}; the next slot begins at ${nextSlot}`,
      '\n',
    ].join(''),
  };
}

const idleReasons = {
  'not due': 'every target is up to date or held',
  leased: 'another exporter is working on this store',
} as const;

function describeHeld(target: HeldTarget): string {
  const { heldUntil, account, failure } = target;
  const lift = describeLift(account, failure);
  const lines = [...describeFailure(target), ...(lift === null ? [] : [lift])];
  return `held until ${heldUntil}: ${describeTarget(target)}\n${indent(lines)}`;
}

/** The next invocation tries it again. */
function describeFailing(target: HeldTarget): string {
  return `newest attempt failed: ${describeTarget(target)}\n${indent(describeFailure(target))}`;
}

function describePaused(target: PausedTarget): string {
  const { snapshot, waitsFor } = target;
  const what =
    waitsFor === null
      ? 'the next tick continues it'
      : `waiting ${describeReason(waitsFor.reason)} until ${waitsFor.until}`;
  return `open: ${describeTarget(target)}, run ${snapshot}: ${what}\n`;
}

function describeFailure({ failure }: HeldTarget): string[] {
  if (!failure) return [];
  const { ofKey, code, message, hint, since, failures } = failure;
  const what = ofKey ? 'requests with its access key fail' : 'it fails';
  return [`${what} since ${since} (${failures} in a row): ${code}: ${message}`, hint];
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line.replaceAll('\n', '\n  ')}\n`).join('');
}
