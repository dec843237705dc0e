// Responsible for how many of its cases a long test runs: an eighth of the seeded cases and of the kills, and a quarter of the cases
// in a list. It runs all of them if the environment variable CASES is `all`. `.ci/run` sets it.

const runsAll = process.env.CASES === 'all';

/** For loops over every possible case, as a kill at each call: the distance from one case to the next. */
export const caseStep = runsAll ? 1 : 8;

/** How many of `all` cases to run: at least 5. Also for how often the cases must reach something. */
export function countCases(all: number): number {
  return runsAll ? all : Math.min(all, Math.max(5, Math.ceil(all / caseStep)));
}

/** Each fourth of `all`, from the first one on, or all of them. */
export function someCases<T>(all: readonly T[]): T[] {
  return all.filter((_one, index) => runsAll || index % 4 === 0);
}
