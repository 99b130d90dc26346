/** The border where whatever a backend throws becomes one of our errors. */

import { isError, messageOf, ReplicationError } from '../../error.ts';

/** An error of ours as it is; anything else as the cause of one. */
export function named(what: string, error: unknown): unknown {
  if (isError(error)) return error;
  // A broken invariant is no matter of the destination: it must be seen as what it is.
  if (error instanceof TypeError && error.message.startsWith('invariant broken')) return error;
  return new ReplicationError('REPLICA_UNKNOWN', `${what}: ${messageOf(error)}`, { cause: error });
}
