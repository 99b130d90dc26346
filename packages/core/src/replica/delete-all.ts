/** Deletes a replica's files. What needs no method of its own. */

import type { AbortableOptions, LTXFileRef, ReplicaClient } from '../store/client.ts';

/** As many as S3 takes in one request. */
const BATCH_FILES = 1_000;

/** Deletes every LTX file of the replica, and nothing else. Resolves with how many there were. */
export async function deleteAll(
  client: ReplicaClient,
  options: AbortableOptions = {},
): Promise<number> {
  let count = 0;
  let batch: LTXFileRef[] = [];
  for await (const file of client.listFiles('all', options)) {
    batch.push(file);
    if (batch.length < BATCH_FILES) continue;
    await client.deleteFiles(batch, options);
    count += batch.length;
    batch = [];
  }
  await client.deleteFiles(batch, options);
  return count + batch.length;
}
