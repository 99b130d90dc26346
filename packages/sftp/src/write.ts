/**
 * Writes a file: a temporary file in the same folder is written and fsynced, and then moved to its
 * final path. So the path has the complete old file or the complete new one at any time. Requests are
 * pipelined: a small file takes four round trips.
 *
 *  the file  condition    server has      how the temporary file is moved
 *  any       none         posix-rename    in one step
 *  missing   none         -               plain rename
 *  exists    none         -               (rename answers 4 or 11) the old file is renamed to its aside
 *                                         path, the new one to its path, and the aside file is removed;
 *                                         not if the bytes are the same, or the disk is full
 *  any       if-absent    hardlink        by a link, which fails if the file exists
 *  any       if-absent    -               check, then plain rename, which most servers refuse if the
 *                                         file exists
 */

import { dirname } from 'node:path/posix';

import { readBytes, ReplicationError, type ObjectBody } from '@sluice/core/backend';
import {
  runExclusively,
  PartReader,
  readSource,
  temporaryPath,
  type PlaceOptions,
} from '@sluice/core/backend/folder';

import { asidePath } from './asides.ts';
import type { Attributes, Channel, Times } from './channel.ts';
import type { Connection } from './connection.ts';
import { ignoreRefusal, isMissing, removeIfExists, SSHError, STATUS, statusOf } from './errors.ts';
import { isFull, syncFolderAnd } from './folders.ts';
import { readPieces } from './read.ts';

/** A backup holds the data of the database: only its owner may read it. */
const FILE_MODE = 0o600;
/** Maximum number of orphaned temporary files that are remembered. The others are removed after a day. */
const ORPHANS_MAX = 1_000;

interface Placing extends PlaceOptions {
  /** The times of the new file, given the server's time. */
  readonly times: (nowMs: number) => Times;
  readonly isConcurrent: boolean;
  /** Writes the bytes in another way than by sending them. */
  readonly fill?: ((handle: Buffer) => Promise<void>) | undefined;
}

/** Writes a body to `path`, in an existing folder. Returns the server's time of the write. */
export async function placeFile(
  channel: Channel,
  path: string,
  body: ObjectBody,
  connection: Connection,
  options: Placing,
): Promise<Date> {
  const temp = temporaryPath(path);
  let handle: Buffer | undefined;
  let nowMs: number;
  try {
    handle = await channel.open(temp, 'wx', FILE_MODE);
    const { fill } = options;
    const pieces = fill === undefined ? await sendBody(channel, handle, body, options) : [];
    await fill?.(handle);
    nowMs = await finish(channel, handle, body, connection, { ...options, pieces });
    handle = undefined;
    const { condition } = options;
    // So that an aborted write cannot finish after the next one.
    const outcome = await runExclusively(`${connection.name}\0${path}`, async () => {
      for (const signal of options.signals) signal?.throwIfAborted();
      return await moveIntoPlace(channel, temp, path, { condition, body, nowMs });
    });
    if (outcome === 'unchanged') await channel.unlink(temp);
  } catch (error) {
    const full = await isFull(channel, error, dirname(path));
    await discard(channel, handle, temp, connection.orphans);
    throw full ? new SSHError('REPLICA_FULL', 'the disk of the server is full', error) : error;
  }
  checkStored(await syncFolderAnd(channel, dirname(path), () => channel.stat(path)), body);
  return new Date(Math.floor(nowMs / 1000) * 1000);
}

/** Some servers accept a file and move it elsewhere. The write succeeded only if the folder has the file. */
function checkStored(found: Attributes | undefined, { sizeBytes }: ObjectBody): void {
  if (found?.sizeBytes === sizeBytes) return;
  const state = found === undefined ? 'missing from its folder' : `${found.sizeBytes} bytes long`;
  const message =
    `the server confirmed a file of ${sizeBytes} bytes, but it is ${state}: ` +
    'look for a program that moves or removes files there';
  throw new SSHError('REPLICA_UNAVAILABLE', message);
}

/** Sends all bytes. Returns the pending answers. */
async function sendBody(
  channel: Channel,
  handle: Buffer,
  body: ObjectBody,
  { signals, isConcurrent }: Placing,
): Promise<readonly Promise<void>[]> {
  const { pieceBytes, requestsAhead } = channel.limits('write');
  const ahead = isConcurrent ? requestsAhead : 1;
  const answers: Promise<void>[] = [];
  const reader = new PartReader(readSource(body, signals), body.sizeBytes, 'write');
  const memory = Buffer.allocUnsafeSlow(pieceBytes); // can be reused, because ssh2 copies the bytes
  try {
    let position = 0;
    do {
      const piece = await reader.next(pieceBytes, memory);
      if (answers.length >= ahead) await answers.shift();
      const answer = channel.write(handle, piece, position);
      answer.catch(() => undefined); // the answers after the first error are not awaited
      answers.push(answer);
      position += piece.byteLength;
    } while (position < body.sizeBytes);
  } finally {
    await reader.close();
  }
  return answers;
}

