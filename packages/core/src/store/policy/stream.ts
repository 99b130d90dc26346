/** Helpers to end streams early. */

import { inTime } from '../abort.ts';
import type { ByteRange } from '../client.ts';
import type { TimerClock } from '../timers.ts';

/** Maximum time for an abandoned stream to release its resources. */
const RELEASE_MS_MAX = 1_000;

/** Ends a stream early, so that it frees its connection. */
export async function release(iterator: AsyncIterator<unknown>, clock: TimerClock): Promise<void> {
  if (iterator.return === undefined) return;
  const timeoutError = (): Error => new Error('the stream did not end in time');
  try {
    await inTime(iterator.return(), { clock, ms: RELEASE_MS_MAX, timeoutError });
  } catch {
    // The caller already has its bytes or a better error. The client frees the connection when it closes.
  }
}

/** Frees a body that has not been read. */
export async function discard(body: AsyncIterable<unknown>, clock: TimerClock): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  const timeoutError = (): Error => new Error('the stream did not begin');
  try {
    // return() does not run the `finally` of a generator that was never started.
    await inTime(iterator.next(), { clock, ms: RELEASE_MS_MAX, timeoutError });
  } catch {
    // A stream that fails has ended.
  }
  await release(iterator, clock);
}

/** The end of the range in an object of this size. */
export function endOf(range: ByteRange | undefined, sizeBytes: number): number {
  return Math.min(range?.end ?? sizeBytes, sizeBytes);
}
