/**
 * One change of a file name at a time, within this process. A change ends before the next one begins, even
 * if its caller was aborted. So two calls never race on a system without an atomic "create if absent".
 */

const turns = new Map<string, Promise<void>>();

/** Runs `work` after all earlier work with the same key. `key` identifies the file: address and path. */
export async function runExclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = turns.get(key) ?? Promise.resolve();
  const mine = before.then(work);
  const ended = mine.then(
    () => undefined,
    () => undefined,
  );
  turns.set(key, ended);
  try {
    return await mine;
  } finally {
    if (turns.get(key) === ended) turns.delete(key);
  }
}
