/**
 * Opens an LTX file on this machine: reads its header, index and trailer, and hashes the bytes
 * around its page frames.
 *
 *   header (100 bytes) | page frames | six zero bytes | index, its length | trailer (16 bytes)
 */

import { ReplicationError } from '../../error.ts';
import { readFully } from '../../file-io.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { HashedPart } from '../../ltx/checksum.ts';
import { readEnds, requireReadable } from '../../ltx/file.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { PAGE_HEADER_SIZE_BYTES } from '../../ltx/page-frame.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../../ltx/trailer.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import type { LocalFile } from '../../store/client.ts';
import { type PageMap, readPageMap } from './page-map.ts';

/** Not trusted until the checksum of the whole file was verified. */
export interface ReadLocalFile {
  readonly info: LTXFileInfo;
  readonly descriptor: number;
  readonly header: LTXHeader;
  readonly map: PageMap;
  readonly head: HashedPart;
  readonly tail: HashedPart;
  readonly fileChecksum: bigint;
}

/** LTX_TRUNCATED, LTX_INVALID; LTX_UNSUPPORTED for an index that is too large to load. */
export async function readLocalFile(
  info: LTXFileInfo,
  { descriptor, sizeBytes }: LocalFile,
  kernel: Kernel,
): Promise<ReadLocalFile> {
  const read = (from: number, to: number): Promise<Uint8Array> => readRange(descriptor, from, to);
  const { header, headerBytes, index, trailer } = await readEnds(read, sizeBytes);
  requireReadable(index);
  const pagesEnd = index.start - PAGE_HEADER_SIZE_BYTES;
  const tailBytes = await read(pagesEnd, sizeBytes);
  if (tailBytes.subarray(0, PAGE_HEADER_SIZE_BYTES).some((byte) => byte !== 0)) {
    throw new ReplicationError('LTX_INVALID', 'its pages do not end where its index begins');
  }
  const indexBytes = tailBytes.subarray(PAGE_HEADER_SIZE_BYTES, index.end - pagesEnd);
  const hashed = tailBytes.subarray(0, -FILE_CHECKSUM_SIZE_BYTES);
  return {
    info,
    descriptor,
    header,
    map: readPageMap(indexBytes, header, pagesEnd),
    head: { crc: kernel.crc64(headerBytes), hashedBytes: headerBytes.length },
    tail: { crc: kernel.crc64(hashed), hashedBytes: hashed.length },
    fileChecksum: trailer.fileChecksum,
  };
}

async function readRange(descriptor: number, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  const count = await readFully(descriptor, bytes, start);
  if (count === bytes.length) return bytes;
  throw new ReplicationError('LTX_TRUNCATED', `the file is cut off: it ends at ${start + count}`);
}
