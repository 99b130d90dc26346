/** LTX files in memory: written, read, and forged with invalid contents. */

import { LTXDecoder, type DecodedFile } from '../../src/ltx/decoder.ts';
import { LTXEncoder, type FinishedFile } from '../../src/ltx/encoder.ts';
import { encodeHeader, FLAG_NO_CHECKSUM, type LTXHeader } from '../../src/ltx/header.ts';
import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { concat, pageFrame, referenceCRC64 } from './ltx-reference-kernel.ts';

export interface Page {
  readonly pgno: number;
  readonly bytes: Uint8Array;
}

/** A valid header with the given fields. */
export function headerWith(fields: Partial<LTXHeader> = {}): LTXHeader {
  return {
    flags: FLAG_NO_CHECKSUM,
    pageSize: 512,
    commit: 1,
    minTXID: toTXID(1),
    maxTXID: fields.minTXID ?? toTXID(1),
    timestampMs: 1_700_000_000_000,
    preApplyChecksum: 0n,
    walOffset: 0n,
    walSize: 0n,
    walSalt1: 0,
    walSalt2: 0,
    nodeID: 0n,
    ...fields,
  };
}

export interface WrittenFile extends FinishedFile {
  readonly whole: Uint8Array;
}

/** Writes a file with the encoder, in batches of `perBatch` pages. */
export function writeFile(
  kernel: Kernel,
  header: LTXHeader,
  pages: readonly Page[],
  encoding: PageEncoding = 'block',
  perBatch = Math.floor(BATCH_BYTES_MAX / header.pageSize),
): WrittenFile {
  const encoder = new LTXEncoder(kernel, header, { encoding });
  const parts = [encoder.start().slice()];
  for (let at = 0; at < pages.length; at += perBatch) {
    const batch = pages.slice(at, at + perBatch);
    const pgnos = Uint32Array.from(batch, ({ pgno }) => pgno);
    parts.push(encoder.pages(pgnos, concat(batch.map(({ bytes }) => bytes))).slice());
  }
  const finished = encoder.finish();
  return { ...finished, whole: concat([...parts, finished.bytes]) };
}

export interface ReadFile extends DecodedFile {
  readonly header: LTXHeader;
  readonly pages: Page[];
}

/** Decodes a file from the given chunks. Throws the errors of the decoder. */
export function readFile(kernel: Kernel, chunks: readonly Uint8Array[]): ReadFile {
  const decoder = new LTXDecoder(kernel);
  const pages: Page[] = [];
  for (const chunk of chunks) {
    for (const batch of decoder.push(chunk)) pages.push(...pagesOf(decoder, batch));
  }
  const file = decoder.finish();
  const { header } = decoder;
  if (header === undefined) throw new TypeError('a finished file has a header');
  return { ...file, header, pages };
}

function pagesOf(
  decoder: LTXDecoder,
  { pgnos, pages }: { pgnos: Uint32Array; pages: Uint8Array },
): Page[] {
  const size = decoder.header?.pageSize ?? 0;
  return [...pgnos].map((pgno, i) => ({
    pgno,
    bytes: pages.slice(i * size, (i + 1) * size),
  }));
}

export function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface Forgery {
  readonly header: LTXHeader;
  readonly pages: readonly Page[];
  readonly encoding?: PageEncoding;
  /** The compressed block of a page. Default: literals only. */
  readonly block?: (page: Page) => Uint8Array | undefined;
  /** Changes the valid index. */
  readonly index?: (entries: IndexEntry[]) => IndexEntry[];
  readonly indexLength?: (length: number) => number;
  readonly postApplyChecksum?: bigint;
  /** Bytes between the index length and the trailer. */
  readonly before?: Uint8Array;
}

export interface IndexEntry {
  pgno: number;
  offset: number;
  sizeBytes: number;
}

/**
 * Forges a file with a valid checksum but invalid contents, which only cross-checks can detect.
 * Implemented from the format description. Only the header comes from our encoder.
 */
export function forge(forgery: Forgery): Uint8Array {
  const { header, pages, encoding = 'block' } = forgery;
  const parts = [encodeHeader(header)];
  const hashed = [...parts];
  const entries: IndexEntry[] = [];
  let offset = 100;
  for (const page of pages) {
    const frame = pageFrame(page.pgno, page.bytes, encoding, forgery.block?.(page));
    parts.push(frame.bytes);
    hashed.push(frame.hashed);
    entries.push({ pgno: page.pgno, offset, sizeBytes: frame.bytes.length });
    offset += frame.bytes.length;
  }
  const index = Uint8Array.from([
    ...(forgery.index?.(entries) ?? entries).flatMap((entry) => [
      ...varint(entry.pgno),
      ...varint(entry.offset),
      ...varint(entry.sizeBytes),
    ]),
    0,
  ]);
  const length = uint64(BigInt(forgery.indexLength?.(index.length) ?? index.length));
  const end = [new Uint8Array(6), index, length, forgery.before ?? new Uint8Array(0)];
  end.push(uint64(forgery.postApplyChecksum ?? 0n));
  const checksum = referenceCRC64(concat([...hashed, ...end])) | (1n << 63n);
  return concat([...parts, ...end, uint64(checksum)]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** Parses hex digits, with optional whitespace. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}
