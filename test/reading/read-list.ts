// Responsible for reading a list in tests as a run does: the loop of lib/runs/run.ts without its side effects.

import {
  decodeCheckpoint,
  encodeCheckpoint,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { createKeyTable, hashText } from '../../lib/reading/key-table.ts';
import type { Item } from '../../lib/reading/page.ts';
import { type Cursor, decidePage, type ListSeen, startPass } from '../../lib/reading/paging.ts';
import {
  isAtRest,
  judgePass,
  type PassEvidence,
  trackPass,
} from '../../lib/reading/pass-evidence.ts';
import type { Join } from '../../lib/reading/sequence.ts';
import { createMovingList, type History } from '../support/moving-list.ts';

export const limits = { limit: 5, offsetMax: 10_000, listed: 'nodes' };

/** One response. An id that is null or starts with `?` is a record without a key; all that are null are equal. */
export interface Answer {
  totalNum: number;
  ids: readonly (string | null)[];
}

export interface Outcome {
  verdict: 'complete' | 'drifted';
  read: Set<string>;
  requests: number;
  firstPassRequests: number;
  passes: number;
  /** Of the last pass. */
  evidence: PassEvidence;
  atRest: boolean;
  /** Every accepted page. */
  pages: { offset: number; ids: Answer['ids']; pass: number; from: Join }[];
}

interface Options {
  /** True: each request is made by another process, which has only the stored checkpoint and pages. */
  forget?: boolean;
  limit?: number;
  offsetMax?: number;
}

function toItem(id: string | null): Item {
  if (id === null) return { key: null, mark: 'verbatim' };
  return id.startsWith('?')
    ? { key: null, mark: `verbatim:${id}` }
    : { key: id, mark: `key:${id}` };
}

const start = startCheckpoint({
  target: { table: 'container_nodes', region: 'cn-south-4', projectId: 'p' },
  dataset: 'container_nodes',
  schemaVersion: 1,
  snapshot: '20261124T060000Z',
  scope: {
    account: 'prod',
    region: 'cn-south-4',
    projectId: 'p',
    api: 'hss',
    endpoint: 'https://hss.example.com',
    enterpriseProjectId: null,
    filters: {},
  },
  startedAtMs: 0,
});

function storeAndLoad(cursor: Cursor): Cursor {
  return decodeCheckpoint('checkpoint', encodeCheckpoint({ ...start, cursor })).cursor;
}

export function readList(answer: (offset: number) => Answer, options: Options = {}): Outcome {
  const { limit = limits.limit, offsetMax = limits.offsetMax, forget = false } = options;
  const bounds = { ...limits, limit, offsetMax };
  const pages: Outcome['pages'] = [];
  const read = new Set<string>();
  let requests = 0;
  let firstPassRequests = 0;
  let before: PassEvidence | null = null;
  let seen: ListSeen | undefined;
  for (let number = 1; ; number += 1) {
    let cursor: Cursor = startPass(number, seen);
    const readBefore = createKeyTable();
    for (const id of read) readBefore.add(hashText(id));
    const replay = () => {
      const pass = trackPass();
      for (const page of pages) {
        if (page.pass === number) pass.addPage(page.ids.map(toItem), page.from, page.offset);
      }
      return pass;
    };
    const pass = trackPass();
    for (let ended = false; !ended; ) {
      const { totalNum, ids } = answer(cursor.offset);
      requests += 1;
      if (requests > 20_000) throw new Error('does not end');
      const view = { totalNum, items: ids.map(toItem) };
      const known = forget ? replay().known : pass.known;
      if (forget) cursor = storeAndLoad(cursor);
      const first = decidePage(cursor, view, bounds, null);
      const step = first === 'needsKnown' ? decidePage(cursor, view, bounds, known) : first;
      if (step === 'needsKnown') throw new Error('asked for the known rows twice');
      const { offset } = cursor;
      cursor = step.cursor;
      if (step.kind === 'giveUp') break;
      if (step.kind === 'stepBack') continue;
      pass.addPage(view.items, step.from, offset);
      pages.push({ offset, ids, pass: number, from: step.from });
      for (const id of ids) if (id !== null) read.add(id);
      ended = step.ended;
    }
    if (number === 1) firstPassRequests = requests;
    const evidence = (forget ? replay() : pass).evidence(cursor, readBefore);
    const verdict = judgePass(number, evidence, before);
    if (verdict !== 'again') {
      const atRest = isAtRest(evidence, before);
      return {
        verdict,
        read,
        requests,
        firstPassRequests,
        passes: number,
        evidence,
        atRest,
        pages,
      };
    }
    before = evidence;
    seen = { ...cursor.seen, fallenPass: evidence.fallen ? cursor.seen.fallenPass : 0 };
  }
}

export function readMoving(history: History, options: Options = {}) {
  const limit = options.limit ?? limits.limit;
  const list = createMovingList(history);
  const outcome = readList((offset) => {
    list.step();
    list.answered();
    const ids = list.ids().slice(offset, offset + limit);
    return { totalNum: list.ids().length, ids };
  }, options);
  const missing = [...list.survivors()].filter((id) => !outcome.read.has(id));
  return { ...outcome, missing, moved: list.moved() };
}
