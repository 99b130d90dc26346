/**
 * Asks a running replicator for the state of a database, through its control socket. On a full disk it cannot write its
 * state file, and only its answer tells that from a hang.
 */

import { callControl, type DatabaseStatus } from '@sluice/core';

export type Asked =
  | { readonly kind: 'answered'; readonly state: DatabaseStatus }
  /** There is no answer in time: the process hangs. */
  | { readonly kind: 'silent' }
  /** No socket, no process that listens, no permission, or an older version. */
  | { readonly kind: 'unreachable' };

/** An answer is immediate unless the process hangs. */
const ANSWER_MS_MAX = 2_000;

/** Only an abort makes it throw. */
export async function askReplicator(
  { path: database, metaPath }: { readonly path: string; readonly metaPath: string },
  signal: AbortSignal,
): Promise<Asked> {
  const limit = AbortSignal.timeout(ANSWER_MS_MAX);
  try {
    const answer = await callControl({
      ...{ database, metaPath, command: 'status' },
      timeoutMs: 2 * ANSWER_MS_MAX, // the signal ends it first
      signal: AbortSignal.any([limit, signal]),
    });
    const state = toState(answer);
    return state === undefined ? { kind: 'unreachable' } : { kind: 'answered', state };
  } catch {
    signal.throwIfAborted();
    return { kind: limit.aborted ? 'silent' : 'unreachable' };
  }
}

/** undefined if it is not a state, or was written by an older version. */
export function toState(value: unknown): DatabaseStatus | undefined {
  const state = value as Partial<DatabaseStatus> | null;
  return state?.writer === undefined || state.facts === undefined
    ? undefined
    : (state as DatabaseStatus);
}
