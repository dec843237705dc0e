// Responsible for which nodes the command `nodes` shows. Pure.

import { suggest } from '../config/suggest.ts';
import { configFault } from '../core/errors.ts';
import type { Cell, Column, Row } from '../core/ports.ts';
import { kindColumn } from '../snapshots/host-kinds.ts';
import { isOffline, isUnprotected } from '../snapshots/protection.ts';

export interface NodeFilters {
  unprotected?: boolean;
  offline?: boolean;
  /** `COLUMN=VALUE`, each of which must hold. */
  where?: string[];
}

export type NodeTest = (row: Row) => boolean;

export interface NodeTests {
  isShown: NodeTest;
  isUnprotected: NodeTest;
  isOffline: NodeTest;
  /** Each condition of --where that no row met so far, with the values that occur, if the column has few of them. */
  listUnmet(): { condition: string; values: string[] }[];
  /** The cell of is_container_node. */
  readKind: (row: Row) => Cell;
}

/** A column with more values than this is not one in which a person picks from a list. */
const valuesMax = 12;

/** `columns`: of the rows. Throws ConfigError for a condition that no row could meet because of how it is written. */
export function openNodeTests(columns: readonly Column[], filters: NodeFilters): NodeTests {
  const cellOf = (name: string) => {
    const index = columns.findIndex((column) => column.name === name);
    return (row: Row): Cell => row[index] ?? null;
  };
  const [protection, agent] = [cellOf('protect_status'), cellOf('agent_status')];
  const unprotected: NodeTest = (row) => isUnprotected(protection(row));
  const offline: NodeTest = (row) => isOffline(agent(row));
  const conditions = (filters.where ?? []).map((text) => {
    const { name, value } = readCondition(columns, text);
    return { text, value, cell: cellOf(name), isMet: false, values: new Set<Cell>() };
  });
  const tests = [
    ...(filters.unprotected ? [unprotected] : []),
    ...(filters.offline ? [offline] : []),
    ...conditions.map((condition) => (row: Row) => {
      const cell = condition.cell(row);
      if (cell === condition.value) condition.isMet = true;
      else if (condition.values.size <= valuesMax) condition.values.add(cell);
      return cell === condition.value;
    }),
  ];
  return {
    // Each test sees each row: a condition is met or not whatever the others say.
    isShown: (row) => tests.map((test) => test(row)).every(Boolean),
    isUnprotected: unprotected,
    isOffline: offline,
    listUnmet: () =>
      conditions
        .filter(({ isMet, values }) => !isMet && values.size > 0 && values.size <= valuesMax)
        .map(({ text, values }) => ({ condition: text, values: [...values].map(String).sort() })),
    readKind: cellOf(kindColumn),
  };
}

function readCondition(columns: readonly Column[], text: string): { name: string; value: Cell } {
  const at = text.indexOf('=');
  if (at === -1) {
    const hint = 'Write COLUMN=VALUE, for example --where host_status=ACTIVE.';
    throw configFault('--where', `"${text}" has no =`, hint);
  }
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  const names = columns.map((one) => one.name);
  const column = columns.find((one) => one.name === name);
  if (column) return { name, value: readValue(column, value) };
  const near = suggest(name, names);
  const question = near === null ? '' : `; did you mean "${near}"?`;
  const hint = `Choose one of: ${names.join(', ')}.`;
  throw configFault('--where', `there is no column "${name}"${question}`, hint);
}

const forms = {
  string: /^/,
  boolean: /^(true|false)$/,
  int32: /^-?\d{1,10}$/,
  int64: /^(?:0|-?[1-9]\d{0,18})$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/,
} as const;
const examples = {
  string: '',
  boolean: 'true or false',
  int32: 'a whole number',
  int64: 'a whole number',
  timestamp: 'a time such as 2026-11-24T06:00:00Z',
} as const;

/** `null` in any column means no value. Text is compared as it is stored, and may be empty. */
function readValue({ name, type }: Column, text: string): Cell {
  if (text === 'null') return null;
  const timeMs = type === 'timestamp' ? Date.parse(text) : 0;
  if (!forms[type].test(text) || Number.isNaN(timeMs)) {
    const hint = `Write ${examples[type]}, or null for no value.`;
    throw configFault('--where', `"${text}" cannot be a value of ${name}`, hint);
  }
  if (type === 'boolean') return text === 'true';
  if (type === 'int32') return Number(text);
  return type === 'timestamp' ? timeMs : text;
}
