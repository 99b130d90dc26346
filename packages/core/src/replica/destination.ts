/**
 * A destination as the engine uses it: `checked(settled(beside(retry(ranges(client)))))`, with one limiter for
 * all replicas, whose slots attempts hold, and a close that ends the calls in flight.
 */

import { setMaxListeners } from 'node:events';

import { ReplicationError } from '../error.ts';
import { retryPolicy, type RetryPolicy } from '../store/policy/attempts.ts';
import { CLOSE_MS_MAX, type Destination } from '../store/backend.ts';
import { lookingBeside } from './beside.ts';
import { checked, guard, type CheckOptions } from '../store/policy/checked.ts';
import { checkedObjects } from '../store/policy/checked-objects.ts';
import { Fencing } from './fencing.ts';
import type { AbortableOptions, NamedObjects, ReplicaClient } from '../store/client.ts';
import { inTime } from '../store/timers.ts';
import { settleConflicts, settleObjectConflicts } from '../store/policy/conflict.ts';
import { describeReplica } from './describe.ts';
import { CALLS_MAX, Limiter } from '../store/policy/limit.ts';
import { withObjectRanges, withRanges } from '../store/policy/ranges.ts';
import { retry, retryObjects } from '../store/policy/retry.ts';

export interface WrapOptions extends Partial<Omit<RetryPolicy, 'slots'>> {
  /** Calls on their way at once, for all replicas together. Default CALLS_MAX. */
  readonly callsMax?: number | undefined;
}

/** A destination that checks, retries and limits, and that `await using` closes. */
export interface WrappedDestination extends Destination, AsyncDisposable {
  /** As `replica`, but a conflict comes as it is, even where our own bytes lie there. */
  unsettled(path: string): ReplicaClient;
  /** What is known of its conditional writes. */
  readonly fencing: Fencing;
}

export function wrapDestination(
  destination: Destination,
  { callsMax = CALLS_MAX, ...policyOptions }: WrapOptions = {},
): WrappedDestination {
  const policy = retryPolicy({ ...policyOptions, slots: new Limiter(callsMax) });
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each call in flight
  const { name, capabilities } = destination;
  const objectsOf = destination.objects?.bind(destination);
  const removeEmpty = destination.removeEmpty?.bind(destination);
  const isNew = destination.isNew?.bind(destination);
  const lookBeside = destination.lookBeside?.bind(destination);

  const checksFor = (path: string): CheckOptions => ({
    name: describeReplica(name, path),
    capabilities,
    clock: policy.clock,
    closing: closing.signal,
  });

  const retried = (path: string, checks: CheckOptions): ReplicaClient =>
    lookingBeside(
      retry(withRanges(destination.replica(path), capabilities), checks.name, policy),
      lookBeside,
      path,
      { name: checks.name, policy },
    );

  const close = async (): Promise<void> => {
    closing.abort(new ReplicationError('REPLICA_CLOSED', `${name} was closed`));
    const late = (): Error =>
      new ReplicationError('REPLICA_UNKNOWN', `close ${name}: not closed in ${CLOSE_MS_MAX} ms`);
    await inTime(destination.close(), { clock: policy.clock, ms: CLOSE_MS_MAX, late });
  };

  return {
    name,
    capabilities,

    replica(path): ReplicaClient {
      const checks = checksFor(path);
      return checked(settleConflicts(retried(path, checks)), checks);
    },

    unsettled(path): ReplicaClient {
      const checks = checksFor(path);
      return checked(retried(path, checks), checks);
    },

    fencing: new Fencing(),

    ...(objectsOf !== undefined && {
      objects(path: string): NamedObjects {
        const checks = checksFor(path);
        const named = withObjectRanges(objectsOf(path), capabilities);
        const tried = retryObjects(named, checks.name, policy);
        return checkedObjects(settleObjectConflicts(tried), checks);
      },
    }),

    ...(removeEmpty !== undefined && {
      async removeEmpty(path: string, { signal }: AbortableOptions = {}): Promise<void> {
        const checks = checksFor(path);
        await guard(`remove what is empty at ${checks.name}`, signal, checks, async (linked) => {
          await policy.slots.run(linked, () => removeEmpty(path, { signal: linked }));
        });
      },
    }),

    ...(isNew !== undefined && {
      async isNew(path: string, { signal }: AbortableOptions = {}): Promise<boolean> {
        const checks = checksFor(path);
        return await guard(`look for ${checks.name}`, signal, checks, async (linked) => {
          return await policy.slots.run(linked, () => isNew(path, { signal: linked }));
        });
      },
    }),

    close,
    [Symbol.asyncDispose]: close,
  };
}
