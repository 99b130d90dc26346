/** Reads that give exactly what was asked for, or an error that says what came instead. */

import { assert, isError, ReplicationError } from '../../error.ts';
import { abortable } from './again.ts';
import type { ByteRange } from '../client.ts';
import type { TimerClock } from '../timers.ts';
import { linkSignals, type LinkedSignal } from '../link-signals.ts';
import { named } from './named.ts';
import type { ReadAt } from './resume.ts';
import { discard, endOf, type Stream } from './stream.ts';

export interface OpenChecks {
  readonly clock: TimerClock;
  readonly closing: AbortSignal;
}

type OpenAt<S extends Stream> = (at: ReadAt) => Promise<S>;

export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end = Number.MAX_SAFE_INTEGER } = range;
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  assert(isRange && start >= 0 && start <= end, `bytes ${start} to ${end} are a range`);
}

export async function openChecked<S extends Stream>(
  open: OpenAt<S>,
  what: string,
  at: ReadAt,
  checks: OpenChecks,
): Promise<S> {
  const { range } = at;
  if (range !== undefined && range.start === range.end) {
    return await openNothing(open, what, at, range, checks);
  }
  try {
    return await openWhole(open, what, at, checks);
  } catch (error) {
    // Some servers refuse to read nothing at the very end, and some do not.
    if (range === undefined || !isError(error, 'REPLICA_RANGE')) throw error;
    return await openNothing(open, what, at, range, checks);
  }
}

async function openWhole<S extends Stream>(
  open: OpenAt<S>,
  what: string,
  at: ReadAt,
  checks: OpenChecks,
): Promise<S> {
  const link = linkSignals(checks.closing, at.signal);
  try {
    link.signal.throwIfAborted();
    const opening = open({ ...at, signal: link.signal });
    const stream = await abortable(opening, link.signal, checks.clock);
    const start = at.range?.start ?? 0;
    const wrong = whatIsWrong(what, stream, start, at.version);
    if (wrong !== undefined) {
      await discard(stream.body, checks.clock);
      throw wrong;
    }
    const expected = endOf(at.range, stream.sizeBytes) - start;
    return { ...stream, body: counted(stream.body, expected, what, link) };
  } catch (error) {
    link.unlink();
    throw link.signal.aborted ? link.signal.reason : named(what, error);
  }
}

/** An empty range, or one that begins where the object ends: the object must be there all the same. */
async function openNothing<S extends Stream>(
  open: OpenAt<S>,
  what: string,
  at: ReadAt,
  range: ByteRange,
  checks: OpenChecks,
): Promise<S> {
  const stream = await openWhole(open, what, { ...at, range: undefined }, checks);
  await discard(stream.body, checks.clock);
  if (range.start > stream.sizeBytes) throw outOfRange(what, range.start, stream.sizeBytes);
  return { ...stream, body: nothing() };
}

function whatIsWrong(
  what: string,
  stream: Stream,
  start: number,
  version: string | undefined,
): ReplicationError | undefined {
  if (version !== undefined && stream.version !== version) {
    const other = stream.version ?? 'one without a name';
    const message = `${what}: version ${version} was asked for, ${other} is there`;
    return new ReplicationError('REPLICA_CHANGED', message);
  }
  return start > stream.sizeBytes ? outOfRange(what, start, stream.sizeBytes) : undefined;
}

function outOfRange(what: string, start: number, sizeBytes: number): ReplicationError {
  const message = `${what}: byte ${start} lies beyond the object's ${sizeBytes} bytes`;
  return new ReplicationError('REPLICA_RANGE', message);
}

/** `expected` bytes, no more and no fewer. */
async function* counted(
  body: AsyncIterable<Uint8Array>,
  expected: number,
  what: string,
  link: LinkedSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  try {
    link.signal.throwIfAborted();
    for await (const chunk of body) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > expected) {
        const message = `${what}: more than the ${expected} bytes that were asked for came`;
        throw new ReplicationError('REPLICA_UNKNOWN', message);
      }
      yield chunk;
      link.signal.throwIfAborted();
    }
    if (sizeBytes < expected) {
      const message = `${what}: ${sizeBytes} of ${expected} bytes came`;
      throw new ReplicationError('REPLICA_TRUNCATED', message);
    }
  } catch (error) {
    throw link.signal.aborted ? link.signal.reason : named(what, error);
  } finally {
    link.unlink();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {
  // No bytes.
}
