/** Runs work for many items, a few at a time. */

/** Rejects with the first error of `work`. */
export async function eachLimited<Item>(
  items: Iterable<Item>,
  max: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const runner = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: max }, runner));
}

/** The results, in the order of the items. */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  max: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await eachLimited(items.entries(), max, async ([index, item]) => {
    results[index] = await work(item);
  });
  return results;
}
