/** Buckets of which each byte is chosen: two writers of one lineage. */

import fs from 'node:fs';
import path from 'node:path';
import {
  createKernel,
  FLAG_NO_CHECKSUM,
  formatFilename,
  LTXEncoder,
  toTXID,
} from '@sluice/core/ltx';
import { temporaryFolder } from './temporary.ts';

/** TXID 1 to `last` of one lineage; pages are filled with `fill` from TXID 2 on. */
export function writtenBucket(last: number, fill: number): string {
  const folder = path.join(temporaryFolder(), 'bucket');
  fs.mkdirSync(path.join(folder, 'ltx', '0'), { recursive: true });
  for (let txid = 1; txid <= last; txid += 1) {
    const name = formatFilename(toTXID(txid), toTXID(txid));
    fs.writeFileSync(path.join(folder, 'ltx', '0', name), onePage(txid, txid === 1 ? 0 : fill));
  }
  return folder;
}

function onePage(txid: number, fill: number): Uint8Array {
  const encoder = new LTXEncoder(
    createKernel(),
    {
      flags: FLAG_NO_CHECKSUM,
      pageSize: 512,
      commit: 1,
      minTXID: toTXID(txid),
      maxTXID: toTXID(txid),
      timestampMs: 1_700_000_000_000 + txid,
      preApplyChecksum: 0n,
      walOffset: 0n,
      walSize: 0n,
      walSalt1: 0,
      walSalt2: 0,
      nodeID: 0xabcdn,
    },
    { encoding: 'block' },
  );
  const start = encoder.start().slice();
  const page = encoder.pages(Uint32Array.of(1), new Uint8Array(512).fill(fill)).slice();
  return Buffer.concat([start, page, encoder.finish().bytes]);
}
