// Owns whether a timer's schedule is one that FunctionGraph takes. Refuses to say when it fires.
// Source: FunctionGraph User Guide, "Cron Expressions for a Function Timer Trigger" and "Using a Timer Trigger", read 2026-11-24.

const rateMax: Record<string, number> = { m: 60, h: 24, d: 30 };

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const weekdays = 'sun mon tue wed thu fri sat'.split(' ');

interface Field {
  name: string;
  min: number;
  max: number;
  names: readonly string[];
  anyDay: boolean;
}

const fields: readonly Field[] = [
  { name: 'seconds', min: 0, max: 59, names: [], anyDay: false },
  { name: 'minutes', min: 0, max: 59, names: [], anyDay: false },
  { name: 'hours', min: 0, max: 23, names: [], anyDay: false },
  { name: 'day of month', min: 1, max: 31, names: [], anyDay: true },
  { name: 'month', min: 1, max: 12, names: months, anyDay: false },
  { name: 'day of week', min: 0, max: 6, names: weekdays, anyDay: true },
];

/** Why `schedule` is refused, or null. */
export function checkSchedule(scheduleType: 'Rate' | 'Cron', schedule: string): string | null {
  return scheduleType === 'Rate' ? checkRate(schedule) : checkCron(schedule);
}

function checkRate(schedule: string): string | null {
  const [, digits = '', unit = ''] = /^([1-9]\d*)([mhd])$/.exec(schedule) ?? [];
  const most = rateMax[unit];
  if (most !== undefined && Number(digits) <= most) return null;
  return `"${schedule}" is no rate: 1m to 60m, 1h to 24h or 1d to 30d`;
}

function checkCron(schedule: string): string | null {
  if (schedule.startsWith('@every ')) {
    const isDuration = /^(?:\d+(?:\.\d+)?[smh])+$/.test(schedule.slice(7));
    if (isDuration && /[1-9]/.test(schedule)) return null;
    return `"${schedule}" is no duration: @every 90s, @every 1h30m`;
  }
  const [, zone = null] = /^CRON_TZ=(\S+) /.exec(schedule) ?? [];
  if (zone !== null && !isTimeZone(zone)) return `"${zone}" is no time zone: Asia/Shanghai, UTC`;
  const parts = schedule.replace(/^CRON_TZ=\S+ /, '').split(' ');
  // Five are read, with seconds first; whoever writes five means minutes first.
  if (parts.length !== 6) {
    return `"${schedule}" has ${parts.length} fields, not 6: seconds, minutes, hours, day of month, month, day of week`;
  }
  const values: number[][] = [];
  for (const [index, part] of parts.entries()) {
    const field = fields[index] as Field;
    const listed = listValues(part, field);
    if (!listed) {
      return `"${part}" is no ${field.name}: ${field.min} to ${field.max}, with , - * and /`;
    }
    values.push(listed);
  }
  const [, , , days = [], inMonths = []] = values;
  // With a day of the week it fires on that, whatever the date.
  const isByDate = /^[*?]$/.test(parts[5] ?? '');
  const comes = inMonths.some((month) => days.some((day) => day <= (monthDays[month - 1] ?? 0)));
  return isByDate && !comes ? `"${schedule}" never comes: no such month has that day` : null;
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** Null: it is no such field. */
function listValues(text: string, field: Field): number[] | null {
  const lists = text.split(',').map((item) => {
    const [range = '', step = '1', ...rest] = item.split('/');
    const bounds = readRange(range, field);
    if (rest.length > 0 || !/^[1-9]\d?$/.test(step) || !bounds) return null;
    const [first, last] = bounds;
    // From one value on, with a step, to the end.
    const end = item.includes('/') && first === last ? field.max : last;
    const count = Math.floor((end - first) / Number(step)) + 1;
    return Array.from({ length: count }, (_, index) => first + index * Number(step));
  });
  return lists.includes(null) ? null : lists.flatMap((list) => list ?? []);
}

function readRange(range: string, field: Field): [number, number] | null {
  if (range === '*' || (range === '?' && field.anyDay)) return [field.min, field.max];
  const [from = '', to = from, ...more] = range.split('-');
  const [first, last] = [readValue(from, field), readValue(to, field)];
  if (more.length > 0 || first === null || last === null || first > last) return null;
  return [first, last];
}

function readValue(text: string, { min, max, names }: Field): number | null {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + min;
  if (!/^\d{1,2}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}
