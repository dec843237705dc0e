// Responsible for reading a list in tests as a run does: the loop of lib/runs/run.ts without its side effects.

import { createKeyTable, hashText } from '../../lib/reading/key-table.ts';
import {
  type Cursor,
  decidePage,
  isAtRest,
  judgePass,
  type ListSeen,
  type PassEvidence,
  startPass,
  trackPass,
} from '../../lib/reading/paging.ts';
import type { Join } from '../../lib/reading/sequence.ts';
import { createMovingList, type History } from '../support/moving-list.ts';

export const limits = { limit: 5, offsetMax: 10_000, noun: 'container nodes' };

/** One response. A null id is a record without a key. */
export interface Answer {
  totalNum: number;
  ids: readonly (string | null)[];
}

export interface Outcome {
  verdict: 'complete' | 'drifted';
  read: Set<string>;
  requests: number;
  passes: number;
  /** Of the last pass. */
  evidence: PassEvidence;
  atRest: boolean;
  /** Every accepted page. */
  pages: { offset: number; ids: Answer['ids']; pass: number; from: Join }[];
}

interface Options {
  /** True: as a process that must read its pages back for each request. */
  forget?: boolean;
  limit?: number;
}

const toItem = (id: string | null) => ({ key: id, mark: id === null ? 'verbatim' : `key:${id}` });

export function readList(answer: (offset: number) => Answer, options: Options = {}): Outcome {
  const bounds = { ...limits, limit: options.limit ?? limits.limit };
  const pages: Outcome['pages'] = [];
  const read = new Set<string>();
  let requests = 0;
  let before: PassEvidence | null = null;
  let seen: ListSeen | undefined;
  for (let number = 1; ; number += 1) {
    let cursor: Cursor = startPass(number, seen);
    const readBefore = createKeyTable();
    for (const id of read) readBefore.add(hashText(id));
    const replay = () => {
      const pass = trackPass();
      for (const page of pages) {
        if (page.pass === number) pass.addPage(page.ids.map(toItem), page.from);
      }
      return pass;
    };
    const pass = trackPass();
    for (let ended = false; !ended; ) {
      const { totalNum, ids } = answer(cursor.offset);
      requests += 1;
      if (requests > 20_000) throw new Error('does not end');
      const view = { totalNum, items: ids.map(toItem) };
      const known = options.forget ? replay().known : pass.known;
      const first = decidePage(cursor, view, bounds, null);
      const step = first === 'needsKnown' ? decidePage(cursor, view, bounds, known) : first;
      if (step === 'needsKnown') throw new Error('asked for the known rows twice');
      const { offset } = cursor;
      cursor = step.cursor;
      if (step.kind === 'giveUp') break;
      if (step.kind === 'stepBack') continue;
      pass.addPage(view.items, step.from);
      pages.push({ offset, ids, pass: number, from: step.from });
      for (const id of ids) if (id !== null) read.add(id);
      ended = step.ended;
    }
    const evidence = (options.forget ? replay() : pass).evidence(cursor, readBefore);
    const verdict = judgePass(number, evidence, before);
    if (verdict !== 'again') {
      const atRest = isAtRest(evidence, before);
      return { verdict, read, requests, passes: number, evidence, atRest, pages };
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
