// Responsible for the way from a configuration's text to plain values: YAML or JSON, then `${NAME}`. Not responsible for
// settings: it knows none.

import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { ConfigError, type ConfigIssue, configFault } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';

export interface ConfigValues {
  /** A text with a variable that is not set is undefined. */
  value: Readonly<Record<string, unknown>>;
  /** Names and texts that cannot be valid in any setting. */
  issues: ConfigIssue[];
  /** Variables that are not set. */
  unset: ConfigIssue[];
}

const textMax = 1024 * 1024;

/**
 * `{ ak: ${AK} }` is not valid YAML, because the first brace ends a plain word. So each `${NAME}` becomes a word of the
 * same length before parsing (positions stay right) and is replaced after it (no value can break the syntax).
 */
const variable = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const marked = /\uE000\uE000([A-Za-z0-9_]+)\uE001/g;
const marks = /[\uE000\uE001]/;

/** Throws ConfigError if the text is not one mapping. `name`: the name of the file, for messages. */
export function parseConfigText(text: string, name: string, env: Environment): ConfigValues {
  const faults: Faults = { issues: [], unset: [] };
  const value = fill(parseYaml(text, name), '', env, faults);
  return { value: value as ConfigValues['value'], ...faults };
}

function parseYaml(text: string, name: string): object {
  const fault = (message: string, hint: string) => configFault('', `${name} ${message}`, hint);
  if (text.length > textMax) {
    throw fault('is longer than 1 MB', 'Check that this file is the configuration.');
  }
  if (marks.test(text)) {
    const hint = 'Remove them. They are invisible, and no setting needs them.';
    throw fault('contains private-use characters (U+E000, U+E001)', hint);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text.replace(variable, '\uE000\uE000$1\uE001'), {
    lineCounter,
    prettyErrors: false,
    stringKeys: true,
  });
  const faults = [...document.errors, ...document.warnings];
  // One mistake causes more errors after it; only duplicate keys are mistakes of their own.
  const first = faults.findIndex(({ code }) => code !== 'DUPLICATE_KEY');
  const issues = faults
    .filter(({ code }, index) => code === 'DUPLICATE_KEY' || index === first)
    .map((found) => describeFault(found, name, lineCounter));
  if (issues.length > 0) throw new ConfigError(issues);
  let value: unknown;
  try {
    value = document.toJS();
    // Throws if an anchor contains itself.
    JSON.stringify(value);
  } catch {
    throw fault(
      'refers to an anchor (*name) that does not exist, contains itself or is used too often',
      'Put a value that starts with * in quotes.',
    );
  }
  if (value === null) {
    throw fault('is empty', 'Run `cgs-export init` to write a commented configuration.');
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw fault(
      `must contain settings by name, not ${Array.isArray(value) ? 'a list' : 'a single value'}`,
      'Start with a line such as `store: file:./export`; see cgs-export.example.yml.',
    );
  }
  return value;
}

/** The library's own messages quote the text, which may be a secret. These do not. */
const faultTexts: Partial<Record<YAMLError['code'], readonly [message: string, hint: string]>> = {
  DUPLICATE_KEY: ['this key is a duplicate', 'Keep one of the two lines.'],
  TAB_AS_INDENT: ['this line is indented with a tab', 'Indent with spaces.'],
  BAD_INDENT: [
    'the indentation is wrong, or a bracket before it is not closed',
    'Indent with two spaces, and close every bracket.',
  ],
  MULTIPLE_DOCS: ['a second document starts here', 'Keep one document: remove the --- line.'],
  NON_STRING_KEY: ['a key is not a name', 'Use plain names as keys, such as store.'],
  TAG_RESOLVE_FAILED: ['a value starts with !', 'Put it in quotes.'],
  BAD_SCALAR_START: ['a value starts with a reserved character', 'Put it in quotes.'],
  BAD_DQ_ESCAPE: ['a backslash in double quotes is not valid', 'Use single quotes, or write \\\\.'],
};

function describeFault(fault: YAMLError, name: string, lineCounter: LineCounter): ConfigIssue {
  const { line, col } = lineCounter.linePos(fault.pos[0]);
  const [message, hint] = faultTexts[fault.code] ?? [
    `this is not valid YAML (${fault.code.toLowerCase().replaceAll('_', ' ')})`,
    'Look there for a missing quote, bracket or colon. Put values with special characters in quotes.',
  ];
  return { path: '', message: `${name}:${line}:${col}: ${message}`, hint };
}

type Faults = Pick<ConfigValues, 'issues' | 'unset'>;

/** Names that every object has. They are never settings, and code that looks up a name would find them. */
const builtIn = new Set(['__proto__', 'constructor', 'prototype']);

function fill(value: unknown, path: string, env: Environment, faults: Faults): unknown {
  if (typeof value === 'string') return fillText(value, path, env, faults);
  if (Array.isArray(value)) {
    return value.map((item, index) => fill(item, joinPath(path, String(index)), env, faults));
  }
  if (typeof value !== 'object' || value === null) return value;
  const filled: Record<string, unknown> = {};
  for (const [markedKey, inner] of Object.entries(value)) {
    // Variables in keys are not replaced, only shown as they were written.
    const key = markedKey.replace(marked, '${$1}');
    const keyPath = joinPath(path, showKey(key));
    if (builtIn.has(key)) {
      const hint = 'Remove this line.';
      faults.issues.push({ path: keyPath, message: 'is not a setting', hint });
      continue;
    }
    filled[key] = fill(inner, keyPath, env, faults);
  }
  return filled;
}

function fillText(text: string, path: string, env: Environment, faults: Faults) {
  if (text.replace(marked, '').includes('${')) {
    faults.issues.push({
      path,
      message: 'contains a ${ that does not start a variable',
      hint: 'Write ${NAME} with letters, digits and _. Put a value that really contains ${ into a variable.',
    });
  }
  let isComplete = true;
  const filled = text.replace(marked, (_mark, name: string) => {
    const value = env[name];
    if (value !== undefined) return value;
    isComplete = false;
    const hint = 'Set this environment variable where cgs-export runs.';
    faults.unset.push({ path, message: `the environment variable ${name} is not set`, hint });
    return '';
  });
  return isComplete ? filled : undefined;
}

/** A key as messages may show it. A slip such as `sk:SECRET` turns a secret into a key, so unusual keys are not shown. */
export function showKey(key: string): string {
  return /^(?:[A-Za-z_][A-Za-z_-]{0,23}|\$\{\w+\})$/.test(key) ? key : hideKey(key);
}

export function hideKey(key: string): string {
  return `(a key of ${key.length} characters)`;
}

export function joinPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
