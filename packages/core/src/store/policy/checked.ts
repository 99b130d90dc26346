/**
 * The outermost wrapper: what every caller may rely on, whatever the backend.
 *
 * - Arguments are judged before anything is sent; an option whose capability is not claimed is
 *   REPLICA_UNSUPPORTED, so that it never reaches a backend that does not know it.
 * - An aborted call rejects with the signal's reason, within a second; a closed destination's calls
 *   reject with REPLICA_CLOSED.
 * - Listings are in order, without doubles, of the levels and from the TXID that were asked for.
 * - Reads give exactly the bytes that were asked for: REPLICA_RANGE when the start lies beyond the
 *   object, REPLICA_TRUNCATED when fewer came, REPLICA_CHANGED when it is another version.
 * - Whatever else a backend throws becomes REPLICA_UNKNOWN, with the cause.
 */

import { assert, ReplicationError } from '../../error.ts';
import { abortable } from './again.ts';
import type { Capabilities } from '../backend.ts';
import type { LTXBody, LTXFileInfo, LTXFileRef, ReplicaClient } from '../client.ts';
import type { TimerClock } from '../timers.ts';
import { describeFile, describeRange } from '../../replica/describe.ts';
import { LEVEL_MAX } from '../layout.ts';
import { linkSignals } from '../link-signals.ts';
import { named } from './named.ts';
import { checkRange, openChecked } from './open-checked.ts';
import { WatchedBody } from './watched-body.ts';
import { wrapCopy } from './wrap-copy.ts';
import { wrapLocal } from './wrap-local.ts';

export interface CheckOptions {
  /** The replica's, for messages: "s3://bucket/db". */
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly clock: TimerClock;
  /** Aborts when the destination closes, with REPLICA_CLOSED. */
  readonly closing: AbortSignal;
}

