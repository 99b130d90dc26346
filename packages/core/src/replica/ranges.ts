/** Reads of ranges of stored files. */

import { ReplicationError } from '../error.ts';
import { readBytes } from '../store/body.ts';
import type { LTXFileInfo, ReplicaFiles } from './replica.ts';

/** Returns a function that reads ranges of a stored file. REPLICA_TRUNCATED if there are fewer bytes. */
export function rangesOf(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): (start: number, end: number) => Promise<Uint8Array> {
  return async (start, end) => {
    const { body } = await client.openFile(file, { range: { start, end }, signal });
    const bytes = await readBytes(body, end - start);
    if (bytes.length === end - start) return bytes;
    throw new ReplicationError(
      'REPLICA_TRUNCATED',
      `read bytes ${start} to ${end} of a stored file: received ${bytes.length} bytes; try again`,
    );
  };
}
