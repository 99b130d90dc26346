/** A client as the engine uses it: all policies around it, in their order, with one limit for all calls. */

import type { ReplicaClient } from '../client.ts';
import { Semaphore } from '../semaphore.ts';
import { CALLS_MAX, retryPolicy, type RetryPolicy } from './attempts.ts';
import { checked } from './checked.ts';
import { complete } from './complete.ts';
import { settleConflicts } from './conflict.ts';
import { retry } from './retry.ts';

export interface PolicyOptions extends Partial<Omit<RetryPolicy, 'slots'>> {
  /** Calls on their way at once, for all replicas together. Default CALLS_MAX. */
  readonly callsMax?: number | undefined;
}

export interface PolicedClients {
  readonly client: ReplicaClient;
  /** The same, but a conflict is reported as it is, even where our own bytes lie there. */
  readonly unsettled: ReplicaClient;
}

export function withPolicies(
  bare: ReplicaClient,
  { callsMax = CALLS_MAX, ...options }: PolicyOptions = {},
): PolicedClients {
  const policy = retryPolicy({ ...options, slots: new Semaphore(callsMax) });
  const unsettled = checked(retry(complete(bare), policy), { clock: policy.clock });
  return { client: settleConflicts(unsettled), unsettled };
}
