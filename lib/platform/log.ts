// Responsible for log lines: their format, and that no line contains a secret or breaks into two lines.
// Not responsible for finding secrets in a text (scrubber.ts), or for the level and the stream.

import pino from 'pino';
import { ExportError } from '../core/errors.ts';
import { RawNumber } from '../core/exact-json.ts';
import type { Log, LogLevel, Scrubber } from '../core/ports.ts';
import { redacted } from './scrubber.ts';

export interface LogOptions {
  level: LogLevel;
  /** Receives one line with its line feed. Must not throw. */
  write(line: string): void;
  /** True: text for people. False: one JSON object per line. */
  pretty: boolean;
  colour: boolean;
  scrubber: Scrubber;
  /** Fields of every line, called for each line. */
  base(): Readonly<Record<string, unknown>>;
  nowMs(): number;
}

/** The returned Log writes before it returns. It accepts any fields and never throws because of them. */
export function createLog(options: LogOptions): Log {
  const { level, write, pretty, colour, scrubber, nowMs } = options;
  const withStack = level === 'debug';
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        const safe = scrubLine(line, scrubber);
        // Scrub again: formatting removes characters, and the rest can be a secret.
        write(pretty ? scrubber.scrub(formatPretty(safe, colour)) : safe);
      },
    },
  );
  return (lineLevel, message, fields = {}) => {
    const all = { ...options.base(), ...fields };
    const plain = makePlain(all, scrubber, withStack) as Record<string, unknown>;
    logger[lineLevel](renameReserved(plain), '%s', scrubber.scrub(message));
  };
}

/** Finds secrets that span two values: makePlain() has scrubbed each value already. The result is still valid JSON. */
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

/** Without this, pino writes these names twice in one line. */
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
const notReadable = '[not readable]';

/** Converts any value to scrubbed JSON data. Never throws: cycles, bigints and getters that throw become texts. */
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
    if (typeof value !== 'object') {
      const text = String(value);
      const isSafeNumber = Number.isFinite(value) && scrub(text) === text;
      return isSafeNumber ? value : scrub(text);
    }
    if (above.includes(value)) return '[circular]';
    if (above.length >= depthMax) return '[too deep]';
    if (value instanceof RawNumber) return scrub(value.text);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      return [...value].slice(0, itemsMax).map(inner);
    }
    const members = value instanceof Error ? describeError(value, withStack) : value;
    const names = Object.keys(members).slice(0, itemsMax);
    return Object.fromEntries(names.map((name) => [scrub(name), inner(readMember(members, name))]));
  } catch {
    return notReadable;
  }
}

function readMember(holder: object, name: string): unknown {
  try {
    return (holder as Record<string, unknown>)[name];
  } catch {
    return notReadable;
  }
}

/** An ExportError is logged as code, message and hint; another error as name and message. Stack and cause only at debug. */
function describeError(error: Error, withStack: boolean): object {
  const { name, message, stack, cause } = error;
  const known =
    error instanceof ExportError
      ? { code: error.code, message, hint: error.hint }
      : { name, message };
  const more = withStack ? { stack, ...(cause === undefined ? {} : { cause }) } : {};
  return { ...known, ...more };
}

/** Codes of ANSI escape sequences. */
const colours: Record<string, number> = { error: 31, warn: 33, info: 32, debug: 90 };

/** `HH:MM:SS level message key=value`; a hint and a stack are on more lines. */
function formatPretty(line: string, colour: boolean): string {
  const { level, time, message, hint, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const label = String(level).padEnd(5);
  const painted = colour ? `\u001b[${colours[String(level)]}m${label}\u001b[0m` : label;
  // Hints are long texts for people: as a field they would hide the message.
  const moreLines = typeof hint === 'string' ? hint.split('\n') : [];
  const pairs = Object.entries(fields).map(([name, value]) => {
    let shown = value;
    if (typeof value === 'object' && value !== null && 'stack' in value) {
      const { stack, ...rest } = value;
      moreLines.push(...String(stack).split('\n'));
      shown = rest;
    }
    return `${clean(name)}=${formatValue(shown)}`;
  });
  const head = [String(time).slice(11, 19), painted, clean(String(message)), ...pairs].join(' ');
  return `${[head, ...moreLines.map((line) => `    ${clean(line)}`)].join('\n')}\n`;
}

/** A text needs no quotes if it has no spaces, quotes or `=`. */
function formatValue(value: unknown): string {
  const isPlain = typeof value === 'string' && /^[^\s"'=]+$/.test(value);
  return clean(isPlain ? value : JSON.stringify(value));
}

/** Control characters and changes of the direction of text could change what the terminal shows. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu, ' ').trim();
}
