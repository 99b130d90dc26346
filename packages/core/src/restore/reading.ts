/** Reads a part of a file into one buffer of its own, which can be handed to a thread. */

import { ReplicationError } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import type { LTXFileRef, ReplicaClient } from '../replica/client.ts';

/** Half open. REPLICA_TRUNCATED where fewer bytes come. */
export async function readRange(
  client: ReplicaClient,
  file: LTXFileRef,
  range: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = await client.openFile(file, { range, signal });
  const bytes = new Uint8Array(range.end - range.start);
  let at = 0;
  for await (const chunk of body) {
    if (at + chunk.length > bytes.length) throw wrongLength(file, range, at + chunk.length);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at !== bytes.length) throw wrongLength(file, range, at);
  return bytes;
}

function wrongLength(
  file: LTXFileRef,
  range: { readonly start: number; readonly end: number },
  came: number,
): ReplicationError {
  const name = formatFilename(file.minTXID, file.maxTXID);
  return new ReplicationError(
    'REPLICA_TRUNCATED',
    `read bytes ${range.start} to ${range.end} of level ${file.level} ${name}: ${came} came`,
  );
}
