// Responsible for the progress of running work: what is done, the rate, the time left, and the line that shows them.

import type { Quota } from '../quota/window.ts';
import { requestsFor } from '../runs/cost.ts';
import type { ProgressEvent } from '../runs/progress-event.ts';
import { escapeControls, formatCount, formatDuration } from './format.ts';

export interface ProgressState {
  /** What is worked on. Empty: not known yet. */
  label: string;
  unit: 'nodes' | 'rows' | 'manifests' | 'parts' | 'snapshots' | 'targets';
  done: number;
  /** Null: not known yet. */
  total: number | null;
  /** Null: not known yet. */
  perSecond: number | null;
  /** Milliseconds until the last page is read. Null: not known. */
  leftMs: number | null;
  /** The wait that is going on. Null: none. `text`: with `leftMs` in it. `short`: the same in fewer words. */
  wait: { leftMs: number; text: string; short: string } | null;
  /** Anything else to show. Empty: nothing. */
  note: string;
}

const waitReasons: Readonly<Record<string, string>> = {
  quota: 'for the quota',
  throttled: 'for the quota, which another client uses too',
  contention: 'for another exporter to reserve quota',
  lease: 'for another exporter to finish',
  seal: 'for another run of this target to seal its snapshot',
};

type WaitEvent = Extract<ProgressEvent, { kind: 'wait' | 'retry' }>;

/** `for the quota` */
export function describeReason(reason: string): string {
  return waitReasons[reason] ?? `for ${reason}`;
}

export function describeWait(event: WaitEvent, leftMs: number): ProgressState['wait'] {
  const left = formatDuration(leftMs);
  if (event.kind === 'wait') {
    const short = `waiting ${left}`;
    return {
      leftMs,
      short,
      text: `${short} ${describeReason(event.reason)}`,
    };
  }
  const short = `retry ${event.nextTry} of ${event.triesMax} in ${left}`;
  return { leftMs, short, text: `${short}: ${event.cause}` };
}

/** Follows the events of an export. `nowMs` must not step back. `pageLimit`: most rows per page. */
// Long because: one state, and the three functions that share it.
export function createTracker(quota: Quota, pageLimit: number) {
  let label = '';
  let note = '';
  let done = 0;
  let total: number | null = null;
  /** One pass over one list. The rate is measured within it. */
  let pass = { name: '', startDone: 0, startMs: 0 };
  let waiting: { untilMs: number; event: WaitEvent } | null = null;
  /** When the pages of the last quota window were read, ascending. */
  let pagesMs: number[] = [];
  const inWindow = (nowMs: number) => pagesMs.filter((timeMs) => timeMs > nowMs - quota.windowMs);

  function observePage(event: Extract<ProgressEvent, { kind: 'page' }>, nowMs: number): void {
    const name = `${event.target.projectId} ${label} ${event.snapshot} ${event.pass}`;
    if (name !== pass.name) pass = { name, startDone: event.rows, startMs: nowMs };
    done = event.rows;
    total = event.total;
    note = event.pass > 1 ? `reading the list again (pass ${event.pass})` : '';
    pagesMs = [...inWindow(nowMs), nowMs];
  }

  /** Milliseconds until the last page is read. `waitMs`: until the next request may leave; null: it may leave now. */
  function estimateLeftMs(nowMs: number, perSecond: number | null, waitMs: number | null) {
    if (total === null) return null;
    const rowsLeft = Math.max(0, total - done);
    const byRateMs = perSecond === null ? 0 : (rowsLeft / perSecond) * 1_000;
    const requests = rowsLeft === 0 ? 0 : requestsFor(rowsLeft + 1, pageLimit);
    const sentMs = inWindow(nowMs);
    const free = waitMs === null ? Math.max(0, quota.requests - sentMs.length) : 0;
    // The requests that are still free in this window are sent at once, so only the rate limits them.
    if (requests <= free) return perSecond === null ? null : byRateMs;
    const nextMs = waitMs ?? Math.max(0, (sentMs[0] ?? nowMs) + quota.windowMs - nowMs);
    const windows = Math.ceil((requests - free) / quota.requests);
    return Math.max(nextMs + (windows - 1) * quota.windowMs, byRateMs);
  }

  return {
    observe(event: ProgressEvent, nowMs: number): void {
      if (event.kind === 'wait' || event.kind === 'retry') {
        waiting = { untilMs: nowMs + event.delayMs, event };
        return;
      }
      waiting = null;
      label = `${event.account} ${event.target.table} ${event.target.region}`;
      if (event.kind === 'page') observePage(event, nowMs);
      if (event.kind === 'seal') note = 'sealing';
      if (event.kind === 'sealed') {
        note = event.verdict;
        done = event.rows;
        total = event.rows;
      }
    },
    /** Null: there is nothing to show. */
    stateAt(nowMs: number): ProgressState | null {
      const elapsedMs = nowMs - pass.startMs;
      const gained = pass.name === '' ? 0 : done - pass.startDone;
      const perSecond = gained > 0 && elapsedMs > 0 ? (gained / elapsedMs) * 1_000 : null;
      const waitMs = waiting === null ? null : Math.max(0, waiting.untilMs - nowMs);
      const wait = waiting && waitMs ? describeWait(waiting.event, waitMs) : null;
      if (label === '' && wait === null) return null;
      const leftMs = note === 'sealing' ? null : estimateLeftMs(nowMs, perSecond, waitMs);
      return { label, unit: 'rows', done, total, perSecond, leftMs, wait, note };
    },
  };
}

const barCharsMax = 28;
const barCharsMin = 8;

/** Always shorter than `columns`, because a full line would wrap. */
export function renderProgress(state: ProgressState, columns: number): string {
  const width = Math.max(1, columns - 1);
  const { done, total } = state;
  const share = total === null || total === 0 ? null : Math.min(1, done / total);
  const texts = listTexts(state, share);
  const longestWithin = (chars: number) => texts.find((candidate) => candidate.length <= chars);
  const besideBar = share === null ? undefined : longestWithin(width - barCharsMin - 1);
  const text = besideBar ?? longestWithin(width) ?? texts.at(-1)?.slice(0, width) ?? '';
  const room = Math.min(barCharsMax, width - text.length - 1);
  if (share === null || room < barCharsMin) return text;
  const full = Math.floor(share * room);
  return `${'█'.repeat(full)}${'░'.repeat(room - full)} ${text}`;
}

/** The same state in fewer and fewer words. */
function listTexts(state: ProgressState, share: number | null): string[] {
  const { label, unit, done, total, perSecond, leftMs, wait, note } = state;
  const count = total === null ? '' : `${formatCount(done)}/${formatCount(total)} ${unit}`;
  const percent = share === null ? '' : `${Math.floor(share * 100)} %`;
  const rate = perSecond === null ? '' : formatRate(perSecond);
  const left = leftMs === null || leftMs <= 0 ? '' : `${formatDuration(leftMs)} left`;
  const { short: shortWait, text: longWait } = wait ?? { short: '', text: '' };
  return [
    [label, count, percent, rate, left, note, longWait],
    [label, count, percent, left, note, longWait],
    [count, percent, left, note, longWait],
    [count, percent, left, shortWait],
    [count, left, shortWait],
    [count, shortWait],
    [count || shortWait || label],
  ].map((parts) => escapeControls(parts.filter((part) => part !== '').join(' · ')));
}

function formatRate(perSecond: number): string {
  if (perSecond >= 10) return `${formatCount(Math.round(perSecond))}/s`;
  return `${formatCount(Math.round(perSecond * 60))}/min`;
}
