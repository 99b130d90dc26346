/** Deletes that try all keys before they fail. */

import { isError, ReplicationError, type FileFailure } from '../error.ts';

/** Deletes parts of a list, some at once. Throws only an abort's reason, or what is no error of ours. */
export async function deleteEach(
  parts: readonly (readonly string[])[],
  atOnce: number,
  signal: AbortSignal | undefined,
  remove: (keys: readonly string[]) => Promise<void>,
): Promise<FileFailure[]> {
  const failures: FileFailure[] = [];
  const queue = parts.values();
  const worker = async (): Promise<void> => {
    for (const keys of queue) {
      signal?.throwIfAborted();
      try {
        await remove(keys);
      } catch (error) {
        if (signal?.aborted === true || !isError(error) || error.code === 'REPLICA_CLOSED') {
          throw error;
        }
        const { code, message } = error;
        failures.push(...(error.failures ?? keys.map((file) => ({ file, code, message }))));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, parts.length) }, worker));
  return failures;
}

/** The same error with its `failures`, which a client of few words leaves out. */
export function namingKeys(error: unknown, keys: readonly string[]): unknown {
  if (!isError(error) || error.failures !== undefined || error.code === 'REPLICA_CLOSED')
    return error;
  const { code, message, cause, status, retryAfterMs, isNew } = error;
  const failures = keys.map((file) => ({ file, code, message }));
  return new ReplicationError(code, message, { cause, status, retryAfterMs, isNew, failures });
}

/** The error of a delete that left something behind. */
export function deleteError(what: string, failures: readonly FileFailure[]): ReplicationError {
  const [first] = failures;
  const said = (first?.message ?? '').replace(`${what}: `, '');
  const message = `${what}: ${failures.length} may still be there; ${first?.file}: ${said}`;
  return new ReplicationError(first?.code ?? 'REPLICA_UNKNOWN', message, { failures });
}
