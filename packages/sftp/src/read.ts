/** Reads one file through one handle, with several requests ahead of the reader. */

import type { FolderHandle } from '@sluice/core/backend/folder';

import { asidePath } from './asides.ts';
import type { Attributes, Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import { unlessMissing } from './errors.ts';

/** The checksums at the end of an LTX file. They cover the whole file, so they distinguish versions with the same time. */
const TRAILER_BYTES = 16;

/** Uses a channel until it is closed. */
export async function openPath(connection: Connection, path: string): Promise<FolderHandle> {
  const channel = await connection.acquire();
  let handle: Buffer | undefined;
  const close = async (): Promise<void> => {
    // A handle that cannot be closed was lost with its channel.
    if (handle !== undefined) await channel.close(handle).catch(() => undefined);
    channel.useCount -= 1;
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

/** SFTP has no inode numbers. */
export function versionOf({ sizeBytes, modifiedMs }: Attributes): string {
  return `${sizeBytes.toString(36)}-${modifiedMs.toString(36)}`;
}

async function trailerOf(channel: Channel, handle: Buffer, sizeBytes: number): Promise<string> {
  const length = Math.min(TRAILER_BYTES, sizeBytes);
  if (length === 0) return '';
  return (await readAt(channel, handle, sizeBytes - length, length)).toString('hex');
}

/** Opens a file, or its aside file if it was not replaced yet. */
async function openOrAside(channel: Channel, path: string): Promise<Buffer> {
  const open = (name: string): Promise<Buffer> => channel.open(name, 'r', 0);
  const handle = (await unlessMissing(open(path))) ?? (await unlessMissing(open(asidePath(path))));
  return handle ?? (await open(path)); // it may have been renamed back in between
}

/** The bytes from `start` to `end`; fewer if the file was truncated. */
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
      bytes.catch(() => undefined); // the pieces after an error are not awaited
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
  // A new buffer each time: the reader may keep several, or transfer them to a worker.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const count = await channel.read(handle, bytes, filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
