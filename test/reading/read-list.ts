import {
  type Cursor,
  decidePage,
  judgePass,
  type PassEvidence,
  startPass,
  trackPass,
} from '../../lib/reading/paging.ts';
import { createMovingList, type History } from '../support/moving-list.ts';

export const limits = { limit: 5, offsetMax: 10_000, noun: 'container nodes' };

export interface Outcome {
  verdict: 'complete' | 'drifted';
  read: Set<string>;
  requests: number;
  passes: number;
}

function item(id: string) {
  return { key: id, mark: `key:${id}` };
}

/** The loop of runs/run.ts without its side effects. `forget`: as a process that must read its pages back for each request. */
export function readList(
  answer: (offset: number) => { totalNum: number; ids: readonly string[] },
  options: { forget?: boolean } = {},
): Outcome {
  const read = new Set<string>();
  let requests = 0;
  let before: PassEvidence | null = null;
  for (let number = 1; ; number += 1) {
    let cursor: Cursor = startPass(number);
    const readBefore = new Set(read);
    const pages: { items: ReturnType<typeof item>[]; from: 'start' | 'anchor' | 'overlap' }[] = [];
    const replay = () => {
      const pass = trackPass();
      for (const page of pages) pass.addPage(page.items, page.from);
      return pass;
    };
    const pass = trackPass();
    for (let ended = false; !ended; ) {
      const { totalNum, ids } = answer(cursor.offset);
      requests += 1;
      if (requests > 20_000) throw new Error('does not end');
      const items = ids.map(item);
      const known = options.forget ? replay().known : pass.known;
      const first = decidePage(cursor, { totalNum, items }, limits, null);
      const step =
        first === 'needsKnown' ? decidePage(cursor, { totalNum, items }, limits, known) : first;
      if (step === 'needsKnown') throw new Error('asked for the known rows twice');
      cursor = step.cursor;
      if (step.kind === 'giveUp') break;
      if (step.kind === 'stepBack') continue;
      pass.addPage(items, step.from);
      pages.push({ items, from: step.from });
      for (const id of ids) read.add(id);
      ended = step.ended;
    }
    const evidence = (options.forget ? replay() : pass).evidence(cursor, readBefore);
    const verdict = judgePass(number, evidence, before);
    if (verdict !== 'again') return { verdict, read, requests, passes: number };
    before = evidence;
  }
}

export function readMoving(history: History, options: { forget?: boolean } = {}) {
  const list = createMovingList(history);
  const outcome = readList((offset) => {
    list.step();
    list.answered();
    const ids = list.ids().slice(offset, offset + limits.limit);
    return { totalNum: list.ids().length, ids };
  }, options);
  const missing = [...list.survivors()].filter((id) => !outcome.read.has(id));
  return { ...outcome, missing, moved: list.moved() };
}
