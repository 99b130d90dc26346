/** Parts of the files of a replica. */

import { ReplicationError } from '../error.ts';
import { readBytes } from '../store/body.ts';
import type { LTXFileInfo, ReplicaFiles } from './replica.ts';

/** Reads ranges of a stored file. REPLICA_TRUNCATED if fewer bytes come than were asked for. */
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
      `read bytes ${start} to ${end} of a stored file: ${bytes.length} bytes came; try again`,
    );
  };
}