export function checked(client: ReplicaClient, options: CheckOptions): ReplicaClient {
  const { name } = options;
  return {
    listFiles(level, { from, signal } = {}) {
      checkLevel(level);
      const what = `list level ${level} at ${name}`;
      const open = (linked: AbortSignal): AsyncIterable<LTXFileInfo> =>
        client.listFiles(level, { from, signal: linked });
      return inOrder(guardStream(what, signal, options, open), what, level, from);
    },

    async openFile(file, openOptions = {}) {
      checkFile(file);
      checkRange(openOptions.range);
      const what = `open ${describeFile(file)}${describeRange(openOptions.range)} at ${name}`;
      return await openChecked((at) => client.openFile(file, at), what, openOptions, options);
    },

    async writeFile(file, body, writeOptions = {}) {
      checkFile(file);
      const what = `write ${describeFile(file)} to ${name}`;
      checkWrite(what, body, writeOptions.condition, options.capabilities);
      const watched = new WatchedBody(body, what);
      try {
        const info = await guard(what, writeOptions.signal, options, (signal) =>
          client.writeFile(file, watched, { ...writeOptions, signal }),
        );
        checkWritten(what, info, file, body);
        return info;
      } catch (error) {
        const isAborted = options.closing.aborted || writeOptions.signal?.aborted === true;
        // The source's failure is told as it is, whatever the backend made of it.
        throw watched.failure === undefined || isAborted ? error : watched.failure.error;
      }
    },

    async deleteFiles(files, { signal } = {}) {
      for (const file of files) checkFile(file);
      const what = `delete ${files.length} files at ${name}`;
      await guard(what, signal, options, async (linked) => {
        if (files.length > 0) await client.deleteFiles(files, { signal: linked });
      });
    },

    ...wrapLocal(client, (open) => async (file, { signal } = {}) => {
      checkFile(file);
      const what = `open ${describeFile(file)} at ${name}`;
      return await guard(what, signal, options, (linked) => open(file, { signal: linked }));
    }),

    ...wrapCopy(client, (copy) => async (from, to, { signal } = {}) => {
      checkFile(from);
      checkFile(to);
      const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${name}`;
      return await guard(what, signal, options, (linked) => copy(from, to, { signal: linked }));
    }),
  };
}

/** Runs a call with a signal that also aborts on close, and gives its errors a code. */
export async function guard<T>(
  what: string,
  signal: AbortSignal | undefined,
  options: CheckOptions,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const link = linkSignals(options.closing, signal);
  try {
    link.signal.throwIfAborted();
    return await abortable(call(link.signal), link.signal, options.clock);
  } catch (error) {
    throw link.signal.aborted ? link.signal.reason : named(what, error);
  } finally {
    link.unlink();
  }
}

/** The same for what comes bit by bit. */
export async function* guardStream<T>(
  what: string,
  signal: AbortSignal | undefined,
  options: CheckOptions,
  open: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const link = linkSignals(options.closing, signal);
  try {
    link.signal.throwIfAborted();
    for await (const item of open(link.signal)) {
      yield item;
      link.signal.throwIfAborted();
    }
  } catch (error) {
    throw link.signal.aborted ? link.signal.reason : named(what, error);
  } finally {
    link.unlink();
  }
}

async function* inOrder(
  files: AsyncIterable<LTXFileInfo>,
  what: string,
  level: number | 'all',
  from: bigint | undefined,
): AsyncGenerator<LTXFileInfo, void, undefined> {
  const lastOf = new Map<number, LTXFileInfo>();
  for await (const file of files) {
    if (level !== 'all' && file.level !== level) throw broken(what, file, 'was not asked for');
    if (from !== undefined && file.minTXID < from) continue;
    const last = lastOf.get(file.level);
    if (last !== undefined && compareFiles(last, file) >= 0) {
      throw broken(what, file, `came after ${describeFile(last)}`);
    }
    lastOf.set(file.level, file);
    yield file;
  }
}

/** By (minTXID, maxTXID). */
export function compareFiles(a: LTXFileRef, b: LTXFileRef): number {
  if (a.minTXID !== b.minTXID) return a.minTXID < b.minTXID ? -1 : 1;
  if (a.maxTXID !== b.maxTXID) return a.maxTXID < b.maxTXID ? -1 : 1;
  return 0;
}

function broken(what: string, file: LTXFileRef, how: string): ReplicationError {
  const message = `${what}: the listing is not to be trusted: ${describeFile(file)} ${how}`;
  return new ReplicationError('REPLICA_UNKNOWN', message);
}

function checkLevel(level: number | 'all'): void {
  const isLevel = level === 'all' || (Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX);
  assert(isLevel, `level ${level} is 0 to 9`);
}

function checkFile(file: LTXFileRef): void {
  checkLevel(file.level);
  assert(file.minTXID >= 1n && file.minTXID <= file.maxTXID, `${describeFile(file)} has a name`);
}

function checkWrite(
  what: string,
  body: LTXBody,
  condition: string | undefined,
  { ifAbsent, sizeMax }: Capabilities,
): void {
  const { sizeBytes } = body;
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `${sizeBytes} bytes is a size`);
  if (sizeMax !== undefined && sizeBytes > sizeMax) {
    throw unsupported(what, `${sizeBytes} bytes, and the destination takes at most ${sizeMax}`);
  }
  if (condition !== 'if-absent') return;
  if (ifAbsent === undefined) throw unsupported(what, 'the destination knows no "if-absent"');
  if (typeof ifAbsent === 'object' && sizeBytes > ifAbsent.sizeMax) {
    const max = `the destination knows "if-absent" up to ${ifAbsent.sizeMax} bytes`;
    throw unsupported(what, `${sizeBytes} bytes, and ${max}`);
  }
}

export function unsupported(what: string, why: string): ReplicationError {
  return new ReplicationError('REPLICA_UNSUPPORTED', `${what}: ${why}`);
}

function checkWritten(what: string, info: LTXFileInfo, file: LTXFileRef, body: LTXBody): void {
  if (info.level !== file.level || compareFiles(info, file) !== 0) {
    throw broken(what, info, 'was written instead');
  }
  if (info.sizeBytes === body.sizeBytes) return;
  const sizes = `${info.sizeBytes} of ${body.sizeBytes} bytes are there`;
  throw new ReplicationError('REPLICA_TRUNCATED', `${what}: ${sizes}`);
}
