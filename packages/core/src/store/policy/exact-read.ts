/**
 * Reads that return exactly the requested bytes, or an error: REPLICA_RANGE if the start is beyond the end
 * of the object, REPLICA_TRUNCATED if there were fewer bytes, REPLICA_CHANGED if the version differs.
 */

import { assert, isError, ReplicationError } from '../../error.ts';
import { abortable, linkSignals, untilAborted, type LinkedSignal } from '../abort.ts';
import type { ByteRange, GetOptions, OpenedObject } from '../client.ts';
import type { TimerClock } from '../timers.ts';
import { toReplicationError } from './forward.ts';
import { discard, endOf } from './stream.ts';

export interface ReadChecks {
  readonly clock: TimerClock;
  readonly closing: AbortSignal;
}

type Open = (options: GetOptions) => Promise<OpenedObject>;

/** Leaves time to clean up within the second allowed for an aborted call. */
const OPEN_GRACE_MS = 900;

export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end = Number.MAX_SAFE_INTEGER } = range;
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  assert(isRange && start >= 0 && start <= end, `bytes ${start} to ${end} are a range`);
}

export async function openExactly(
  open: Open,
  what: string,
  options: GetOptions,
  checks: ReadChecks,
): Promise<OpenedObject> {
  const { range } = options;
  if (range !== undefined && range.start === range.end) {
    return await openNothing(open, what, options, range, checks);
  }
  try {
    return await openRange(open, what, options, checks);
  } catch (error) {
    // Some servers refuse a range that begins at the end of the object.
    if (range === undefined || !isError(error, 'REPLICA_RANGE')) throw error;
    return await openNothing(open, what, options, range, checks);
  }
}

async function openRange(
  open: Open,
  what: string,
  options: GetOptions,
  { clock, closing }: ReadChecks,
): Promise<OpenedObject> {
  const link = linkSignals(closing, options.signal);
  try {
    link.signal.throwIfAborted();
    const opening = open({ ...options, signal: link.signal });
    const opened = await abortable(opening, link.signal, { clock, graceMs: OPEN_GRACE_MS });
    const start = options.range?.start ?? 0;
    const wrong = findFault(what, opened, start, options.version);
    if (wrong !== undefined) {
      await discard(opened.body, clock);
      throw wrong;
    }
    const sizeBytes = endOf(options.range, opened.sizeBytes) - start;
    return { ...opened, body: counted(opened.body, sizeBytes, what, link) };
  } catch (error) {
    link.unlink();
    throw link.signal.aborted ? link.signal.reason : toReplicationError(what, error);
  }
}

/** For an empty range or one that begins at the end of the object: the object must exist nevertheless. */
async function openNothing(
  open: Open,
  what: string,
  options: GetOptions,
  range: ByteRange,
  checks: ReadChecks,
): Promise<OpenedObject> {
  const opened = await openRange(open, what, { ...options, range: undefined }, checks);
  await discard(opened.body, checks.clock);
  if (range.start > opened.sizeBytes) throw outOfRange(what, range.start, opened.sizeBytes);
  return { ...opened, body: noBytes() };
}

function findFault(
  what: string,
  opened: OpenedObject,
  start: number,
  version: string | undefined,
): ReplicationError | undefined {
  if (version !== undefined && opened.version !== version) {
    const other = opened.version ?? 'a nameless one';
    const message = `${what}: requested version ${version}, found ${other}`;
    return new ReplicationError('REPLICA_CHANGED', message);
  }
  return start > opened.sizeBytes ? outOfRange(what, start, opened.sizeBytes) : undefined;
}

function outOfRange(what: string, start: number, sizeBytes: number): ReplicationError {
  const message = `${what}: byte ${start} is beyond the end of the object (${sizeBytes} bytes)`;
  return new ReplicationError('REPLICA_RANGE', message);
}

/** Yields the body and checks that it has `expected` bytes. */
async function* counted(
  body: AsyncIterable<Uint8Array>,
  expected: number,
  what: string,
  link: LinkedSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  try {
    link.signal.throwIfAborted();
    for await (const chunk of untilAborted(body, link.signal)) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > expected) {
        const message = `${what}: received more than the requested ${expected} bytes`;
        throw new ReplicationError('REPLICA_UNKNOWN', message);
      }
      yield chunk;
      link.signal.throwIfAborted();
    }
    if (sizeBytes < expected) {
      const message = `${what}: received ${sizeBytes} of ${expected} bytes`;
      throw new ReplicationError('REPLICA_TRUNCATED', message);
    }
  } catch (error) {
    throw link.signal.aborted ? link.signal.reason : toReplicationError(what, error);
  } finally {
    link.unlink();
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array, void, undefined> {
  // Empty.
}
