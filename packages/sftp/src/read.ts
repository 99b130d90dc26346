/** Reading one file: a handle that is opened once, and several requests ahead of the reader. */

import type { FolderHandle } from '@sluice/core/backend/folder';

import { asideOf } from './asides.ts';
import type { Attributes, Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import { unlessMissing } from './errors.ts';

/** The checksums at the end of an LTX file. They are of all its bytes, so they tell versions of one time apart. */
const TRAILER_BYTES = 16;

/** Holds a channel until it is closed. */
export async function openPath(connection: Connection, path: string): Promise<FolderHandle> {
  const channel = await connection.take();
  let handle: Buffer | undefined;
  const close = async (): Promise<void> => {
    // A handle that cannot be closed went with its channel.
    if (handle !== undefined) await channel.close(handle).catch(() => undefined);
    channel.load -= 1;
  };
  try {
    const opened = (handle = await openOrAside(channel, path));
    const attributes = await channel.fstat(opened);
    const { accessedMs, sizeBytes } = attributes;
    const version = `${versionOf(attributes)}-${await trailerOf(channel, opened, sizeBytes)}`;
    const read = (start: number, end: number): ReturnType<FolderHandle['read']> =>
      readPieces(channel, opened, start, end);
    return { sizeBytes, modifiedAt: new Date(accessedMs), version, read, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** SFTP tells no inode. */
export function versionOf({ sizeBytes, modifiedMs }: Attributes): string {
  return `${sizeBytes.toString(36)}-${modifiedMs.toString(36)}`;
}

async function trailerOf(channel: Channel, handle: Buffer, sizeBytes: number): Promise<string> {
  const length = Math.min(TRAILER_BYTES, sizeBytes);
  if (length === 0) return '';
  return (await readAt(channel, handle, sizeBytes - length, length)).toString('hex');
}

/** A file, or what was moved aside from it and not replaced. */
async function openOrAside(channel: Channel, path: string): Promise<Buffer> {
  const open = (name: string): Promise<Buffer> => channel.open(name, 'r', 0);
  const handle = (await unlessMissing(open(path))) ?? (await unlessMissing(open(asideOf(path))));
  return handle ?? (await open(path)); // between the two questions it may have got its name
}

/** The bytes from `start` to `end`, fewer if the file has become shorter. */
export async function* readPieces(
  channel: Channel,
  handle: Buffer,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { pieceBytes, requestsAhead } = channel.limits('read');
  const pieces: { readonly length: number; readonly bytes: Promise<Uint8Array> }[] = [];
  for (let position = start; position < end || pieces.length > 0;) {
    while (pieces.length < requestsAhead && position < end) {
      const length = Math.min(pieceBytes, end - position);
      const bytes = readAt(channel, handle, position, length);
      bytes.catch(() => undefined); // nobody waits for those behind the one that fails
      pieces.push({ length, bytes });
      position += length;
    }
    const piece = pieces.shift();
    if (piece === undefined) return;
    const bytes = await piece.bytes;
    if (bytes.byteLength > 0) yield bytes;
    if (bytes.byteLength < piece.length) return;
  }
}

async function readAt(
  channel: Channel,
  handle: Buffer,
  position: number,
  length: number,
): Promise<Buffer> {
  // A buffer of its own for each: the reader may hold several, or give them to a worker.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const came = await channel.read(handle, bytes, filled, position + filled);
    if (came === 0) break;
    filled += came;
  }
  return bytes.subarray(0, filled);
}
