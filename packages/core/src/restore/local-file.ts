/**
 * An LTX file on this machine: opened, its header, index and trailer read, and what surrounds the
 * page frames hashed.
 *
 *   header (100 bytes) | page frames | six zero bytes | index, its length | trailer (16 bytes)
 */

import { ReplicationError } from '../error.ts';
import { readFully } from '../file-io.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { decodeHeader, HEADER_SIZE_BYTES, type LTXHeader } from '../ltx/header.ts';
import { PAGE_HEADER_SIZE_BYTES } from '../ltx/page-frame.ts';
import { locatePageIndex } from '../ltx/read-page-index.ts';
import { decodeTrailer, FILE_CHECKSUM_SIZE_BYTES, TRAILER_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { LocalFile } from '../store/client.ts';
import { readPageMap, type PageMap } from './page-map.ts';
import type { HashedPart } from './file-checksum.ts';

/** Length of the index, and the trailer. */
const END_BYTES = 8 + TRAILER_SIZE_BYTES;

/** Nothing of it is proved before the checksum of the whole file is. */
export interface ReadLocalFile {
  readonly info: LTXFileInfo;
  readonly descriptor: number;
  readonly header: LTXHeader;
  readonly map: PageMap;
  readonly head: HashedPart;
  readonly tail: HashedPart;
  readonly fileChecksum: bigint;
}

/** LTX_TRUNCATED, LTX_INVALID; LTX_UNSUPPORTED for an index that is too large to be held. */
export async function readLocalFile(
  info: LTXFileInfo,
  { descriptor, sizeBytes }: LocalFile,
  kernel: Kernel,
): Promise<ReadLocalFile> {
  const headBytes = await readAt(descriptor, 0, Math.min(HEADER_SIZE_BYTES, sizeBytes));
  const header = decodeHeader(headBytes);
  const endStart = Math.max(0, sizeBytes - END_BYTES);
  const { start, end } = locatePageIndex(
    await readAt(descriptor, endStart, sizeBytes - endStart),
    sizeBytes,
  );
  const pagesEnd = start - PAGE_HEADER_SIZE_BYTES;
  const tailBytes = await readAt(descriptor, pagesEnd, sizeBytes - pagesEnd);
  if (tailBytes.subarray(0, PAGE_HEADER_SIZE_BYTES).some((byte) => byte !== 0)) {
    throw new ReplicationError('LTX_INVALID', 'its pages do not end where its index begins');
  }
  const index = tailBytes.subarray(PAGE_HEADER_SIZE_BYTES, end - pagesEnd);
  const trailer = decodeTrailer(tailBytes.subarray(-TRAILER_SIZE_BYTES), header.flags);
  const hashed = tailBytes.subarray(0, -FILE_CHECKSUM_SIZE_BYTES);
  return {
    info,
    descriptor,
    header,
    map: readPageMap(index, header, pagesEnd),
    head: { crc: kernel.crc64(headBytes), hashedBytes: headBytes.length },
    tail: { crc: kernel.crc64(hashed), hashedBytes: hashed.length },
    fileChecksum: trailer.fileChecksum,
  };
}

async function readAt(descriptor: number, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const count = await readFully(descriptor, bytes, start);
  if (count === length) return bytes;
  throw new ReplicationError('LTX_TRUNCATED', `the file is cut off: it ends at ${start + count}`);
}
