// Responsible for what a report says about the changes of a period: how many, and the newest of them. Pure.

import type { Column, Row } from '../core/ports.ts';
import { formatTime } from '../core/time-text.ts';
import { isOffline, isUnprotected } from '../snapshots/protection.ts';
import {
  type ChangeTotals,
  changesShownMax,
  type ShownChange,
  type TargetName,
} from './figures.ts';
import { openTopList } from './top-list.ts';

export interface ChangeSummary {
  /** What a manifest states: it counts also where the changes themselves cannot be read. */
  addCounts(counts: Pick<ChangeTotals, 'added' | 'removed' | 'changed'>): void;
  /** Rows of the changes of one target. */
  addRows(target: TargetName, rows: readonly Row[]): void;
  figures(): ChangeTotals & { shown: ShownChange[] };
}

/** `columns`: those of a change. */
export function openChangeSummary(columns: readonly Column[]): ChangeSummary {
  const indexOf = (name: string) => columns.findIndex((column) => column.name === name);
  const [at, change] = [indexOf('snapshot_at'), indexOf('change')];
  const [names, before] = [indexOf('changed_columns'), indexOf('before')];
  const [hostId, hostName] = [indexOf('host_id'), indexOf('host_name')];
  const pairOf = (name: string) => [indexOf(`${name}_before`), indexOf(name)] as const;
  const [protect, agent] = [pairOf('protect_status'), pairOf('agent_status')];
  const totals: ChangeTotals = {
    ...{ added: 0, removed: 0, changed: 0 },
    ...{ unprotected: 0, protected: 0, offline: 0, notOffline: 0 },
  };
  const shown = openTopList<{ atMs: number; toShown: () => ShownChange }>(
    changesShownMax,
    (a, b) => b.atMs - a.atMs,
  );

  function countStates(row: Row): void {
    const [wasOpen, isOpen] = protect.map((index) => isUnprotected(row[index] ?? null));
    const [wasOff, isOff] = agent.map((index) => isOffline(row[index] ?? null));
    if (wasOpen !== isOpen) totals[isOpen ? 'unprotected' : 'protected'] += 1;
    if (wasOff !== isOff) totals[isOff ? 'offline' : 'notOffline'] += 1;
  }

  function toShown(target: TargetName, row: Row): ShownChange {
    const text = (index: number) => (row[index] ?? null) as string | null;
    const changed = JSON.parse(text(names) ?? '[]') as string[];
    const isRenamed = changed.includes('host_name');
    return {
      ...target,
      snapshotAt: formatTime(row[at] as number),
      hostId: text(hostId) ?? '',
      hostName: text(hostName),
      change: text(change) as ShownChange['change'],
      ...(isRenamed ? { hostNameBefore: JSON.parse(text(before) ?? '{}').host_name ?? null } : {}),
      columns: changed,
      protectStatus: [text(protect[0]), text(protect[1])],
      agentStatus: [text(agent[0]), text(agent[1])],
    };
  }

  return {
    addCounts({ added, removed, changed }) {
      totals.added += added;
      totals.removed += removed;
      totals.changed += changed;
    },
    addRows(target, rows) {
      for (const row of rows) {
        if (row[change] === 'changed') countStates(row);
        const atMs = row[at] as number;
        const last = shown.last();
        if (last && last.atMs >= atMs) continue;
        shown.add({ atMs, toShown: () => toShown(target, row) });
      }
    },
    figures: () => ({ ...totals, shown: shown.list().map((one) => one.toShown()) }),
  };
}
