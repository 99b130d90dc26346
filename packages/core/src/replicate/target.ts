/** Where a database goes: a destination, named, and how it is reached. */

import type { OpenReplica } from './sending.ts';

export interface ReplicaTarget {
  /** Unique among the database's destinations: for logs, status, metrics. */
  readonly name: string;
  readonly type: string;
  /** For people; holds no secret. */
  readonly target: string;
  /** Connects, once it is needed. Tried again where it fails. The destination's owner closes it. */
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
}
