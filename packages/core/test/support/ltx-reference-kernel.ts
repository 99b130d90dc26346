/**
 * A slow reference implementation of the kernel for page frames and CRCs, in plain JavaScript. It is
 * written from the format description, not from our kernel, as an independent check.
 *
 * Compression is literals only, unless the caller provides the block of a page.
 */

import { ReplicationError } from '../../src/error.ts';
import type { DecodedPages, EncodedPages, Kernel, PageEncoding } from '../../src/kernel/kernel.ts';

const MASK = 0xffff_ffff_ffff_ffffn;
const TABLE: readonly bigint[] = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0xd800_0000_0000_0000n : 0n);
  return crc;
});
const TABLE_HIGH = Uint32Array.from(TABLE, (entry) => Number(entry >> 32n));
const TABLE_LOW = Uint32Array.from(TABLE, (entry) => Number(entry & 0xffff_ffffn));

export function referenceCRC64(bytes: Uint8Array, crc = 0n): bigint {
  const start = ~crc & MASK;
  let high = Number(start >> 32n);
  let low = Number(start & 0xffff_ffffn);
  for (const byte of bytes) {
    const slot = (low ^ byte) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (TABLE_LOW[slot] ?? 0);
    high = (high >>> 8) ^ (TABLE_HIGH[slot] ?? 0);
  }
  return ~((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) & MASK;
}

/** A block of literals that decompresses to `page`. */
export function literalBlock(page: Uint8Array): Uint8Array {
  const head: number[] = [Math.min(page.length, 15) << 4];
  for (let rest = page.length - 15; rest >= 0; rest -= 255) head.push(Math.min(rest, 255));
  return concat([Uint8Array.from(head), page]);
}

/** Throws LTX_INVALID unless the block gives exactly `size` bytes. */
function referenceDecompress(block: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  let to = 0;
  const byte = (): number => {
    const value = block[at++];
    if (value === undefined) throw invalid('the block ends within a sequence');
    return value;
  };
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let more = 255; more === 255;) length += more = byte();
    return length;
  };
  for (;;) {
    const token = byte();
    const literals = lengthOf(token >> 4);
    if (at + literals > block.length || to + literals > size) throw invalid('literals too long');
    out.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === block.length) break;
    const offset = byte() | (byte() << 8);
    const match = lengthOf(token & 15) + 4;
    if (offset === 0 || offset > to || to + match > size) throw invalid('a match out of bounds');
    for (let i = 0; i < match; i++) out[to + i] = out[to + i - offset] ?? 0;
    to += match;
  }
  if (to !== size) throw invalid(`the block gives ${to} of ${size} bytes`);
  return out;
}

function xxh32(bytes: Uint8Array): number {
  const [p1, p2, p3, p4, p5] = [2654435761, 2246822519, 3266489917, 668265263, 374761393];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rotl = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));
  const lanes = [p1 + p2, p2, 0, -p1].map((lane) => lane | 0);
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    for (let lane = 0; lane < 4; lane++) {
      const word = view.getUint32(at + 4 * lane, true);
      const mixed = ((lanes[lane] ?? 0) + Math.imul(word, p2)) | 0;
      lanes[lane] = Math.imul(rotl(mixed, 13), p1);
    }
  }
  const [a = 0, b = 0, c = 0, d = 0] = lanes;
  let hash = bytes.length < 16 ? p5 : rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
  hash = (hash + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(rotl(hash + Math.imul(view.getUint32(at, true), p3), 17), p4);
  }
  for (; at < bytes.length; at++) {
    hash = Math.imul(rotl(hash + Math.imul(bytes[at] ?? 0, p5), 11), p1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), p2);
  hash = Math.imul(hash ^ (hash >>> 13), p3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const FRAME_START = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7);

/** One page frame: its bytes in the file, and the bytes that the checksum covers. */
export function pageFrame(
  pgno: number,
  page: Uint8Array,
  encoding: PageEncoding,
  block: Uint8Array = literalBlock(page),
): { bytes: Uint8Array; hashed: Uint8Array } {
  const head = new Uint8Array(encoding === 'block' ? 10 : 6);
  const view = new DataView(head.buffer);
  view.setUint32(0, pgno);
  if (encoding === 'block') {
    view.setUint16(4, 1);
    view.setUint32(6, block.length);
    return { bytes: concat([head, block]), hashed: concat([head, page]) };
  }
  const isStored = block.length >= page.length;
  const payload = isStored ? page : block;
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, payload.length + (isStored ? 0x8000_0000 : 0), true);
  const hash = new Uint8Array(8);
  new DataView(hash.buffer).setUint32(4, xxh32(page), true);
  return {
    bytes: concat([head, FRAME_START, size, payload, hash]),
    hashed: concat([head, page]),
  };
}

