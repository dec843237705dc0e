// Owns what a log line looks like and that no secret is in one. Refuses to choose the level or the stream.

import pino from 'pino';
import { ExportError } from '../core/errors.ts';
import { RawNumber } from '../core/exact-json.ts';
import type { Log, LogLevel, Scrubber } from '../core/ports.ts';

const secretCharsMin = 4;
const redacted = '[redacted]';

export function createScrubber(): Scrubber {
  const known = new Set<string>();
  const forms = new Set<string>();
  let pattern: RegExp | null = null;
  return {
    add(secret) {
      if (secret.length < secretCharsMin || known.has(secret)) return;
      known.add(secret);
      for (const form of listForms(secret)) forms.add(form);
      // Longest first: a form that holds another one goes as a whole.
      const ordered = [...forms].sort((a, b) => b.length - a.length);
      pattern = new RegExp(ordered.map(escapeForRegExp).join('|'), 'g');
    },
    scrub: (text) => (pattern === null ? text : text.replace(pattern, redacted)),
  };
}

function listForms(secret: string): string[] {
  const wellFormed = Buffer.from(secret, 'utf8').toString('utf8');
  const escaped = JSON.stringify(secret).slice(1, -1);
  const encoded = encodeURIComponent(wellFormed);
  const strict = encoded.replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const uris = [encoded, strict, encodeURI(wellFormed), strict.replaceAll('%20', '+')];
  const lower = uris.map((uri) => uri.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase()));
  return [
    secret,
    wellFormed,
    escaped,
    escaped.replaceAll('/', '\\/'),
    // Escaped twice: JSON that a JSON string holds.
    JSON.stringify(escaped).slice(1, -1),
    ...uris,
    ...lower,
    ...listBase64Forms(secret),
  ].filter((form) => form.length >= secretCharsMin);
}

/** In base64 a text looks different at each of three positions; the characters at its ends share bits with their neighbours. */
function listBase64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const whole = bytes.toString('base64');
  const forms = [whole, whole.replaceAll('=', '')];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const partial = (before + bytes.length) % 3 !== 0;
    const inner = text.slice([0, 2, 3][before], partial ? -1 : undefined);
    // Less could be part of any word.
    if (inner.length >= 8) forms.push(inner);
  }
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

function escapeForRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

export interface LogOptions {
  level: LogLevel;
  /** One line, its line feed included. Must not throw. */
  write(line: string): void;
  /** For people; otherwise a JSON object a line. */
  pretty: boolean;
  colour: boolean;
  scrubber: Scrubber;
  /** In every line. */
  base: Readonly<Record<string, unknown>>;
  nowMs(): number;
}

/** A Log that never throws for what it is given, and writes before it returns. */
export function createLog(options: LogOptions): Log {
  const { level, write, pretty, colour, scrubber, nowMs } = options;
  const withStack = level === 'debug';
  const logger = pino(
    {
      level,
      base: makePlain(options.base, scrubber, withStack) as Record<string, unknown>,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        const safe = scrubLine(line, scrubber);
        // Again: what the formatting took away may have stood inside a secret.
        write(pretty ? scrubber.scrub(formatPretty(safe, colour)) : safe);
      },
    },
  );
  return (lineLevel, message, fields = {}) => {
    const plain = makePlain(fields, scrubber, withStack) as Record<string, unknown>;
    logger[lineLevel](renameReserved(plain), '%s', scrubber.scrub(message));
  };
}

/** The values were scrubbed one by one, so this finds only what spans two of them; it must not break the JSON. */
function scrubLine(line: string, scrubber: Scrubber): string {
  const scrubbed = scrubber.scrub(line);
  if (scrubbed === line) return line;
  try {
    JSON.parse(scrubbed);
    return scrubbed;
  } catch {
    return `${JSON.stringify({ level: 'error', message: redacted })}\n`;
  }
}

/** pino would write these names twice. */
function renameReserved(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      ['level', 'time', 'message'].includes(name) ? `${name}_` : name,
      value,
    ]),
  );
}

const depthMax = 6;
const itemsMax = 100;

/** Anything as scrubbed JSON data. Never throws: cycles, bigints, getters that throw, all have a text. */
function makePlain(
  value: unknown,
  scrubber: Scrubber,
  withStack: boolean,
  above: readonly unknown[] = [],
): unknown {
  const { scrub } = scrubber;
  const inner = (one: unknown) => makePlain(one, scrubber, withStack, [...above, value]);
  try {
    if (value === null || value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'string') return scrub(value);
    if (typeof value === 'number') {
      const text = String(value);
      return Number.isFinite(value) && scrub(text) === text ? value : scrub(text);
    }
    if (typeof value !== 'object') return scrub(String(value));
    if (above.includes(value)) return '[circular]';
    if (above.length >= depthMax) return '[too deep]';
    if (value instanceof Error) return describeError(value, withStack, inner);
    if (value instanceof RawNumber) return scrub(value.text);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
    if (value instanceof Map || value instanceof Set)
      return [...value].slice(0, itemsMax).map(inner);
    if (Array.isArray(value)) return value.slice(0, itemsMax).map(inner);
    const plain: Record<string, unknown> = {};
    for (const name of Object.keys(value).slice(0, itemsMax)) {
      plain[scrub(name)] = readMember(value, name, inner);
    }
    return plain;
  } catch {
    return '[not readable]';
  }
}

function readMember(holder: object, name: string, inner: (one: unknown) => unknown): unknown {
  try {
    return inner((holder as Record<string, unknown>)[name]);
  } catch {
    return '[not readable]';
  }
}

/** A deliberate error's stack is noise unless asked for; an unforeseen one's is all there is. */
function describeError(
  error: Error,
  withStack: boolean,
  inner: (one: unknown) => unknown,
): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const known =
    error instanceof ExportError
      ? { code: error.code, message, hint: error.hint }
      : { name, message };
  const more = withStack ? { stack, ...(cause === undefined ? {} : { cause }) } : {};
  return Object.fromEntries(
    Object.entries({ ...known, ...more }).map(([key, one]) => [key, inner(one)]),
  );
}

const colours: Record<string, string> = {
  error: '31',
  warn: '33',
  info: '32',
  debug: '90',
};

/** `HH:MM:SS level message key=value`; only a stack goes on further lines. */
function formatPretty(line: string, colour: boolean): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const label = String(level).padEnd(5);
  const painted = colour ? `\u001b[${colours[String(level)]}m${label}\u001b[0m` : label;
  const stacks: string[] = [];
  const pairs = Object.entries(fields).map(([name, value]) => {
    if (typeof value === 'object' && value !== null && 'stack' in value) {
      const { stack, ...rest } = value;
      stacks.push(String(stack));
      return `${clean(name)}=${formatValue(rest)}`;
    }
    return `${clean(name)}=${formatValue(value)}`;
  });
  const head = [String(time).slice(11, 19), painted, clean(String(message)), ...pairs].join(' ');
  const tail = stacks.flatMap((stack) => stack.split('\n')).map((one) => `\n    ${clean(one)}`);
  return `${head}${tail.join('')}\n`;
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const quoted =
    typeof value === 'string' && !/^[^\s"'=]+$/.test(text) ? JSON.stringify(text) : text;
  return clean(quoted);
}

/** A terminal obeys control characters, and a line must stay one. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
