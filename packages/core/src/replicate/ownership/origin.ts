/** Records from whose backup a database was restored, so that replication continues this backup on a new machine. */

import type { ReplicaFiles } from '../../replica/replica.ts';
import { recordRestored } from './identity.ts';
import { readOwner } from './owner-object.ts';

/** A backup as it was restored. */
export interface RestoredBackup {
  readonly client: Pick<ReplicaFiles, 'objects'>;
  /** All its files, as they were listed before the restore. */
  readonly listed: readonly { readonly maxTXID: bigint }[];
}

/** Does nothing for a backup without an owner that can be read. Errors of the destination and of the file system. */
export async function recordOrigin(
  database: string,
  { client, listed }: RestoredBackup,
  signal: AbortSignal,
): Promise<void> {
  if (client.objects === undefined) return;
  const { owner } = await readOwner(client.objects, signal);
  if (typeof owner !== 'object') return;
  const highest = listed.reduce((a, { maxTXID }) => (maxTXID > a ? maxTXID : a), 0n);
  await recordRestored(database, { owner: owner.id, highest });
}
