/** Lists a destination, and reads enough of its newest level-0 file to know whose it is. */

import type { Clock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import { decodeHeader, HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import type { ByteRange } from '../store/client.ts';
import { FileSet } from '../replica/file-set.ts';
import type { SentRecord } from './admission.ts';
import type { Wakeup } from './wakeup.ts';

const FILE_SIZE_MIN = HEADER_SIZE_BYTES + FILE_CHECKSUM_SIZE_BYTES;

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
  if (sizeBytes < FILE_SIZE_MIN) {
    const top = { txid, sizeBytes, checksum: 'too short', lineage: 0n };
    return { files, top, pageSize: 0 };
  }
  const head = await readBytes(client, newest, { start: 0, end: HEADER_SIZE_BYTES }, signal);
  const start = sizeBytes - FILE_CHECKSUM_SIZE_BYTES;
  const end = await readBytes(client, newest, { start, end: sizeBytes }, signal);
  const checksum = Buffer.from(end).toString('hex');
  const { pageSize, nodeID: lineage } = headerOf(head);
  return { files, top: { txid, sizeBytes, checksum, lineage }, pageSize };
}

/** A file that is no LTX file is not ours either: what its header says does not matter then. */
function headerOf(head: Uint8Array): { readonly pageSize: number; readonly nodeID: bigint } {
  try {
    return decodeHeader(head);
  } catch {
    return { pageSize: 0, nodeID: 0n };
  }
}

async function readBytes(
  client: ReplicaFiles,
  file: LTXFileInfo,
  range: Required<Pick<ByteRange, 'start'>> & { end: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { body } = await client.openFile(file, { range, signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length !== range.end - range.start) {
    throw new ReplicationError(
      'REPLICA_TRUNCATED',
      `read ${range.end - range.start} bytes of the newest file: ${bytes.length} came`,
    );
  }
  return bytes;
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
