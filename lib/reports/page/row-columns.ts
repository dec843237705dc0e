// Responsible for the columns of the tables that can be sorted: what a cell shows and by what a column is sorted. Pure. The server
// and the script of the page share it.

import type { NodeAtEnd, ShownChange, SinceTime, TargetName } from '../figures.ts';
import type { TextKey } from './strings-en.ts';
import { formatText, formatTime, type Language, showName } from './texts.ts';

/** `main` is a word of the page, or text of the data, which can have another direction than the page. */
export interface Cell {
  main: string;
  isData?: boolean;
  /** A second line. */
  detail?: string;
}

export interface RowColumn<Row> {
  name: string;
  title: TextKey;
  /** A time does not break into lines. Names of nodes and targets break anywhere. */
  kind?: 'time' | 'name' | 'target' | 'status';
  /** Undefined is sorted last. */
  value(row: Row): string | number | undefined;
  cell(row: Row, language: Language): Cell;
}

export type Table = 'nodes' | 'changes';
export interface TableRows {
  nodes: NodeAtEnd;
  changes: ShownChange;
}

/** Those of docs/design/chinese-terms.md. */
const statusWords: Record<string, string> = {
  online: '在线',
  offline: '离线',
  not_installed: '未安装',
  not_register: '未注册',
  installed: '已安装',
  installing: '安装中',
  install_failed: '安装失败',
  opened: '开启',
  closed: '关闭',
};

/** The value of the service; in Chinese it is below the word of the API reference. */
function showStatus(status: string | null, language: Language): Cell {
  if (status === null) return { main: formatText(language, 'noValue') };
  const word = language === 'zh' ? statusWords[status] : undefined;
  return word ? { main: word, detail: status } : { main: showName(status), isData: true };
}

/** The table only if it is not that of the nodes. */
export function showTarget({ account, table, region, projectId }: TargetName): Cell {
  const parts = [account, ...(table === 'container_nodes' ? [] : [table]), region];
  return { main: parts.map(showName).join(' / '), isData: true, detail: showName(projectId) };
}

function showNode(
  { hostName, hostId }: { hostName: string | null; hostId: string },
  language: Language,
): Cell {
  const detail = showName(hostId);
  return hostName === null
    ? { main: formatText(language, 'noName'), detail }
    : { main: showName(hostName), isData: true, detail };
}

function showChangedNode(row: ShownChange, language: Language): Cell {
  const cell = showNode(row, language);
  if (row.hostNameBefore === undefined) return cell;
  const before = showNode({ ...row, hostName: row.hostNameBefore }, language);
  return { ...cell, main: `${before.main} → ${cell.main}`, isData: true };
}

function describeSince(name: 'unprotected' | 'offline', title: TextKey): RowColumn<NodeAtEnd> {
  return {
    name: `${name}Since`,
    title,
    kind: 'time',
    value: (row) => row[name]?.since ?? undefined,
    cell(row, language) {
      const found = row[name];
      if (found === null) return { main: '' };
      if (found.since === null) return { main: formatText(language, 'notKnown') };
      const { onOrBefore } = found;
      const time = formatTime(found.since);
      const detail = describeDays(found, language);
      return {
        main: onOrBefore ? formatText(language, 'onOrBefore', [time]) : time,
        ...(detail === null ? {} : { detail }),
      };
    },
  };
}

/** Null: nothing to say, as “at least 0 days”. */
function describeDays({ days, onOrBefore }: SinceTime, language: Language): string | null {
  if (days === null) return null;
  const rounded = Math.floor(Math.round(days * 100) / 10) / 10;
  if (rounded > 0) {
    return formatText(language, onOrBefore ? 'atLeastDays' : 'forDays', [rounded]);
  }
  return onOrBefore ? null : formatText(language, 'underDays', [0.1]);
}

const targetText = (row: TargetName) =>
  [row.account, row.table, row.region, row.projectId].join(' ');

