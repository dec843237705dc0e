// Responsible for doing a few things at a time.

/**
 * Calls `work` for every item, at most `parallelMax` at a time. Returns the results in the order of the items. After an error it
 * starts no further item, waits for those that have started, and throws that error.
 */
export async function mapParallel<T, R>(
  items: readonly T[],
  parallelMax: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  const rest = items.entries();
  const takeItems = async () => {
    for (const [index, item] of rest) {
      if (failures.length > 0) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const workers = Math.min(parallelMax, items.length);
  await Promise.all(Array.from({ length: workers }, takeItems));
  if (failures.length > 0) throw failures[0];
  return results;
}
