// Measures how many requests more than a quiet list a list needs that drifts while it is read: seeded histories, pages of 200.
// Run: npm run bench:drift

import {
  createDriftingList,
  type Drifting,
  type DriftingHistory,
} from '../reading/drifting-list.ts';
import { readList } from '../reading/read-list.ts';

const limit = 200;
const histories = 400;

interface Case {
  title: string;
  drifting: Drifting;
  place: DriftingHistory['place'];
  size?: number;
  count?: number;
}

const cases: readonly Case[] = [
  { title: 'nothing', drifting: 'quiet', place: 'anywhere' },
  { title: '1–10 single rows in the run', drifting: 'single', place: 'anywhere' },
  { title: '1–5 rows before each page', drifting: 'rows', place: 'anywhere' },
  { title: '1–5 rows before each page, at the front', drifting: 'rows', place: 'front' },
  { title: 'only deletions', drifting: 'deletes', place: 'anywhere' },
  { title: 'only deletions, at the front', drifting: 'deletes', place: 'front' },
  { title: 'only inserts', drifting: 'inserts', place: 'anywhere' },
  { title: 'as many inserts as deletions', drifting: 'swaps', place: 'anywhere' },
  { title: 'blocks of up to 250 rows', drifting: 'blocks', place: 'anywhere' },
  { title: 'blocks at the end', drifting: 'blocks', place: 'end' },
  {
    title: 'blocks at the end, 20,000 nodes',
    drifting: 'blocks',
    place: 'end',
    size: 20_000,
    count: 100,
  },
  {
    title: '1–5 rows, 100,000 nodes',
    drifting: 'rows',
    place: 'anywhere',
    size: 100_000,
    count: 10,
  },
];

console.log(`| What changes | Requests more, mean | 95 % of runs | Runs with a second pass |
|---|---:|---:|---:|`);
for (const { title, drifting, place, size = 4_321, count = histories } of cases) {
  const more: number[] = [];
  let again = 0;
  for (let seed = 1; seed <= count; seed += 1) {
    const list = createDriftingList({ seed, limit, size, drifting, place });
    const outcome = readList((offset) => list.answer(offset), { limit, offsetMax: 2_000_000 });
    if (list.missing(outcome.read).length > 0) throw new Error(`${title}: seed ${seed} lost a row`);
    more.push(outcome.firstPassRequests - Math.max(1, Math.ceil((list.size - 1) / (limit - 1))));
    if (outcome.passes > 1) again += 1;
  }
  more.sort((a, b) => a - b);
  const mean = more.reduce((sum, requests) => sum + requests, 0) / count;
  const p95 = more[Math.floor(count * 0.95)];
  console.log(
    `| ${title} | ${mean.toFixed(2)} | ${p95} | ${Math.round((100 * again) / count)} % |`,
  );
}
