/**
 * Reads pages as SQLite sees them at the last held frame. Needed for the few pages that no held frame
 * has: pages by which a database grew without writing them (a page that goes directly to the freelist).
 *
 * The newest frame of such a page in the log, up to the last held frame, takes precedence over the
 * file. The log may restart at the same time. Then all frames of the old log were backfilled, and for a
 * frame that can no longer be verified (WALReader.readPage) the file has the same page.
 */

import type { Connections } from './sqlite/connections.ts';
import type { LogPlace } from '../wal/frame.ts';
import type { WALReader } from '../wal/reader.ts';

export function createCurrentPageReader(
  connections: Pick<Connections, 'pageSize' | 'readFile'>,
  wal: WALReader,
  place: LogPlace,
): (pgno: number) => Uint8Array {
  const { pageSize } = connections;
  let newest: ReadonlyMap<number, number> | undefined;
  return (pgno) => {
    newest ??= newestFrames(wal, place);
    const page = new Uint8Array(pageSize);
    const frame = newest.get(pgno);
    if (frame !== undefined && place.header !== undefined) {
      if (wal.readPage(frame, place.header, page)) return page;
      page.fill(0);
    }
    connections.readFile(page, (pgno - 1) * pageSize); // beyond the end of the file: zeros
    return page;
  };
}

function newestFrames(wal: WALReader, place: LogPlace): Map<number, number> {
  const frames = new Map<number, number>();
  if (place.header === undefined) return frames;
  const { salt1, salt2 } = place.header;
  for (let number = 1; number <= place.frame; number++) {
    const header = wal.readFrameHeader(number, place.header);
    if (header?.salt1 === salt1 && header.salt2 === salt2) frames.set(header.pgno, number);
  }
  return frames;
}
