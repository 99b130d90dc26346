/**
 * Positions of the pages of an LTX file, from its index, in flat arrays: 12 bytes per page. Not
 * trusted until every frame was decoded and the file checksum was verified.
 */

import { ReplicationError } from '../../error.ts';
import { HEADER_SIZE_BYTES, type LTXHeader } from '../../ltx/header.ts';
import { PageOrder } from '../../ltx/page-order.ts';
import { UvarintReader } from '../../ltx/uvarint.ts';

export interface PageMap {
  /** Ascending. */
  readonly pgnos: Uint32Array;
  /** Offset of each page's frame, followed by the end of the pages. */
  readonly offsets: Float64Array;
}

/** Page number, offset and size take at least one byte each. */
const ENTRY_BYTES_MIN = 3;

/**
 * Reads the bytes of an index, including its final zero byte. LTX_INVALID unless the page order is
 * valid for `header` and the frames fill the file from its header to `pagesEnd`.
 */
export function readPageMap(bytes: Uint8Array, header: LTXHeader, pagesEnd: number): PageMap {
  const reader = new UvarintReader(bytes);
  const order = new PageOrder(header);
  const room = Math.floor(bytes.length / ENTRY_BYTES_MIN);
  const pgnos = new Uint32Array(room);
  const offsets = new Float64Array(room + 1);
  let count = 0;
  let end = HEADER_SIZE_BYTES;
  try {
    for (let pgno = reader.take(); pgno !== 0; pgno = reader.take()) {
      order.check(pgno);
      const offset = reader.take();
      const sizeBytes = reader.take();
      if (offset !== end || sizeBytes === 0 || offset + sizeBytes > pagesEnd) {
        throw invalid(`page ${pgno} at offset ${offset} is outside the pages of the file`);
      }
      pgnos[count] = pgno;
      offsets[count] = offset;
      count += 1;
      end = offset + sizeBytes;
    }
  } catch (error) {
    throw error instanceof RangeError ? invalid(error.message) : error;
  }
  if (reader.restBytes > 0) throw invalid(`${reader.restBytes} bytes follow its end`);
  if (end !== pagesEnd) throw invalid(`its pages end at ${end}, not at ${pagesEnd}`);
  order.finish();
  offsets[count] = end;
  return { pgnos: pgnos.subarray(0, count), offsets: offsets.subarray(0, count + 1) };
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX page index: ${what}`);
}