/** Sets the times, fsyncs and closes; the server does it in that order. Returns its time. */
async function finish(
  channel: Channel,
  handle: Buffer,
  body: ObjectBody,
  connection: Connection,
  options: { readonly times: Placing['times']; readonly pieces: readonly Promise<void>[] },
): Promise<number> {
  const written = channel.fstat(handle);
  const measured = written.then(({ modifiedMs }) => {
    connection.clockOffsetMs ??= modifiedMs - performance.now();
  });
  if (connection.clockOffsetMs === undefined) await measured;
  const nowMs = Math.round(performance.now() + (connection.clockOffsetMs ?? 0));
  await Promise.all([
    ...options.pieces,
    measured,
    channel.setTimes(handle, options.times(nowMs)).catch(ignoreRefusal), // some servers refuse it
    channel.fsync(handle),
    channel.close(handle),
  ]);
  const { sizeBytes } = await written;
  if (sizeBytes === body.sizeBytes) return nowMs;
  const message = `the server has ${sizeBytes} of ${body.sizeBytes} bytes`;
  throw new SSHError('REPLICA_TRUNCATED', message);
}

/** Never throws. A file that cannot be removed is removed over the next connection. */
async function discard(
  channel: Channel,
  handle: Buffer | undefined,
  temp: string,
  orphans: Set<string>,
): Promise<void> {
  if (handle !== undefined) await channel.close(handle).catch(() => undefined);
  try {
    await channel.unlink(temp);
  } catch (error) {
    if (!isMissing(error) && orphans.size < ORPHANS_MAX) orphans.add(temp);
  }
}

/** Removes the temporary files that were left when a connection was lost. */
export async function removeOrphans(channel: Channel, { orphans }: Connection): Promise<void> {
  for (const temp of [...orphans]) {
    orphans.delete(temp);
    await discard(channel, undefined, temp, orphans);
  }
}

/** Moves `temp` to `path`, unless the file at `path` has the same bytes. */
async function moveIntoPlace(
  channel: Channel,
  temp: string,
  path: string,
  options: {
    readonly condition: 'if-absent' | undefined;
    readonly body: ObjectBody;
    readonly nowMs: number;
  },
): Promise<'moved' | 'unchanged'> {
  if (options.condition === 'if-absent') {
    await moveIfAbsent(channel, temp, path);
    return 'moved';
  }
  if (channel.has('posix-rename')) {
    await channel.replace(temp, path);
    return 'moved';
  }
  try {
    await channel.rename(temp, path);
    return 'moved';
  } catch (error) {
    if (!mayMeanExists(error)) throw error;
    const old = await channel.stat(path);
    if (old === undefined) throw error; // refused for another reason
    const isSame =
      old.sizeBytes === options.body.sizeBytes && (await hasBytes(channel, path, options.body));
    if (isSame) return 'unchanged';
    if (await isFull(channel, error, dirname(path))) throw error;
    await replaceWithAside(channel, temp, path, { ...old, accessedMs: options.nowMs });
    return 'moved';
  }
}

/** `times` are those of the aside file; its atime is the time of the rename. */
async function replaceWithAside(
  channel: Channel,
  temp: string,
  path: string,
  times: Times,
): Promise<void> {
  const aside = asidePath(path);
  // If the server refuses the times or the removal, `repair` acts a little early, or removes it later.
  await channel.setTimesOf(path, times).catch(ignoreRefusal);
  await removeIfExists(channel, aside); // of an interrupted replacement
  await channel.rename(path, aside);
  try {
    await channel.rename(temp, path);
  } catch (error) {
    // If this fails too, readers still find the aside file, and `repair` renames it back.
    await channel.rename(aside, path).catch(() => undefined);
    throw error;
  }
  await channel.unlink(aside).catch(ignoreRefusal);
}

async function moveIfAbsent(channel: Channel, temp: string, path: string): Promise<void> {
  if (channel.has('hardlink') && (await tryLink(channel, temp, path))) return;
  if (await exists(channel, path)) throw conflict(path);
  try {
    await channel.rename(temp, path);
  } catch (error) {
    if (mayMeanExists(error) && (await channel.stat(path)) !== undefined) throw conflict(path);
    throw error;
  }
}

/** Returns false if the server's file system has no hard links. */
async function tryLink(channel: Channel, temp: string, path: string): Promise<boolean> {
  try {
    await channel.link(temp, path);
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
    if ((await channel.stat(path)) !== undefined) throw conflict(path);
    return false;
  }
  await channel.unlink(temp);
  return true;
}

/** A file with an aside file counts as existing. */
async function exists(channel: Channel, path: string): Promise<boolean> {
  const found = await Promise.all([channel.stat(path), channel.stat(asidePath(path))]);
  return found.some((attributes) => attributes !== undefined);
}

function mayMeanExists(error: unknown): boolean {
  const status = statusOf(error);
  return status === STATUS.FAILURE || status === STATUS.ALREADY_EXISTS;
}

function conflict(path: string): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${path} already exists`);
}

/** Whether a file on the server has the bytes of a body. */
async function hasBytes(channel: Channel, path: string, body: ObjectBody): Promise<boolean> {
  const handle = await channel.open(path, 'r', 0);
  try {
    let position = 0;
    for await (const ours of body.open()) {
      const end = position + ours.byteLength;
      const theirs = await readBytes(readPieces(channel, handle, position, end), ours.byteLength);
      if (Buffer.compare(ours, theirs) !== 0) return false;
      position = end;
    }
    return true;
  } catch (error) {
    if (error instanceof SSHError || statusOf(error) !== undefined) throw error;
    return false; // the source cannot be read again
  } finally {
    await channel.close(handle).catch(() => undefined);
  }
}
