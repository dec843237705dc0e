// Responsible for the `events` of a function in serverless.yml: which keys and values a timer has.

import { suggest } from '../config/suggest.ts';
import { checkSchedule } from './timer-schedule.ts';

/** As written. The schema does not check it: Serverless cannot report which key of an event is wrong. */
export type TimerEvent = Readonly<Record<string, unknown>>;

export interface Timer {
  name: string;
  status: 'ACTIVE' | 'DISABLED';
  scheduleType: 'Rate' | 'Cron';
  schedule: string;
  userEvent: string;
}

/** `path` is relative to the function. */
export type Report = (path: string, message: string, hint: string) => void;

/** Events have the form of the public plugin serverless-huawei-functions: its docs/trigger.md, read 2026-11-24. */
export function readTimers(events: readonly TimerEvent[], report: Report): Timer[] {
  const names = new Set<string>();
  return events.flatMap((event, index) => {
    const path = `events.${index}`;
    const timer = readTimer(event, path, report);
    if (timer && names.has(timer.name)) {
      const message = `"${timer.name}" is the name of two triggers`;
      report(`${path}.eventData.name`, message, 'Use a different name.');
    }
    if (timer) names.add(timer.name);
    return timer ?? [];
  });
}

const eventKeys = ['triggerTypeCode', 'status', 'eventData'];
const eventDataKeys = ['name', 'scheduleType', 'schedule', 'userEvent'];
const eventExample =
  'Example: triggerTypeCode: TIMER, eventData: { name: every-minute, scheduleType: Rate, schedule: 1m }.';

/** Null: a fault was reported. */
function readTimer(event: TimerEvent, path: string, report: Report): Timer | null {
  let isValid = true;
  const reject = (key: string, message: string, hint: string) => {
    isValid = false;
    report(`${path}.${key}`, message, hint);
  };
  const { triggerTypeCode, status = 'ACTIVE', eventData = {} } = event;
  checkKeys(event, eventKeys, '', reject);
  checkKeys(Object(eventData), eventDataKeys, 'eventData.', reject);
  if (triggerTypeCode !== 'TIMER') {
    reject('triggerTypeCode', 'must be TIMER: this plugin supports timers only', eventExample);
  }
  if (status !== 'ACTIVE' && status !== 'DISABLED') {
    reject('status', `${show(status)} is not a valid status`, 'Use ACTIVE or DISABLED.');
  }
  const {
    name,
    scheduleType,
    schedule,
    userEvent = '',
  } = Object(eventData) as Record<string, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z][\w-]{0,63}$/.test(name)) {
    const hint = 'A letter, then up to 63 letters, digits, - and _.';
    reject('eventData.name', `${show(name)} is not a valid trigger name`, hint);
  }
  if (typeof userEvent !== 'string' || userEvent.length > 2_048) {
    reject('eventData.userEvent', 'is not a text of at most 2,048 characters', 'Shorten it.');
  }
  if (scheduleType !== 'Rate' && scheduleType !== 'Cron') {
    const message = `${show(scheduleType)} is not a valid schedule type`;
    reject('eventData.scheduleType', message, 'Use Rate or Cron.');
  } else {
    const isText = typeof schedule === 'string';
    const fault = isText
      ? checkSchedule(scheduleType, schedule)
      : `${show(schedule)} is not a text`;
    const hint = 'Examples: 1m for Rate; 0 */5 * * * ? or @every 90s for Cron.';
    if (fault) reject('eventData.schedule', fault, hint);
  }
  return isValid ? ({ name, status, scheduleType, schedule, userEvent } as Timer) : null;
}

function checkKeys(value: object, known: readonly string[], prefix: string, reject: Report): void {
  for (const key of Object.keys(value).filter((one) => !known.includes(one))) {
    const near = suggest(key, known);
    const hint = near ? `Did you mean ${near}?` : `Known keys: ${known.join(', ')}.`;
    reject(`${prefix}${key}`, 'is not a key of an event', hint);
  }
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
