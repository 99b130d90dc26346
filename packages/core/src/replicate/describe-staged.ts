/** What a staged file of an earlier run is: read from its header and its page index. */

import fs from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import type { StagedFile } from '../database/staging.ts';
import { decodeHeader, HEADER_SIZE_BYTES, lockPgno } from '../ltx/header.ts';
import type { StagedIncrement } from './backlog.ts';
import { readStaged } from './read-staged.ts';

export async function describeStaged(file: StagedFile, clock: Clock): Promise<StagedIncrement> {
  const handle = await fs.open(file.path, 'r');
  try {
    const header = decodeHeader(await readStaged(handle, file.path, 0, HEADER_SIZE_BYTES));
    const footerAt = file.sizeBytes - 24;
    const footer = await readStaged(handle, file.path, footerAt, 24);
    const indexBytes = Math.min(Number(footer.readBigUInt64BE(0)), file.sizeBytes);
    const index = await readStaged(handle, file.path, footerAt - indexBytes, indexBytes);
    const pages = header.commit - (header.commit >= lockPgno(header.pageSize) ? 1 : 0);
    return {
      txid: file.maxTXID,
      path: file.path,
      sizeBytes: file.sizeBytes,
      content: countEntries(index) === pages ? 'image' : 'increment',
      lineage: header.nodeID,
      pageSize: header.pageSize,
      timestampMs: header.timestampMs,
      since: clock.monotonic() - Math.max(0, clock.now() - header.timestampMs),
    };
  } finally {
    await handle.close();
  }
}

/** Entries of a page index: three varints each, and a zero at the end (ltx-format 1.3). */
function countEntries(index: Uint8Array): number {
  let varints = 0;
  for (const byte of index) if (byte < 0x80) varints += 1;
  return (varints - 1) / 3;
}
