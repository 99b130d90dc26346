/** Wraps a client in all policies, in order, with one limit for all calls. */

import type { ReplicaClient } from '../client.ts';
import { Semaphore } from '../semaphore.ts';
import { CALLS_MAX, retryPolicy, type RetryPolicy } from './attempts.ts';
import { checked } from './checked.ts';
import { complete } from './complete.ts';
import { settleConflicts } from './conflict.ts';
import { retry } from './retry.ts';

export interface PolicyOptions extends Partial<Omit<RetryPolicy, 'slots'>> {
  /** Maximum number of concurrent calls, for all replicas together. Default CALLS_MAX. */
  readonly callsMax?: number | undefined;
  /** When it aborts, all calls reject with its reason. */
  readonly broken?: AbortSignal | undefined;
}

export interface PolicedClients {
  readonly client: ReplicaClient;
  /** The same, but it reports every conflict, even with our own bytes. */
  readonly unsettled: ReplicaClient;
}

/** Wraps a client of a backend with checks, retries and a limit on concurrent calls. */
export function withPolicies(
  bare: ReplicaClient,
  { callsMax = CALLS_MAX, broken, ...options }: PolicyOptions = {},
): PolicedClients {
  const policy = retryPolicy({ ...options, slots: new Semaphore(callsMax) });
  const unsettled = checked(retry(complete(bare), policy), { clock: policy.clock, broken });
  return { client: settleConflicts(unsettled), unsettled };
}
