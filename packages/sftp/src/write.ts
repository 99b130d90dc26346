/**
 * How a file appears: written beside its name, fsynced, and then given its name (naming.ts). So a
 * name holds a whole file, or what it held before, whatever happens. Requests go out before the
 * answers to those before them have come: a small file takes four round trips.
 */

import { dirname } from 'node:path/posix';

import type { ObjectBody } from '@sluice/core/backend';
import {
  runExclusively,
  PartReader,
  readSource,
  temporaryPath,
  type PlaceOptions,
} from '@sluice/core/backend/folder';

import type { Attributes, Channel, Times } from './channel.ts';
import type { Connection } from './connection.ts';
import { isMissing, SSHError, statusOf } from './errors.ts';
import { isFull, syncFolderAnd } from './folders.ts';
import { giveName } from './naming.ts';

/** Backups hold what the database holds: nobody else's to read unless its owner says so. */
const FILE_MODE = 0o600;
/** Names of temporary files that are kept in mind; beyond that the sweep has them. */
const ORPHANS_MAX = 1_000;

interface Placing extends PlaceOptions {
  /** The times that a file is to have, given the server's own. */
  readonly times: (nowMs: number) => Times;
  readonly pieces: 'many-at-once' | 'one-by-one';
}

/** Puts a body at `path`; returns when that was, by the server. The folder must be there. */
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
    const pieces = await sendBody(channel, handle, body, options);
    nowMs = await finish(channel, handle, body, connection, { ...options, pieces });
    handle = undefined;
    const { condition } = options;
    // What an aborted write still had in hand does not come after the next one.
    const given = await runExclusively(`${connection.name}\0${path}`, async () => {
      for (const signal of options.signals) signal?.throwIfAborted();
      return await giveName(channel, temp, path, { condition, body, nowMs });
    });
    if (given === 'same-is-there') await channel.unlink(temp);
  } catch (error) {
    const full = await isFull(channel, error, dirname(path));
    await discard(channel, handle, temp, connection.orphans);
    throw full ? new SSHError('REPLICA_FULL', 'the disk of the server is full', error) : error;
  }
  checkName(await syncFolderAnd(channel, dirname(path), () => channel.stat(path)), body);
  return new Date(Math.floor(nowMs / 1000) * 1000);
}

/** Some servers take a file and put it elsewhere: it counts when the folder has its name. */
function checkName(found: Attributes | undefined, { sizeBytes }: ObjectBody): void {
  if (found?.sizeBytes === sizeBytes) return;
  const has = found === undefined ? 'no such file' : `one of ${found.sizeBytes} bytes`;
  const message =
    `the server said that ${sizeBytes} bytes have their name, and the folder has ${has}: ` +
    'look for what moves or removes files there';
  throw new SSHError('REPLICA_UNAVAILABLE', message);
}

/** Sends all bytes; returns the answers that are still to come. */
async function sendBody(
  channel: Channel,
  handle: Buffer,
  body: ObjectBody,
  { signals, pieces }: Placing,
): Promise<readonly Promise<void>[]> {
  const { pieceBytes, requestsAhead } = channel.limits('write');
  const ahead = pieces === 'one-by-one' ? 1 : requestsAhead;
  const answers: Promise<void>[] = [];
  const reader = new PartReader(readSource(body, signals), body.sizeBytes, 'write');
  const memory = Buffer.allocUnsafeSlow(pieceBytes); // ssh2 copies what it is given at once
  try {
    let position = 0;
    do {
      const piece = await reader.next(pieceBytes, memory);
      if (answers.length >= ahead) await answers.shift();
      const answer = channel.write(handle, piece, position);
      answer.catch(() => undefined); // those behind the first that fails have nobody who waits
      answers.push(answer);
      position += piece.byteLength;
    } while (position < body.sizeBytes);
  } finally {
    await reader.close();
  }
  return answers;
}

/** Times, fsync and close, which the server does in that order; returns its time. */
async function finish(
  channel: Channel,
  handle: Buffer,
  body: ObjectBody,
  connection: Connection,
  options: { readonly times: Placing['times']; readonly pieces: readonly Promise<void>[] },
): Promise<number> {
  const written = channel.fstat(handle);
  const learnt = written.then(({ modifiedMs }) => {
    connection.clockOffsetMs ??= modifiedMs - performance.now();
  });
  if (connection.clockOffsetMs === undefined) await learnt;
  const nowMs = Math.round(performance.now() + (connection.clockOffsetMs ?? 0));
  await Promise.all([
    ...options.pieces,
    learnt,
    channel.setTimes(handle, options.times(nowMs)).catch(ignoreRefusal),
    channel.fsync(handle),
    channel.close(handle),
  ]);
  const { sizeBytes } = await written;
  if (sizeBytes === body.sizeBytes) return nowMs;
  const message = `the server holds ${sizeBytes} of ${body.sizeBytes} bytes`;
  throw new SSHError('REPLICA_TRUNCATED', message);
}

/** Some servers let nobody set times: the file is whole all the same. */
function ignoreRefusal(error: unknown): void {
  if (statusOf(error) === undefined) throw error;
}

/** Never fails: what could not be removed is, as soon as there is a connection again. */
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

/** Removes what a lost connection has left of writes of this process. */
export async function removeOrphans(channel: Channel, { orphans }: Connection): Promise<void> {
  for (const temp of [...orphans]) {
    orphans.delete(temp);
    await discard(channel, undefined, temp, orphans);
  }
}
