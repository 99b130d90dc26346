/** Lists a destination, and reads enough of its newest level-0 file to know whose it is. */

import { ReplicationError } from '../error.ts';
import { decodeHeader, HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import type { ByteRange, LTXFileInfo, ReplicaClient } from '../replica/client.ts';
import type { FoundTop } from './admission.ts';
import { addToManifest, EMPTY_MANIFEST, type Manifest } from './manifest.ts';

const FILE_SIZE_MIN = HEADER_SIZE_BYTES + FILE_CHECKSUM_SIZE_BYTES;

export interface ListedDestination {
  readonly manifest: Manifest;
  /** undefined where level 0 is empty. */
  readonly top: FoundTop | undefined;
  /** Of the newest file; 0 where there is none. */
  readonly pageSize: number;
}

/** One listing of all levels, and two small reads of the newest file. */
export async function listDestination(
  client: ReplicaClient,
  signal: AbortSignal,
): Promise<ListedDestination> {
  let manifest = EMPTY_MANIFEST;
  let newest: LTXFileInfo | undefined;
  for await (const file of client.listFiles('all', { signal })) {
    manifest = addToManifest(manifest, file);
    if (file.level === 0 && (newest === undefined || file.maxTXID >= newest.maxTXID)) newest = file;
  }
  if (newest === undefined) return { manifest, top: undefined, pageSize: 0 };
  const { maxTXID: txid, sizeBytes } = newest;
  if (sizeBytes < FILE_SIZE_MIN) {
    return { manifest, top: { txid, sizeBytes, checksum: 'too short' }, pageSize: 0 };
  }
  const head = await readBytes(client, newest, { start: 0, end: HEADER_SIZE_BYTES }, signal);
  const start = sizeBytes - FILE_CHECKSUM_SIZE_BYTES;
  const end = await readBytes(client, newest, { start, end: sizeBytes }, signal);
  const checksum = Buffer.from(end).toString('hex');
  return { manifest, top: { txid, sizeBytes, checksum }, pageSize: pageSizeOf(head) };
}

/** A file that is no LTX file is not ours either: its page size does not matter then. */
function pageSizeOf(head: Uint8Array): number {
  try {
    return decodeHeader(head).pageSize;
  } catch {
    return 0;
  }
}

async function readBytes(
  client: ReplicaClient,
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
