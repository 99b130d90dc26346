/**
 * The newest TXID that was committed at or before a moment.
 *
 * Times of files ascend with their TXIDs, so some log2(n) of them are looked at: those that the
 * listing has not are read from the files' headers. A snapshot bears the time at which it was taken,
 * not that of its TXID, and is asked only where no other file ends there.
 */

import { ReplicationError } from '../error.ts';
import { decodeHeader, HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo, ReplicaClient } from '../replica/client.ts';
import { readRange } from './reading.ts';

const SNAPSHOT_LEVEL = 9;

/** RESTORE_OUT_OF_RANGE, with the bounds, for a moment before the first file's. */
export async function txidAt(
  client: ReplicaClient,
  files: readonly LTXFileInfo[],
  at: Date,
  signal: AbortSignal | undefined,
): Promise<TXID> {
  const ends = endsOf(files);
  const timeOf = async (file: LTXFileInfo): Promise<number> =>
    file.createdAt?.getTime() ?? (await readTime(client, file, signal));
  let low = 0;
  let high = ends.length; // ends[low - 1] is not later than `at`; ends[high] is
  while (low < high) {
    const middle = (low + high) >>> 1;
    const file = ends[middle];
    if (file === undefined) break;
    if ((await timeOf(file)) <= at.getTime()) low = middle + 1;
    else high = middle;
  }
  const found = ends[low - 1];
  if (found !== undefined) return found.maxTXID;
  const [first, last] = [ends[0], ends.at(-1)];
  if (first === undefined || last === undefined) {
    throw new ReplicationError('RESTORE_NO_SNAPSHOT', 'there is no backup: no LTX file is listed');
  }
  const bounds = `the backup reaches from ${iso(await timeOf(first))} to ${iso(await timeOf(last))}`;
  throw new ReplicationError('RESTORE_OUT_OF_RANGE', `${at.toISOString()} is too early: ${bounds}`);
}

/** One file for each TXID that a file ends with, ascending. */
function endsOf(files: readonly LTXFileInfo[]): LTXFileInfo[] {
  const ends = new Map<bigint, LTXFileInfo>();
  for (const file of files) {
    const known = ends.get(file.maxTXID);
    if (known === undefined || known.level === SNAPSHOT_LEVEL) ends.set(file.maxTXID, file);
  }
  return [...ends.values()].sort((a, b) => (a.maxTXID < b.maxTXID ? -1 : 1));
}

async function readTime(
  client: ReplicaClient,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<number> {
  const range = { start: 0, end: HEADER_SIZE_BYTES };
  return decodeHeader(await readRange(client, file, range, signal)).timestampMs;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
