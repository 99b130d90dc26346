/**
 * Names that are being given or taken away, by this process: by turns. What was begun for a name has
 * ended, even if nobody waits for it any more, before the next thing happens to it; and where a
 * place cannot say "if it is free" in one step, two of our own never ask at once.
 */

const turns = new Map<string, Promise<void>>();

/** `key` is the name's in the whole process: address and path. */
export async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
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
