/** Writes to the restored file, from any thread. */

import { messageOf, ReplicationError } from '../../error.ts';
import { writeFullySync } from '../../file-io.ts';

/** RESTORE_OUTPUT with the error of the file system. */
export function writePages(descriptor: number, bytes: Uint8Array, position: number): void {
  try {
    writeFullySync(descriptor, bytes, position);
  } catch (error) {
    const what = `write ${bytes.length} bytes at ${position} of the restored file`;
    throw new ReplicationError('RESTORE_OUTPUT', `${what}: ${messageOf(error)}`, { cause: error });
  }
}
