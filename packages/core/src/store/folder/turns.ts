/**
 * One change of a name at a time, within this process. A change has ended, even if nobody waits for it any
 * more, before the next one begins; and where a place cannot create a name "if absent" in one step, two
 * calls of ours never ask at once.
 */

const turns = new Map<string, Promise<void>>();

/** `key` names the file within the process: address and path. */
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
