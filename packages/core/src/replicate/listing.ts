/** Lists a destination, and reads enough of its newest level-0 file to know whose it is. */

import type { Clock } from '../clock.ts';
import { isError } from '../error.ts';
import { formatFileChecksum, readEnds, type FileEnds, type ReadFileRange } from '../ltx/file.ts';
import type { ReplicaFiles } from '../replica/replica.ts';
import { rangesOf } from '../replica/ranges.ts';
import { FileSet } from '../replica/file-set.ts';
import type { SentRecord } from './admission.ts';
import type { Wakeup } from './wakeup.ts';

export interface ListedDestination {
  readonly files: FileSet;
  /** undefined where level 0 is empty. */
  readonly top: SentRecord | undefined;
  /** Of the newest file; 0 where there is none. */
  readonly pageSize: number;
}

/** One listing of all levels, and two small reads of the newest file. */
export async function listDestination(
  client: ReplicaFiles,
  { onFile, signal }: { readonly onFile: () => void; readonly signal: AbortSignal },
): Promise<ListedDestination> {
  const files = new FileSet();
  for await (const file of client.listFiles('all', { signal })) {
    files.add(file);
    onFile();
  }
  const newest = files.newestOf(0);
  if (newest === undefined) return { files, top: undefined, pageSize: 0 };
  const { maxTXID: txid, sizeBytes } = newest;
  const ends = await readEndsIfLTX(rangesOf(client, newest, signal), sizeBytes);
  if (ends === undefined) {
    return {
      files,
      top: { txid, sizeBytes, checksum: 'not an LTX file', lineage: 0n },
      pageSize: 0,
    };
  }
  const { pageSize, nodeID: lineage } = ends.header;
  const checksum = formatFileChecksum(ends.trailer.fileChecksum);
  return { files, top: { txid, sizeBytes, checksum, lineage }, pageSize };
}

/** undefined for a file that is not an LTX file: then it is not ours either. */
async function readEndsIfLTX(
  read: ReadFileRange,
  sizeBytes: number,
): Promise<FileEnds | undefined> {
  try {
    return await readEnds(read, sizeBytes);
  } catch (error) {
    if (isError(error) && error.code.startsWith('LTX_')) return undefined;
    throw error;
  }
}

/** How long a start waits for destinations that have neither answered nor failed. */
const REPORT_MS_MAX = 3_000;

export interface ListingsWait {
  readonly uploaders: readonly { readonly hasReported: boolean }[];
  /** Wakes when one of them has reported. */
  readonly changed: Wakeup;
  readonly clock: Clock;
  readonly isClosed: () => boolean;
}

/** Waits until every destination has been listed, or has failed to be, or REPORT_MS_MAX. */
export async function waitForListings(wait: ListingsWait): Promise<void> {
  const { uploaders, changed, clock, isClosed } = wait;
  const deadline = clock.monotonic() + REPORT_MS_MAX;
  for (;;) {
    const left = deadline - clock.monotonic();
    if (left <= 0 || isClosed() || uploaders.every(({ hasReported }) => hasReported)) return;
    await changed.next(left);
  }
}