/** Returns the block for a page; undefined for literals. */
export type KnownBlocks = (page: Uint8Array) => Uint8Array | undefined;

export function referenceKernel(known: KnownBlocks = () => undefined): Kernel {
  const unused = (): never => {
    throw new TypeError(
      'the reference kernel does not implement hashes of pages and WAL functions',
    );
  };
  return {
    input: new Uint8Array(256 * 1024),
    crc64: referenceCRC64,
    hashPages: unused,
    encodePages: (pgnos, pages, pageSize, encoding, crc) =>
      encode(pgnos, pages, pageSize, encoding, crc, known),
    decodePages: decode,
    scanFrames: unused,
    walChecksum: unused,
  };
}

function encode(
  pgnos: Uint32Array,
  pages: Uint8Array,
  pageSize: number,
  encoding: PageEncoding,
  crc: bigint,
  known: KnownBlocks,
): EncodedPages {
  const frames = [...pgnos].map((pgno, i) => {
    const page = pages.subarray(i * pageSize, (i + 1) * pageSize);
    return pageFrame(pgno, page, encoding, known(page));
  });
  return {
    bytes: concat(frames.map(({ bytes }) => bytes)),
    sizes: Uint32Array.from(frames, ({ bytes }) => bytes.length),
    crc: frames.reduce((running, { hashed }) => referenceCRC64(hashed, running), crc),
  };
}

/** Small, to find callers that do not continue after a full batch. */
const BATCH_PAGES = 3;

function decode(bytes: Uint8Array, pageSize: number, crc: bigint): DecodedPages {
  const pgnos: number[] = [];
  const pages: Uint8Array[] = [];
  const sizes: number[] = [];
  let at = 0;
  let running = crc;
  const stop = (stopped: DecodedPages['stopped']): DecodedPages => ({
    consumedBytes: at,
    pgnos: Uint32Array.from(pgnos),
    pages: concat(pages),
    sizes: Uint32Array.from(sizes),
    crc: running,
    stopped,
  });
  for (;;) {
    const rest = bytes.subarray(at);
    if (rest.length < 6) return stop('input');
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
    const pgno = view.getUint32(0);
    const flags = view.getUint16(4);
    if (flags > 1 || (pgno === 0 && flags !== 0)) throw invalid(`page ${pgno}, flags ${flags}`);
    if (pgno === 0) {
      at += 6;
      running = referenceCRC64(new Uint8Array(6), running);
      return stop('end');
    }
    if (pgnos.length === BATCH_PAGES) return stop('batch-full');
    const frame = flags === 1 ? takeBlock(rest, pageSize) : takeFrame(rest, pageSize);
    if (frame === undefined) return stop('input');
    pgnos.push(pgno);
    pages.push(frame.page);
    sizes.push(frame.size);
    running = referenceCRC64(rest.subarray(0, flags === 1 ? 10 : 6), running);
    running = referenceCRC64(frame.page, running);
    at += frame.size;
  }
}

interface TakenFrame {
  readonly page: Uint8Array;
  readonly size: number;
}

function takeBlock(bytes: Uint8Array, pageSize: number): TakenFrame | undefined {
  if (bytes.length < 10) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(6);
  if (length === 0 || length > pageSize + Math.floor(pageSize / 255) + 16) {
    throw invalid(`a block of ${length} bytes`);
  }
  const block = bytes.subarray(10, 10 + length);
  if (block.length < length) return undefined;
  return { page: referenceDecompress(block, pageSize), size: 10 + length };
}

function takeFrame(bytes: Uint8Array, pageSize: number): TakenFrame | undefined {
  if (bytes.length < 17) return undefined;
  if (FRAME_START.some((byte, i) => bytes[6 + i] !== byte))
    throw invalid('an unknown kind of frame');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = view.getUint32(13, true);
  const length = word & 0x7fff_ffff;
  if (length === 0 || length > pageSize) throw invalid(`a frame's block of ${length} bytes`);
  const size = 17 + length + 8;
  if (bytes.length < size) return undefined;
  const block = bytes.subarray(17, 17 + length);
  const isStored = word >= 0x8000_0000;
  if (isStored && length !== pageSize) throw invalid('a stored block that is not a page');
  const page = isStored ? block : referenceDecompress(block, pageSize);
  if (view.getUint32(17 + length, true) !== 0) throw invalid('a missing end mark');
  if (view.getUint32(21 + length, true) !== xxh32(page)) throw invalid('a wrong content checksum');
  return { page, size };
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function invalid(fault: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `page frame: ${fault}`);
}
