/** Writes to the restored file, from any thread. */

import { messageOf, ReplicationError } from '../../error.ts';
import { writeFullySync } from '../../file-io.ts';

/**
 * Bytes of one call. Larger calls are slower: while the file is being flushed, ext4 took up to five
 * times as long for calls of 16 MiB (ADR 30).
 */
const WRITE_BYTES_MAX: number = 1024 * 1024;

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
    const what = `write ${bytes.length} bytes at ${position} of the restored file`;
    throw new ReplicationError('RESTORE_OUTPUT', `${what}: ${messageOf(error)}`, { cause: error });
  }
}
