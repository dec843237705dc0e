// Responsible for "did you mean": the known name that is nearest to a mistyped one. A name that is too far is not suggested.

/** Null if none is near: at most one mistake in three letters. Case, `_` and `-` do not count. */
export function suggest(given: string, known: readonly string[]): string | null {
  const wanted = plain(given);
  const near = known
    .map((name) => ({
      name,
      distance: editDistance(wanted, plain(name)),
      distanceMax: Math.max(1, Math.floor(Math.min(wanted.length, name.length) / 3)),
      samePrefix: commonPrefixLength(wanted, plain(name)),
    }))
    .filter(({ distance, distanceMax }) => distance <= distanceMax)
    // Of equally near names, the one that starts more alike: `ofline` is offline, not online.
    .sort((a, b) => a.distance - b.distance || b.samePrefix - a.samePrefix);
  return near[0]?.name ?? null;
}

function commonPrefixLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '').slice(0, 64);
}

/** How many letters must be added, removed or changed. Two letters in the wrong order are one mistake: `stroe`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  let rowBefore: number[] = [];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (rowBefore[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(changed, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    rowBefore = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
