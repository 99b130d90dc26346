/** Writes to the restored file, from any thread. */

import { messageOf, ReplicationError } from '../../error.ts';
import { writeFully, writeFullySync } from '../../file-io.ts';

/**
 * Bytes of one call. Larger calls are slower: while the file is being flushed, ext4 took up to five
 * times as long for calls of 16 MiB (ADR 30).
 */
const WRITE_BYTES_MAX: number = 1024 * 1024;
/** Sizes and positions of direct writes are multiples of this. Devices want 512 or 4,096. */
const DIRECT_BYTES: number = 4096;

/** The descriptors of a restored file, which threads share. */
export interface OutputDescriptors {
  readonly cached: number;
  /** For writes past the page cache, if they are possible (direct-output.ts). */
  readonly direct: number | undefined;
}

/**
 * Writes past the page cache if possible. The bytes begin at a page of the system, in memory and in the file. Other
 * code may run meanwhile. RESTORE_OUTPUT with the error of the file system.
 */
export async function writeWindow(
  { cached, direct }: OutputDescriptors,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let done = direct === undefined ? 0 : await writeDirect(direct, bytes, position);
  while (done < bytes.length) {
    const chunk = bytes.subarray(done, done + WRITE_BYTES_MAX);
    try {
      await writeFully(cached, chunk, position + done);
    } catch (error) {
      throw toOutputError(error, chunk.length, position + done);
    }
    done += chunk.length;
  }
}

/** Returns the number of bytes written. The rest, and what is refused, has to go through the cache, which says why. */
async function writeDirect(
  descriptor: number,
  bytes: Uint8Array,
  position: number,
): Promise<number> {
  const length = bytes.length - (bytes.length % DIRECT_BYTES);
  try {
    await writeFully(descriptor, bytes.subarray(0, length), position);
    return length;
  } catch {
    return 0;
  }
}

/** RESTORE_OUTPUT with the error of the file system. */
export function writePages(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
    writeChunk(descriptor, bytes.subarray(at, at + WRITE_BYTES_MAX), position + at);
  }
}

function writeChunk(descriptor: number, bytes: Uint8Array, position: number): void {
  try {
    writeFullySync(descriptor, bytes, position);
  } catch (error) {
    throw toOutputError(error, bytes.length, position);
  }
}

function toOutputError(cause: unknown, sizeBytes: number, position: number): ReplicationError {
  const message = `write ${sizeBytes} bytes at ${position} of the restored file: ${messageOf(cause)}`;
  return new ReplicationError('RESTORE_OUTPUT', message, { cause });
}
