// Responsible for questions about clusters: whole numbers of 64 bits, times of the service, and changes of both.

import { type Asked, count, countIf } from './lake-question.ts';
import {
  type Answer,
  countOf,
  groupBy,
  isoOf,
  listStored,
  type TrueSnapshot,
  targetOf,
} from './lake-truth.ts';

/** `name`: that of a table or view, with a suffix. */
export function askClusters(
  name: (suffix: string) => string,
  all: readonly TrueSnapshot[],
): Asked[] {
  return [...askValues(name(''), all), askChangedClusters(name('_changes'), all)];
}

function askValues(from: string, all: readonly TrueSnapshot[]): Asked[] {
  const rows = listStored(all);
  const columns = [
    ...['total_nodes_number', 'active_nodes_number', 'risk_assess_num', 'sec_comp_num'],
    'creation_timestamp',
  ];
  const valuesOf = (names: readonly string[]) => ({
    sql: `SELECT region, project_id, dt, id, ${names.join(', ')} FROM ${from}`,
    rows: rows.map(({ one, row }) => [
      ...[...targetOf(one), isoOf(one.served.timeMs).slice(0, 10), row.id ?? null],
      ...names.map((column) => row[column] ?? null),
    ]),
  });
  // 2^53 and 2^53 + 1 are the same double.
  const isNumber = (value: string) => `total_nodes_number = ${value}`;
  const hasNumber = (value: string) =>
    rows.filter(({ row }) => String(row.total_nodes_number) === value);
  const [even, odd, most] = [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n].map(String) as [
    string,
    string,
    string,
  ];
  return [
    { name: 'whole numbers and times of the service', ...valuesOf(columns) },
    { name: 'times around 1970', ...valuesOf(['last_scan_time']), needsTimes: true },
    {
      name: 'probe by a number that no double has',
      sql: `SELECT region, ${count} FROM ${from} WHERE ${isNumber(odd)} GROUP BY region`,
      rows: groupBy(
        hasNumber(odd),
        ({ one }) => [one.served.target.region],
        (group) => [group.length],
      ),
    },
    {
      name: 'extremes, neighbours and nulls',
      sql: `SELECT min(total_nodes_number), max(total_nodes_number), ${[even, odd, most].map((value) => countIf(isNumber(value))).join(', ')}, ${countIf('total_nodes_number IS NULL')}, ${countIf('sec_comp_num IS NULL')}, ${countIf("version = ''")}, ${countIf('version IS NULL')} FROM ${from}`,
      rows: [
        [
          ...[String(-(2n ** 63n)), most],
          ...[even, odd, most].map((value) => hasNumber(value).length),
          countOf(rows, ({ row }) => row.total_nodes_number === null),
          countOf(rows, ({ row }) => row.sec_comp_num === null),
          countOf(rows, ({ row }) => row.version === ''),
          countOf(rows, ({ row }) => row.version === null),
        ],
      ],
    },
  ];
}

/** With the JSON of what changed, in which numbers have all their digits. */
function askChangedClusters(from: string, all: readonly TrueSnapshot[]): Asked {
  const quoted = ['status', 'agent_ds_install_status'];
  const toText = (name: string, value: Answer) =>
    `${JSON.stringify(name)}:${quoted.includes(name) ? JSON.stringify(value) : value}`;
  return {
    name: 'what changed of clusters',
    sql: `SELECT id, cluster_name, dt, prj, changed_columns, status_before, status, agent_ds_install_status_before, agent_ds_install_status, before, after FROM ${from} WHERE change = 'changed'`,
    rows: all.flatMap((one) =>
      (one.changes ?? [])
        .filter(({ change }) => change === 'changed')
        .map(({ key, columns, before, after }) => [
          ...[key, after?.cluster_name ?? null, isoOf(one.served.timeMs).slice(0, 10)],
          ...[one.served.target.projectId, JSON.stringify(columns)],
          ...quoted.flatMap((name) => [before?.[name] ?? null, after?.[name] ?? null]),
          ...[before, after].map(
            (row) => `{${columns.map((name) => toText(name, row?.[name] ?? null)).join(',')}}`,
          ),
        ]),
    ),
  };
}
