// Owns what is told of work under way: done, rate, time left, waits, and the one line that shows it. Refuses the terminal.

import type { Quota } from '../quota/window.ts';
import { requestsFor } from '../runs/cost.ts';
import type { Progress } from '../runs/progress-event.ts';

export type ProgressEvent = Parameters<Progress>[0];

/** What a line shows. */
export interface ProgressState {
  label: string;
  unit: 'nodes' | 'parts';
  done: number;
  /** Null: not known yet. */
  total: number | null;
  /** Null: not known yet. */
  perSecond: number | null;
  /** Until the last page is there, milliseconds; null: not known. */
  leftMs: number | null;
  /** Milliseconds still to wait, and for what; null: not waiting. */
  wait: { leftMs: number; reason: string } | null;
  /** Anything else worth a word; empty if there is none. */
  note: string;
}

export interface Tracker {
  observe(event: ProgressEvent, nowMs: number): void;
  /** Null: there is nothing to show. */
  stateAt(nowMs: number): ProgressState | null;
}

const waitReasons: Readonly<Record<string, string>> = {
  quota: 'for the quota',
  throttled: 'for the quota, which somebody else uses too',
  contention: 'for another exporter to reserve',
  lease: 'for another exporter to end',
};

/** `nowMs` never steps back. `limit`: rows a page. */
export function createTracker(quota: Quota, limit: number): Tracker {
  let label = '';
  let note = '';
  let series = '';
  let done = 0;
  let total: number | null = null;
  let first: { done: number; atMs: number } | null = null;
  let waiting: { untilMs: number; reason: string } | null = null;
  /** Of the last window, ascending: what of the quota is used. */
  let pagesMs: number[] = [];

  /** As the quota allows, which comes in lots, and no faster than so far. */
  function estimateLeftMs(nowMs: number, perSecond: number | null): number | null {
    if (total === null) return null;
    const rows = Math.max(0, total - done);
    const byRateMs = perSecond === null || perSecond === 0 ? 0 : (rows / perSecond) * 1_000;
    const requests = rows === 0 ? 0 : requestsFor(rows + 1, limit);
    const live = pagesMs.filter((timeMs) => timeMs > nowMs - quota.windowMs);
    const spare = waiting ? 0 : Math.max(0, quota.requests - live.length);
    // What fits into the window that is open goes at once; its pace tells how fast, once there is one.
    if (requests <= spare) return perSecond === null ? null : Math.min(byRateMs, quota.windowMs);
    const nextMs = waiting
      ? Math.max(0, waiting.untilMs - nowMs)
      : Math.max(0, (live[0] ?? nowMs) + quota.windowMs - nowMs);
    const lots = Math.ceil((requests - spare) / quota.requests);
    return Math.max(nextMs + (lots - 1) * quota.windowMs, byRateMs);
  }

  return {
    observe(event, nowMs) {
      if (event.kind === 'wait') {
        waiting = { untilMs: nowMs + event.delayMs, reason: event.reason };
        return;
      }
      waiting = null;
      label = `${event.target.table} ${event.target.region}`;
      if (event.kind === 'run') return;
      if (event.kind === 'page') {
        const name = `${event.target.projectId} ${label} ${event.snapshot} ${event.pass}`;
        if (name !== series) first = { done: event.rows, atMs: nowMs };
        series = name;
        done = event.rows;
        total = event.total;
        note = event.pass > 1 ? `reading the list once more (${event.pass})` : '';
        pagesMs = [...pagesMs.filter((timeMs) => timeMs > nowMs - quota.windowMs), nowMs];
      } else {
        note = event.kind === 'seal' ? 'sealing' : event.verdict;
        if (event.kind === 'sealed') {
          done = event.rows;
          total = event.rows;
        }
      }
    },
    stateAt(nowMs) {
      const elapsedMs = first === null ? 0 : nowMs - first.atMs;
      const gained = first === null ? 0 : done - first.done;
      const perSecond = gained > 0 && elapsedMs > 0 ? (gained / elapsedMs) * 1_000 : null;
      const waitMs = waiting === null ? 0 : waiting.untilMs - nowMs;
      const wait =
        waiting === null || waitMs <= 0
          ? null
          : { leftMs: waitMs, reason: waitReasons[waiting.reason] ?? `for ${waiting.reason}` };
      if (label === '' && wait === null) return null;
      const leftMs = note === 'sealing' ? null : estimateLeftMs(nowMs, perSecond);
      return { label, unit: 'nodes', done, total, perSecond, leftMs, wait, note };
    },
  };
}

const barMax = 28;
const barMin = 8;

/** Never as wide as `columns`: a full line would wrap. */
export function renderProgress(state: ProgressState, columns: number): string {
  const width = Math.max(1, columns - 1);
  const { label, unit, done, total, perSecond, leftMs, wait, note } = state;
  const share = total === null || total === 0 ? null : Math.min(1, done / total);
  const count = total === null ? '' : `${formatCount(done)}/${formatCount(total)} ${unit}`;
  const percent = share === null ? '' : `${Math.floor(share * 100)} %`;
  const rate = perSecond === null ? '' : formatRate(perSecond);
  const left = leftMs === null || leftMs <= 0 ? '' : `${formatDuration(leftMs)} left`;
  const waits = wait ? `waiting ${formatDuration(wait.leftMs)} ${wait.reason}` : '';
  const shortWait = wait ? `waiting ${formatDuration(wait.leftMs)}` : '';
  // From the richest to the poorest: what a narrow line loses first matters least.
  const texts = [
    [label, count, percent, rate, left, note, waits],
    [label, count, percent, left, note, waits],
    [count, percent, left, note, waits],
    [count, percent, left, shortWait],
    [count, left, shortWait],
    [count, shortWait],
    [count || shortWait || label],
  ].map((parts) => parts.filter((part) => part !== '').join(' · '));
  // A bar before a label: it is what is looked at. Where neither fits beside the words, the words alone.
  const besideBar = share === null ? width : width - barMin - 1;
  const fitting = (room: number) => texts.slice(0, 4).find((candidate) => candidate.length <= room);
  const text =
    fitting(besideBar) ??
    texts.find((candidate) => candidate.length <= width) ??
    texts.at(-1) ??
    '';
  const room = width - text.length - 1;
  const bar = share !== null && room >= barMin ? `${drawBar(share, Math.min(barMax, room))} ` : '';
  return `${bar}${text}`.slice(0, width);
}

function drawBar(share: number, width: number): string {
  const full = Math.floor(share * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

function formatRate(perSecond: number): string {
  if (perSecond >= 10) return `${formatCount(Math.round(perSecond))}/s`;
  return `${formatCount(Math.round(perSecond * 60))}/min`;
}

/** Rounded up: a wait is not over early. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
