/**
 * How a whole temporary file gets its name.
 *
 *  name is   asked for    server has      what is done
 *  any       none         posix-rename    one step
 *  free      none         -               plain rename
 *  taken     none         -               (answers 4 or 11) the old one aside, rename, aside removed;
 *                                         nothing, if the bytes are the same or the disk is full
 *  any       if-absent    hardlink        a link, which fails where the name is taken
 *  any       if-absent    -               asked for, then plain rename, which all but a few refuse
 *                                         where the name is taken
 */

import { dirname } from 'node:path/posix';

import { readBytes, ReplicationError, type ObjectBody } from '@sluice/core/backend';

import { asideOf } from './asides.ts';
import type { Channel, Times } from './channel.ts';
import { SSHError, STATUS, statusOf, unlessMissing } from './errors.ts';
import { isFull } from './folders.ts';
import { readPieces } from './read.ts';

/** Puts `temp` at `path`; or leaves it where it is, if what is there need not be replaced. */
export async function giveName(
  channel: Channel,
  temp: string,
  path: string,
  options: {
    readonly condition: 'if-absent' | undefined;
    readonly body: ObjectBody;
    readonly nowMs: number;
  },
): Promise<'given' | 'same-is-there'> {
  if (options.condition === 'if-absent') {
    await giveFreeName(channel, temp, path);
    return 'given';
  }
  if (channel.has('posix-rename')) {
    await channel.replace(temp, path);
    return 'given';
  }
  try {
    await channel.rename(temp, path);
    return 'given';
  } catch (error) {
    if (!mayBeTaken(error)) throw error;
    const old = await channel.stat(path);
    if (old === undefined) throw error; // it was refused for another reason
    const isSame =
      old.sizeBytes === options.body.sizeBytes && (await holds(channel, path, options.body));
    if (isSame) return 'same-is-there';
    if (await isFull(channel, error, dirname(path))) throw error;
    await replaceByAside(channel, temp, path, { ...old, accessedMs: options.nowMs });
    return 'given';
  }
}

/** `times` are those of the aside: when it was moved is its atime. */
async function replaceByAside(
  channel: Channel,
  temp: string,
  path: string,
  times: Times,
): Promise<void> {
  const aside = asideOf(path);
  await channel.setTimesOf(path, times).catch(unlessLost);
  await removeIfThere(channel, aside); // of a replacement that was cut short after its rename
  await channel.rename(path, aside);
  try {
    await channel.rename(temp, path);
  } catch (error) {
    // If this fails too, readers still find the aside, and the next replication moves it back.
    await channel.rename(aside, path).catch(() => undefined);
    throw error;
  }
  await channel.unlink(aside).catch(unlessLost);
}

/** What a server refuses does no harm here: the aside is mended later, or a little early. */
function unlessLost(error: unknown): void {
  if (statusOf(error) === undefined) throw error;
}

/** False, and no failure, if there is nothing. */
export async function removeIfThere(channel: Channel, path: string): Promise<boolean> {
  return (await unlessMissing(channel.unlink(path).then(() => true))) ?? false;
}

async function giveFreeName(channel: Channel, temp: string, path: string): Promise<void> {
  if (channel.has('hardlink') && (await isLinked(channel, temp, path))) return;
  if (await isTaken(channel, path)) throw conflict(path);
  try {
    await channel.rename(temp, path);
  } catch (error) {
    if (mayBeTaken(error) && (await channel.stat(path)) !== undefined) throw conflict(path);
    throw error;
  }
}

/** False where the disk of the server has no hard links. */
async function isLinked(channel: Channel, temp: string, path: string): Promise<boolean> {
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

/** A file that is moved aside still has its name. */
async function isTaken(channel: Channel, path: string): Promise<boolean> {
  const found = await Promise.all([channel.stat(path), channel.stat(asideOf(path))]);
  return found.some((attributes) => attributes !== undefined);
}

function mayBeTaken(error: unknown): boolean {
  const status = statusOf(error);
  return status === STATUS.FAILURE || status === STATUS.ALREADY_EXISTS;
}

function conflict(path: string): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${path} is there already`);
}

/** Whether a file on the server has the bytes of a body. */
async function holds(channel: Channel, path: string, body: ObjectBody): Promise<boolean> {
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
    return false; // the source cannot be read again: it is taken for another
  } finally {
    await channel.close(handle).catch(() => undefined);
  }
}
