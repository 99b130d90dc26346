/**
 * Reads and writes of whole ranges of an open file.
 *
 * `read` and `write` may handle fewer bytes than asked for: near a full volume, after a signal, on
 * network file systems. Everything of Sluice that reads or writes an open file does it here.
 */

import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A handle, or the number of a descriptor. */
export type OpenFile = FileHandle | number;

/** Writes all of `bytes` at `position`, or where the file stands, or throws. */
export function writeFullySync(descriptor: number, bytes: Uint8Array, position?: number): void {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.length - done;
    const at = position === undefined ? null : position + done;
    const count = fs.writeSync(descriptor, bytes, done, rest, at);
    if (count === 0) throw refused(rest);
    done += count;
  }
}

/** Writes all of `bytes` where the file stands, or rejects. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.length - done;
    const { bytesWritten } = await handle.write(bytes, done, rest);
    if (bytesWritten === 0) throw refused(rest);
    done += bytesWritten;
  }
}

/** Reads from `position`, or from where the file stands, until `into` is full or it ends. Gives how many bytes there were. */
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

/** Reads until `into` is full or the file ends. Gives how many bytes there were. */
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

/** A write of nothing has no error code of its own. SQLite takes it for a full volume, and so do we. */
function refused(bytes: number): Error {
  const message = `ENOSPC: the volume took none of ${bytes} bytes, write`;
  return Object.assign(new Error(message), { code: 'ENOSPC' });
}
