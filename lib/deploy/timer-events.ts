// Responsible for the `events` of a function in serverless.yml: their keys, and whether FunctionGraph accepts the timers.

import { suggest } from '../config/suggest.ts';
import { asRecord } from '../core/value-shape.ts';

/** As written. The schema does not check it: Serverless cannot report which key of an event is wrong. */
export type TimerEvent = Readonly<Record<string, unknown>>;

export interface Timer {
  name: string;
  status: 'ACTIVE' | 'DISABLED';
  scheduleType: 'Rate' | 'Cron';
  schedule: string;
}

/** `path` is relative to the function. */
export type Report = (path: string, message: string, hint: string) => void;

const eventKeys = ['triggerTypeCode', 'status', 'eventData'];
const eventDataKeys = ['name', 'scheduleType', 'schedule'];

/** Events have the form of the public plugin serverless-huawei-functions: its docs/trigger.md, read 2026-11-24. */
export function readTimers(events: readonly TimerEvent[], report: Report): Timer[] {
  const names = new Set<string>();
  return events.flatMap((event, index) => {
    const path = `events.${index}`;
    const timer = readTimer(event, path, report);
    if (timer === null) return [];
    if (names.has(timer.name)) {
      const message = `"${timer.name}" is the name of two triggers`;
      report(`${path}.eventData.name`, message, 'Use a different name.');
    }
    names.add(timer.name);
    return [timer];
  });
}

/** Null: a fault was reported. */
function readTimer(event: TimerEvent, path: string, report: Report): Timer | null {
  let isValid = true;
  const reject = (key: string, message: string, hint: string) => {
    isValid = false;
    report(`${path}.${key}`, message, hint);
  };
  const { triggerTypeCode, status = 'ACTIVE' } = event;
  const eventData = asRecord(event.eventData);
  const { name, scheduleType, schedule } = eventData;
  checkKeys(event, eventKeys, '', reject);
  checkKeys(eventData, eventDataKeys, 'eventData.', reject);
  if (triggerTypeCode !== 'TIMER') {
    const message = 'must be TIMER: this plugin supports timers only';
    reject('triggerTypeCode', message, 'Write triggerTypeCode: TIMER.');
  }
  if (status !== 'ACTIVE' && status !== 'DISABLED') {
    reject('status', `${show(status)} is not a valid status`, 'Use ACTIVE or DISABLED.');
  }
  if (typeof name !== 'string' || !/^[A-Za-z][\w-]{0,63}$/.test(name)) {
    const hint = 'A letter, then up to 63 letters, digits, - and _.';
    reject('eventData.name', `${show(name)} is not a valid trigger name`, hint);
  }
  const fault = checkSchedule(scheduleType, schedule);
  if (scheduleType !== 'Rate' && scheduleType !== 'Cron') {
    const message = `${show(scheduleType)} is not a valid schedule type`;
    reject('eventData.scheduleType', message, 'Use Rate or Cron.');
  } else if (fault) {
    const hint = 'Examples: 1m for Rate; 0 */5 * * * ? or @every 90s for Cron.';
    reject('eventData.schedule', fault, hint);
  }
  return isValid ? ({ name, status, scheduleType, schedule } as Timer) : null;
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

// The rules of a schedule. Source: FunctionGraph User Guide, "Cron Expressions for a Function Timer Trigger" and "Using a Timer
// Trigger", read 2026-11-24.

const rate = /^(?:(?:[1-9]|[1-5]\d|60)m|(?:[1-9]|1\d|2[0-4])h|(?:[1-9]|[12]\d|30)d)$/;

interface CronField {
  name: string;
  min: number;
  max: number;
  /** Names of the values from `min` on, separated by spaces. */
  valueNames?: string;
  mayBeQuestionMark?: boolean;
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec';
const days = 'sun mon tue wed thu fri sat';
const cronFields: readonly CronField[] = [
  { name: 'seconds', min: 0, max: 59 },
  { name: 'minutes', min: 0, max: 59 },
  { name: 'hours', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, mayBeQuestionMark: true },
  { name: 'month', min: 1, max: 12, valueNames: months },
  { name: 'day of week', min: 0, max: 6, valueNames: days, mayBeQuestionMark: true },
];

/** What is wrong with `schedule`, or null. */
export function checkSchedule(scheduleType: unknown, schedule: unknown): string | null {
  if (typeof schedule !== 'string') return `${show(schedule)} is not a text`;
  if (scheduleType === 'Cron') return checkCron(schedule);
  if (rate.test(schedule)) return null;
  return `"${schedule}" is not a valid rate: use 1m to 60m, 1h to 24h or 1d to 30d`;
}

function checkCron(schedule: string): string | null {
  if (schedule.startsWith('@every ')) {
    const isDuration = /^(?:\d+(?:\.\d+)?[smh])+$/.test(schedule.slice('@every '.length));
    if (isDuration && /[1-9]/.test(schedule)) return null;
    return `"${schedule}" is not a valid duration: use @every 90s or @every 1h30m`;
  }
  const [prefix = '', zone = 'UTC'] = /^CRON_TZ=(\S+) /.exec(schedule) ?? [];
  if (!isTimeZone(zone)) return `"${zone}" is not a time zone: use a name such as Asia/Shanghai`;
  const parts = schedule.slice(prefix.length).split(' ');
  // FunctionGraph also accepts five fields, but reads the first as seconds, where other programs read minutes.
  if (parts.length !== cronFields.length) {
    const names = cronFields.map(({ name }) => name).join(', ');
    return `"${schedule}" has ${parts.length} fields, not 6: ${names}`;
  }
  const index = cronFields.findIndex((field, position) => !isValid(parts[position] ?? '', field));
  const wrong = cronFields[index];
  if (!wrong) return null;
  const { name, min, max } = wrong;
  return `"${parts[index]}" is not valid for ${name}: use ${min} to ${max}, with , - * and /`;
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** Such as `*`, `5`, `1,3`, `MON-FRI` or `0/10`. */
function isValid(text: string, field: CronField): boolean {
  return text.split(',').every((item) => {
    const [range = '', step = '1', ...more] = item.split('/');
    return more.length === 0 && /^[1-9]\d?$/.test(step) && isRange(range, field);
  });
}

function isRange(range: string, field: CronField): boolean {
  if (range === '*' || (range === '?' && field.mayBeQuestionMark)) return true;
  const [from = '', to = from, ...more] = range.split('-');
  return more.length === 0 && readValue(from, field) <= readValue(to, field);
}

/** NaN, which is in no range, if `text` is not a value of the field. */
function readValue(text: string, { min, max, valueNames = '' }: CronField): number {
  const index = valueNames.split(' ').indexOf(text.toLowerCase());
  if (index >= 0 && text !== '') return index + min;
  const value = Number(text);
  return /^\d{1,2}$/.test(text) && value >= min && value <= max ? value : Number.NaN;
}
