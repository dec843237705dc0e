// Owns the way from a configuration's text to plain values: YAML or JSON, then `${NAME}`. Refuses to know any setting.

import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';

export interface ConfigValues {
  value: Readonly<Record<string, unknown>>;
  /** Variables that are not set, and keys that cannot be settings. */
  issues: ConfigIssue[];
}

const textMax = 1024 * 1024;

/**
 * `{ ak: ${AK} }` is no YAML: a brace ends a plain word there. So `${NAME}` becomes a word of the same length
 * before parsing (positions stay right) and is filled in after it (no value can break the syntax).
 */
const variable = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const marked = /\uE000\uE000([A-Za-z0-9_]+)\uE001/g;
const marks = /[\uE000\uE001]/;

const unset = 'Set it where cgs-export runs, or write the value here instead.';

/** Throws ConfigError if the text is not one mapping. `name` is the file's, for people. */
export function parseConfigText(text: string, name: string, env: Environment): ConfigValues {
  const value = parseYaml(text, name);
  const issues: ConfigIssue[] = [];
  const filled = fill(value, '', env, issues);
  return { value: filled as Readonly<Record<string, unknown>>, issues };
}

function parseYaml(text: string, name: string): unknown {
  if (text.length > textMax) {
    throw broken(`${name} is longer than 1 MB`, 'Is it really the configuration?');
  }
  if (marks.test(text)) {
    throw broken(
      `${name} holds private-use characters (U+E000, U+E001)`,
      'Remove them: they do not show, and no setting needs them.',
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text.replace(variable, '\uE000\uE000$1\uE001'), {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    // One slip brings a train of errors behind it; only doubled keys are faults of their own.
    const first = faults.findIndex(({ code }) => code !== 'DUPLICATE_KEY');
    throw new ConfigError(
      faults
        .filter(({ code }, index) => code === 'DUPLICATE_KEY' || index === first)
        .map((fault) => describeFault(fault, name, lines)),
    );
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch {
    throw broken(
      `${name} refers to an anchor (*name) that is not set, or too often`,
      'Quote a value that begins with *.',
    );
  }
  if (value === null) {
    throw broken(
      `${name} is empty`,
      'Run `cgs-export init` to write a commented configuration, or see cgs-export.example.yml.',
    );
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw broken(
      `${name} must hold settings by name, not ${Array.isArray(value) ? 'a list' : 'a single value'}`,
      'Begin with a line such as `store: file:./export`; see cgs-export.example.yml.',
    );
  }
  return value;
}

/** The library's own messages quote the text, and the text may hold a secret. These do not. */
const faultTexts: Partial<Record<YAMLError['code'], readonly [message: string, hint: string]>> = {
  DUPLICATE_KEY: ['this key is there twice', 'Keep one of the two lines.'],
  TAB_AS_INDENT: ['a tab indents this line', 'Indent with spaces.'],
  BAD_INDENT: [
    'the indentation does not fit',
    'Indent with two spaces a level, close every bracket.',
  ],
  MULTIPLE_DOCS: ['a second document begins here', 'Keep one document: remove the --- line.'],
  NON_STRING_KEY: ['a key is not a name', 'Every key is a plain name, such as store.'],
  TAG_RESOLVE_FAILED: ['a value begins with !', 'Put it in quotes.'],
  BAD_SCALAR_START: ['a value begins with a reserved sign', 'Put it in quotes.'],
  BAD_DQ_ESCAPE: ['a backslash in double quotes escapes nothing', 'Use single quotes, or \\\\.'],
};

function describeFault(fault: YAMLError, name: string, lines: LineCounter): ConfigIssue {
  const { line, col } = lines.linePos(fault.pos[0]);
  const [message, hint] = faultTexts[fault.code] ?? [
    `this is not valid YAML (${fault.code.toLowerCase().replaceAll('_', ' ')})`,
    'Look at that place for a missing quote, bracket, colon or ${NAME}; quote values with signs in them.',
  ];
  return { path: '', message: `${name}:${line}:${col}: ${message}`, hint };
}

function broken(message: string, hint: string): ConfigError {
  return new ConfigError([{ path: '', message, hint }]);
}

/** The names that objects have by themselves: no setting, and a trap for everyone who reads objects. */
const builtIn = new Set(['__proto__', 'constructor', 'prototype']);

function fill(value: unknown, path: string, env: Environment, issues: ConfigIssue[]): unknown {
  if (typeof value === 'string') return fillText(value, path, env, issues);
  if (Array.isArray(value)) {
    return value.map((item, index) => fill(item, joinPath(path, String(index)), env, issues));
  }
  if (typeof value !== 'object' || value === null) return value;
  const filled: Record<string, unknown> = {};
  for (const [markedKey, inner] of Object.entries(value)) {
    // A key is never filled in, only shown as it was written.
    const key = markedKey.replace(marked, '${$1}');
    const innerPath = joinPath(path, key);
    if (builtIn.has(key)) {
      issues.push({ path: innerPath, message: 'is no setting', hint: 'Remove this line.' });
    } else {
      filled[key] = fill(inner, innerPath, env, issues);
    }
  }
  return filled;
}

function fillText(text: string, path: string, env: Environment, issues: ConfigIssue[]): string {
  const rest = text.replace(marked, '');
  if (rest.includes('${')) {
    issues.push({
      path,
      message: 'holds a ${ that begins no variable',
      hint: 'Write ${NAME} with letters, digits and _; a value that really holds these signs goes into a variable of its own.',
    });
  }
  return text.replace(marked, (_all, name: string) => {
    const found = env[name];
    if (found !== undefined) return found;
    issues.push({ path, message: `the environment variable ${name} is not set`, hint: unset });
    return '';
  });
}

export function joinPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
