/**
 * Complete reads and writes of an open file.
 *
 * `read` and `write` may handle fewer bytes than requested: near a full volume, after a signal, on
 * network file systems. All code of Sluice that reads or writes an open file uses these functions.
 */

import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A file handle or a file descriptor. */
export type OpenFile = FileHandle | number;

/** Writes all of `bytes` at `position`, by default the current position of the file. */
export function writeFullySync(descriptor: number, bytes: Uint8Array, position?: number): void {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.length - done;
    const at = position === undefined ? null : position + done;
    const count = fs.writeSync(descriptor, bytes, done, rest, at);
    if (count === 0) throw refused(rest);
    done += count;
  }
}

/** Writes all of `bytes` at `position`, by default the current position of the file. */
export async function writeFully(
  file: OpenFile,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.length - done;
    const at = position === undefined ? null : position + done;
    const written = await writeSome(file, bytes, done, at);
    if (written === 0) throw refused(rest);
    done += written;
  }
}

const writeDescriptor = promisify(fs.write);

async function writeSome(
  file: OpenFile,
  bytes: Uint8Array,
  offset: number,
  position: number | null,
): Promise<number> {
  const rest = bytes.length - offset;
  const { bytesWritten } =
    typeof file === 'number'
      ? await writeDescriptor(file, bytes, offset, rest, position)
      : await file.write(bytes, offset, rest, position);
  return bytesWritten;
}

/** Reads from `position` (default: the current one) until `into` is full or the file ends. Returns the number of bytes. */
export function readFullySync(descriptor: number, into: Uint8Array, position?: number): number {
  let done = 0;
  while (done < into.length) {
    const at = position === undefined ? null : position + done;
    const count = fs.readSync(descriptor, into, done, into.length - done, at);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Reads until `into` is full or the file ends. Returns the number of bytes read. */
export async function readFully(
  file: OpenFile,
  into: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await readSome(file, into, done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

const readDescriptor = promisify(fs.read);

async function readSome(
  file: OpenFile,
  into: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  const rest = into.length - offset;
  const { bytesRead } =
    typeof file === 'number'
      ? await readDescriptor(file, into, offset, rest, position)
      : await file.read(into, offset, rest, position);
  return bytesRead;
}

/** A write of zero bytes has no error code of its own. Like SQLite, we treat it as a full volume. */
function refused(bytes: number): Error {
  const message = `ENOSPC: no space left on device, write of ${bytes} bytes`;
  return Object.assign(new Error(message), { code: 'ENOSPC' });
}
