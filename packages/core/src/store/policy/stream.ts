/** How a read lets go of a stream. */

import { inTime } from '../abort.ts';
import type { ByteRange } from '../client.ts';
import type { TimerClock } from '../timers.ts';

/** How long a stream that is left may take to free what it holds. */
const RELEASE_MS_MAX = 1_000;

/** Ends a stream that is not wanted to its end, so that it frees its connection. */
export async function release(iterator: AsyncIterator<unknown>, clock: TimerClock): Promise<void> {
  if (iterator.return === undefined) return;
  const late = (): Error => new Error('the stream did not end when told to');
  try {
    await inTime(iterator.return(), { clock, ms: RELEASE_MS_MAX, late });
  } catch {
    // The caller has its bytes, or an error that says more. The connection belongs to the client
    // until it closes.
  }
}

/** Frees a body that nobody has begun to read. */
export async function discard(body: AsyncIterable<unknown>, clock: TimerClock): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  const late = (): Error => new Error('the stream did not begin');
  try {
    // A generator that was never started does not run its `finally` when told to return.
    await inTime(iterator.next(), { clock, ms: RELEASE_MS_MAX, late });
  } catch {
    // A stream that fails has ended.
  }
  await release(iterator, clock);
}

/** Where the range ends in an object of this size. */
export function endOf(range: ByteRange | undefined, sizeBytes: number): number {
  return Math.min(range?.end ?? sizeBytes, sizeBytes);
}
