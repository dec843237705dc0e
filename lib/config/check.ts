// Responsible for checking every setting by itself, and for the message and hint of each fault. Not responsible for what
// settings mean together.

import * as v from 'valibot';
import type { ConfigIssue } from '../core/errors.ts';
import type { StoreLocation } from './model.ts';
import { type ConfigShape, configSchema } from './schema.ts';
import { findSetting, listAbove } from './setting-list.ts';
import { suggest } from './suggest.ts';
import { hideKey, joinPath, showKey } from './text.ts';
import { isMapping } from './values.ts';

type DeepPartial<T> = T extends readonly (infer Item)[]
  ? (DeepPartial<Item> | undefined)[]
  : T extends StoreLocation
    ? T
    : T extends object
      ? { [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
      : T;

export interface CheckedShape {
  /** What is valid; the whole configuration if there are no faults. */
  shape: DeepPartial<ConfigShape>;
  issues: ConfigIssue[];
  /** Paths whose values are not in `shape`, because they have a fault. */
  faulty: ReadonlySet<string>;
}

/** `reported`: paths that have a fault already. Their further faults are left out. */
export function checkShape(value: unknown, reported: readonly string[] = []): CheckedShape {
  const result = v.safeParse(configSchema, value, { abortPipeEarly: true });
  const faulty = new Set(reported);
  const issues: ConfigIssue[] = [];
  for (const issue of (result.issues ?? []).flatMap(toConfigIssues)) {
    // The first fault of a value explains the others.
    if (faulty.has(issue.path)) continue;
    faulty.add(issue.path);
    issues.push(issue);
  }
  const shape = (keepValid(result.output, '', faulty) ?? {}) as CheckedShape['shape'];
  return { shape, issues, faulty };
}

type Issue = v.InferIssue<typeof configSchema>;

/** One fault; but for an unknown key, of which valibot reports only the first, one for each of its section. */
function toConfigIssues(issue: Issue): ConfigIssue[] {
  const path = v.getDotPath(issue) ?? '';
  const { message, expected } = issue;
  if (issue.type !== 'strict_object' || expected !== 'never') {
    return [{ path, message, hint: findHint(issue, path) }];
  }
  const places = issue.path ?? [];
  const section = places
    .slice(0, -1)
    .reduce((joined, { key }) => joinPath(joined, String(key)), '');
  const known = findSetting(section)?.names ?? [];
  return Object.keys(places.at(-1)?.input as object)
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: joinPath(section, showUnknownKey(section, name, known)),
      message,
      hint: suggestAmong(known, name, 'Known here'),
    }));
}

/** Under `credentials`, only a misspelled setting is shown: any other key may be a password. */
function showUnknownKey(section: string, name: string, known: readonly string[]): string {
  const isSecretPlace = section.endsWith('credentials') && suggest(name, known) === null;
  return isSecretPlace ? hideKey(name) : showKey(name);
}

/** What to do about the value, then the hint of the setting or of the nearest section that has one. */
function findHint({ type, input, path: places }: Issue, path: string): string {
  const above = listAbove(path);
  const [setting] = above;
  if (type === 'picklist' && setting) return suggestAmong(setting.names, input, 'One of');
  let advice = '';
  let note = '';
  if (type === 'strict_object') advice = `Add ${String(places?.at(-1)?.key)}.`;
  else if (input === null) advice = 'Give it a value, or remove the line.';
  else if (type === 'string' && typeof input === 'number') {
    note = 'Text that looks like a number needs quotes.';
  }
  const hint = above.find((one) => one.hint !== undefined)?.hint ?? '';
  return `${advice} ${hint} ${note}`.trim() || 'See cgs-export.example.yml.';
}

function suggestAmong(names: readonly string[], given: unknown, label: string): string {
  const near = typeof given === 'string' ? suggest(given, names) : null;
  return `${near === null ? '' : `Did you mean "${near}"? `}${label}: ${names.join(', ')}.`;
}

/** A copy without the values that have a fault. A list keeps its length, so that paths stay right. */
function keepValid(value: unknown, path: string, faulty: ReadonlySet<string>): unknown {
  if (faulty.has(path)) return undefined;
  if (Array.isArray(value)) {
    return value.map((item, index) => keepValid(item, joinPath(path, String(index)), faulty));
  }
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, keepValid(inner, joinPath(path, name), faulty)] as const)
      .filter(([, inner]) => inner !== undefined),
  );
}
