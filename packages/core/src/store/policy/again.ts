/** Calls that are tried again as a whole, and given up when nothing is heard of them. */

import { ReplicationError } from '../../error.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import { reasonOf, type TimerClock } from '../timers.ts';
import { linkSignals } from '../link-signals.ts';

/** Runs `call` until it succeeds or is not worth another attempt. */
export async function again<T>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempts = new Attempts(policy, what, signal);
  for (;;) {
    try {
      return await audibly(what, policy, signal, call);
    } catch (error) {
      await attempts.afterFailure(error);
    }
  }
}

/**
 * One attempt, as soon as it has a slot, that is aborted when nothing was heard of it for too long.
 * `heard` puts that off. The aborted call has a moment to end by itself, so that it is not repeated
 * beside itself.
 */
export async function audibly<T>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal, heard: () => void) => Promise<T>,
): Promise<T> {
  const { clock, silenceMs, slots } = policy;
  const slot = await slots.take(signal);
  const link = linkSignals(signal);
  const late = (): Error =>
    new ReplicationError('REPLICA_UNAVAILABLE', `${what}: nothing came back for ${silenceMs} ms`);
  const listen = (): (() => void) => clock.after(silenceMs, () => link.abort(late()));
  let stop = listen();
  const heard = (): void => {
    stop();
    stop = listen();
  };
  try {
    const work = slot.hold(() => call(link.signal, heard));
    return await abortable(work, link.signal, clock);
  } finally {
    stop();
    link.unlink();
  }
}

/** How long an aborted call may clean up. Rule 3 gives it a second in all. */
const CLEAN_UP_MS_MAX = 900;

/** Settles as `work` does, or with the signal's reason some time after it aborts. */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal,
  clock: TimerClock,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let cancel = (): void => undefined;
  const onAbort = (): void => {
    cancel = clock.after(CLEAN_UP_MS_MAX, () => reject(reasonOf(signal)));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  work.then(resolve, reject);
  try {
    return await promise;
  } catch (error) {
    throw signal.aborted ? reasonOf(signal) : error;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
