/** Deletes that try every key before they fail. */

import { isError, ReplicationError, type FileFailure } from '../error.ts';

/** Deletes a list in parts, `atOnce` in parallel. Throws only an abort's reason, REPLICA_CLOSED, or an error without a code. */
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

/** The same error with `failures`, which a simple client omits. */
export function withFailures(error: unknown, keys: readonly string[]): unknown {
  if (!isError(error) || error.failures !== undefined || error.code === 'REPLICA_CLOSED')
    return error;
  const { code, message, cause, status, retryAfterMs, isNew } = error;
  const failures = keys.map((file) => ({ file, code, message }));
  return new ReplicationError(code, message, { cause, status, retryAfterMs, isNew, failures });
}

/** The error of a delete that failed for some keys. */
export function deleteError(what: string, failures: readonly FileFailure[]): ReplicationError {
  const [first] = failures;
  const reason = (first?.message ?? '').replace(`${what}: `, '');
  const message = `${what}: ${failures.length} may still be there; ${first?.file}: ${reason}`;
  return new ReplicationError(first?.code ?? 'REPLICA_UNKNOWN', message, { failures });
}