const nodeColumns: RowColumn<NodeAtEnd>[] = [
  {
    name: 'node',
    title: 'node',
    kind: 'name',
    value: (row) => row.hostName ?? undefined,
    cell: showNode,
  },
  { name: 'target', title: 'target', kind: 'target', value: targetText, cell: showTarget },
  {
    name: 'protection',
    title: 'protection',
    kind: 'status',
    value: (row) => row.protectStatus ?? undefined,
    cell: (row, language) => showStatus(row.protectStatus, language),
  },
  describeSince('unprotected', 'unprotectedSince'),
  {
    name: 'agent',
    title: 'agent',
    kind: 'status',
    value: (row) => row.agentStatus ?? undefined,
    cell: (row, language) => showStatus(row.agentStatus, language),
  },
  describeSince('offline', 'offlineSince'),
];

const changeWords = {
  added: 'changeAdded',
  removed: 'changeRemoved',
  changed: 'changeChanged',
} as const;

/** One value if nothing changed; of an added or removed node, only the side that exists. */
function showPair(
  [before, after]: [string | null, string | null],
  { change }: ShownChange,
  language: Language,
): Cell {
  if (change === 'added' || before === after) return showStatus(after, language);
  if (change === 'removed') return showStatus(before, language);
  const [first, second] = [showStatus(before, language), showStatus(after, language)];
  const main = `${first.main} → ${second.main}`;
  if (first.detail === undefined && second.detail === undefined) return { main, isData: true };
  return {
    main,
    isData: true,
    detail: `${first.detail ?? first.main} → ${second.detail ?? second.main}`,
  };
}

const changeColumns: RowColumn<ShownChange>[] = [
  {
    name: 'time',
    title: 'time',
    kind: 'time',
    value: (row) => row.snapshotAt,
    cell: (row) => ({ main: formatTime(row.snapshotAt) }),
  },
  {
    name: 'node',
    title: 'node',
    kind: 'name',
    value: (row) => row.hostName ?? undefined,
    cell: showChangedNode,
  },
  { name: 'target', title: 'target', kind: 'target', value: targetText, cell: showTarget },
  {
    name: 'change',
    title: 'change',
    value: (row) => row.change,
    cell: (row, language) => ({ main: formatText(language, changeWords[row.change]) }),
  },
  {
    name: 'columns',
    title: 'columns',
    value: (row) => row.columns.join(', ') || undefined,
    cell: (row) => ({ main: showName(row.columns.join(', ')), isData: true }),
  },
  {
    name: 'protection',
    title: 'protection',
    kind: 'status',
    value: (row) => row.protectStatus.join(' '),
    cell: (row, language) => showPair(row.protectStatus, row, language),
  },
  {
    name: 'agent',
    title: 'agent',
    kind: 'status',
    value: (row) => row.agentStatus.join(' '),
    cell: (row, language) => showPair(row.agentStatus, row, language),
  },
];

export const rowColumns: { [Name in Table]: RowColumn<TableRows[Name]>[] } = {
  nodes: nodeColumns,
  changes: changeColumns,
};

/** The choices of the list beside the filter; the first one shows all rows. */
export const rowChoices: {
  [Name in Table]: { title: TextKey; matches(row: TableRows[Name]): boolean }[];
} = {
  nodes: [
    { title: 'reasonAll', matches: () => true },
    { title: 'reasonUnprotected', matches: (row) => row.unprotected !== null },
    { title: 'reasonOffline', matches: (row) => row.offline !== null },
  ],
  changes: [
    { title: 'changeAll', matches: () => true },
    { title: 'changeAdded', matches: (row) => row.change === 'added' },
    { title: 'changeRemoved', matches: (row) => row.change === 'removed' },
    { title: 'changeChanged', matches: (row) => row.change === 'changed' },
  ],
};

/** Rows per page; the first one is also what a page without JavaScript shows. */
export const pageSizes = [20, 50, 100, 500] as const;
