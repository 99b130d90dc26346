/** Whether files that others rely on are still at a destination. */

import { ReplicationError } from '../../error.ts';
import { readEnds } from '../../ltx/file.ts';
import { formatFilename } from '../../ltx/filename.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import type { SealedRecord } from '../destination/sealer.ts';

/**
 * Throws if a snapshot may not be whole. A plain one has the TXIDs of its name, and an end that fits its start. There may
 * be no identity for an encrypted one: it must have the size and the end of the one that was sent, whatever the listing
 * says, because it may have been cut short before this process listed it.
 */
export async function checkSnapshot(
  client: ReplicaFiles,
  snapshot: LTXFileInfo,
  sealed: readonly SealedRecord[],
  signal: AbortSignal,
): Promise<void> {
  const { encrypted } = client;
  if (encrypted !== undefined && (await encrypted.isEncrypted(snapshot, { signal }))) {
    const end = await encrypted.readEnd(snapshot, { signal });
    const { maxTXID, sizeBytes } = snapshot;
    const isSent = sealed.some(
      (each) => each.txid === maxTXID && each.sizeBytes === sizeBytes && each.checksum === end,
    );
    if (!isSent) throw notSentError(snapshot);
    return;
  }
  await checkEnds(client, snapshot, signal);
}

/** Throws if a merged file is not whole, as far as its ends show it. The ends of an encrypted one show nothing. */
export async function checkMerge(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal,
): Promise<void> {
  const { encrypted } = client;
  if (encrypted !== undefined && (await encrypted.isEncrypted(file, { signal }))) return;
  await checkEnds(client, file, signal);
}

async function checkEnds(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal,
): Promise<void> {
  const { header } = await readEnds(rangesOf(client, file, signal), file.sizeBytes);
  const { minTXID, maxTXID } = header;
  if (minTXID === file.minTXID && maxTXID === file.maxTXID) return;
  const name = formatFilename(minTXID, maxTXID);
  throw new ReplicationError('LTX_INVALID', `${describeFile(file)} has the content of ${name}`);
}

function notSentError(snapshot: LTXFileInfo): ReplicationError {
  return new ReplicationError(
    'REPLICA_CHANGED',
    `compare ${describeFile(snapshot)}: it is encrypted, and not the file that was sent from this staging folder, as far ` +
      'as that is known (its size or its end differs, or the record was lost): it cannot be proved whole without an ' +
      'identity. Run "sluice drill" with one. Deletion goes on when a snapshot that is known has become old enough',
  );
}

/** The first of the files of one level that is not listed with its size. */
export async function findMissing(
  client: ReplicaFiles,
  wanted: readonly LTXFileInfo[],
  signal: AbortSignal,
): Promise<LTXFileInfo | undefined> {
  const missing = new Map(wanted.map((file) => [describeFile(file), file]));
  const sorted = wanted.map(({ minTXID }) => minTXID).sort((a, b) => (a < b ? -1 : 1));
  const [from] = sorted;
  const last = sorted.at(-1);
  const level = wanted[0]?.level;
  if (from === undefined || last === undefined || level === undefined) return undefined;
  for await (const found of client.listFiles(level, { from, signal })) {
    if (found.minTXID > last || missing.size === 0) break;
    const name = describeFile(found);
    if (missing.get(name)?.sizeBytes === found.sizeBytes) missing.delete(name);
  }
  const [first] = missing.values();
  return first;
}
