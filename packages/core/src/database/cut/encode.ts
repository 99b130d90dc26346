/** Encodes pages as an LTX file, holding one batch at a time. */

import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../../kernel/kernel.ts';
import { LTXEncoder } from '../../ltx/encoder.ts';
import { FLAG_NO_CHECKSUM, type LTXHeader } from '../../ltx/header.ts';
import type { TXID } from '../../ltx/txid.ts';
import type { ObservePages } from '../checksums/collected.ts';

/** Copies page `pgno` into `into`, which has the size of one page. */
export type ReadPage = (pgno: number, into: Uint8Array) => void;

export interface FileIdentity {
  readonly pageSize: number;
  readonly commit: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly timestampMs: number;
  readonly lineage: bigint;
}

/**
 * The header of every file we write. WAL offset 32, size 0 and impossible salts: a Litestream that
 * continues this replica cannot find its place in the WAL, and begins with a full image.
 */
export function headerOf(identity: FileIdentity): LTXHeader {
  return {
    flags: FLAG_NO_CHECKSUM,
    pageSize: identity.pageSize,
    commit: identity.commit,
    minTXID: identity.minTXID,
    maxTXID: identity.maxTXID,
    timestampMs: identity.timestampMs,
    preApplyChecksum: 0n,
    walOffset: 32n,
    walSize: 0n,
    walSalt1: 0xffffffff,
    walSalt2: 0xffffffff,
    nodeID: identity.lineage,
  };
}

/**
 * Yields an LTX file of the pages `pgnos` (ascending) in chunks. The caller may keep the chunks. `observe`
 * must not change the kernel's input.
 */
export function* encodePages(
  kernel: Kernel,
  encoding: PageEncoding,
  header: LTXHeader,
  pgnos: Uint32Array,
  read: ReadPage,
  observe: ObservePages,
): Generator<Uint8Array, void> {
  const encoder = new LTXEncoder(kernel, header, { encoding });
  yield encoder.start().slice();
  const perBatch = Math.max(1, Math.floor(BATCH_BYTES_MAX / header.pageSize));
  for (let first = 0; first < pgnos.length; first += perBatch) {
    const batch = pgnos.subarray(first, first + perBatch);
    for (const [index, pgno] of batch.entries()) {
      read(pgno, kernel.input.subarray(index * header.pageSize, (index + 1) * header.pageSize));
    }
    const pages = kernel.input.subarray(0, batch.length * header.pageSize);
    observe(batch, pages);
    yield encoder.pages(batch, pages).slice();
  }
  yield encoder.finish().bytes.slice();
}

/** Large enough that a file of a few pages is written in one call. */
const WRITE_BYTES = 256 * 1024;

/** Joins chunks up to WRITE_BYTES, because the cost of a small write is mostly the call itself. */
export function* joinChunks(chunks: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  let held: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const chunk of chunks) {
    held.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes < WRITE_BYTES) continue;
    yield held.length === 1 ? chunk : Buffer.concat(held);
    held = [];
    sizeBytes = 0;
  }
  if (held.length > 0) yield Buffer.concat(held);
}
