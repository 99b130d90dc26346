/** Writes to the restored file, from any thread. */

import fs from 'node:fs';
import { messageOf, ReplicationError } from '../error.ts';

/** RESTORE_OUTPUT where the volume refuses, by what it said. */
export function writeFully(descriptor: number, bytes: Uint8Array, position: number): void {
  try {
    for (let at = 0; at < bytes.length;) {
      at += fs.writeSync(descriptor, bytes, at, bytes.length - at, position + at);
    }
  } catch (error) {
    const what = `write ${bytes.length} bytes at ${position} of the restored file`;
    throw new ReplicationError('RESTORE_OUTPUT', `${what}: ${messageOf(error)}`, { cause: error });
  }
}
