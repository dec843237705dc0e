// Responsible for checking that FunctionGraph accepts a timer's schedule. Not responsible for when it fires.
// Source: FunctionGraph User Guide, "Cron Expressions for a Function Timer Trigger" and "Using a Timer Trigger", read 2026-11-24.

const rate = /^(?:(?:[1-9]|[1-5]\d|60)m|(?:[1-9]|1\d|2[0-4])h|(?:[1-9]|[12]\d|30)d)$/;
const monthNames = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const weekdayNames = 'sun mon tue wed thu fri sat'.split(' ');

interface Field {
  name: string;
  min: number;
  max: number;
  /** Names of the values from `min` on. */
  valueNames?: readonly string[];
  mayBeQuestionMark?: boolean;
}

const fields: readonly Field[] = [
  { name: 'seconds', min: 0, max: 59 },
  { name: 'minutes', min: 0, max: 59 },
  { name: 'hours', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, mayBeQuestionMark: true },
  { name: 'month', min: 1, max: 12, valueNames: monthNames },
  { name: 'day of week', min: 0, max: 6, valueNames: weekdayNames, mayBeQuestionMark: true },
];

/** What is wrong with `schedule`, or null. */
export function checkSchedule(scheduleType: 'Rate' | 'Cron', schedule: string): string | null {
  if (scheduleType === 'Cron') return checkCron(schedule);
  if (rate.test(schedule)) return null;
  return `"${schedule}" is not a valid rate: use 1m to 60m, 1h to 24h or 1d to 30d`;
}

function checkCron(schedule: string): string | null {
  if (schedule.startsWith('@every ')) {
    const isDuration = /^(?:\d+(?:\.\d+)?[smh])+$/.test(schedule.slice(7));
    if (isDuration && /[1-9]/.test(schedule)) return null;
    return `"${schedule}" is not a valid duration: use @every 90s or @every 1h30m`;
  }
  const [prefix = '', zone = 'UTC'] = /^CRON_TZ=(\S+) /.exec(schedule) ?? [];
  if (!isTimeZone(zone)) return `"${zone}" is not a time zone: use a name such as Asia/Shanghai`;
  const parts = schedule.slice(prefix.length).split(' ');
  // FunctionGraph also accepts five fields, but reads the first as seconds, where other programs read minutes.
  if (parts.length !== 6) {
    return `"${schedule}" has ${parts.length} fields, not 6: seconds, minutes, hours, day of month, month, day of week`;
  }
  const values: number[][] = [];
  for (const [index, part] of parts.entries()) {
    const field = fields[index] as Field;
    const listed = listValues(part, field);
    if (!listed) {
      const { name, min, max } = field;
      return `"${part}" is not valid for ${name}: use ${min} to ${max}, with , - * and /`;
    }
    values.push(listed);
  }
  const [, , , days = [], months = []] = values;
  // A day of week makes the timer fire on that day, whatever the date is.
  const isByDate = /^[*?]$/.test(parts[5] ?? '');
  const hasDate = months.some((month) => days.some((day) => day <= (monthDays[month - 1] ?? 0)));
  return isByDate && !hasDate ? `"${schedule}" never fires: no month has that day` : null;
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** Null: `text` is not valid for the field. */
function listValues(text: string, field: Field): number[] | null {
  const lists = text.split(',').map((item) => {
    const [range = '', step = '1', ...rest] = item.split('/');
    const bounds = readRange(range, field);
    if (rest.length > 0 || !/^[1-9]\d?$/.test(step) || !bounds) return null;
    const [first, last] = bounds;
    // `5/10` means from 5 to the maximum in steps of 10.
    const end = item.includes('/') && first === last ? field.max : last;
    const count = Math.floor((end - first) / Number(step)) + 1;
    return Array.from({ length: count }, (_, index) => first + index * Number(step));
  });
  return lists.includes(null) ? null : lists.flatMap((list) => list ?? []);
}

function readRange(range: string, field: Field): [number, number] | null {
  if (range === '*' || (range === '?' && field.mayBeQuestionMark)) return [field.min, field.max];
  const [from = '', to = from, ...rest] = range.split('-');
  const [first, last] = [readValue(from, field), readValue(to, field)];
  if (rest.length > 0 || first === null || last === null || first > last) return null;
  return [first, last];
}

function readValue(text: string, { min, max, valueNames = [] }: Field): number | null {
  const index = valueNames.indexOf(text.toLowerCase());
  if (index >= 0) return index + min;
  const value = Number(text);
  return /^\d{1,2}$/.test(text) && value >= min && value <= max ? value : null;
}
