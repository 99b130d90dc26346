/**
 * Staged files as bodies to send: as they are, or the same pages under other TXIDs.
 *
 * An image is staged once and sent as level 0 n..n, as snapshot 1..n, and at a seam as k..n. These
 * differ in the header's TXIDs and so in the file checksum, which is the CRC of the header combined
 * with that of the rest: the rest is sent as it lies there.
 */

import fs from 'node:fs/promises';
import { ReplicationError } from '../error.ts';
import { combineCRC64, createKernel, type Kernel } from '../kernel/kernel.ts';
import {
  decodeHeader,
  encodeHeader,
  HEADER_SIZE_BYTES,
  lockPgno,
  type LTXHeader,
} from '../ltx/header.ts';
import { FILE_CHECKSUM_SIZE_BYTES, TRAILER_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { ObjectBody } from '../store/client.ts';
import type { SentRecord } from './admission.ts';
import type { StagedIncrement } from './backlog.ts';
import type { SeedSource } from './next.ts';
import { readStaged } from './read-staged.ts';

const CHECKSUM_FLAG = 1n << 63n;
const PAGE_HEADER_SIZE_BYTES = 6;
const CHUNK_BYTES = 1024 * 1024;

/** What is noted of a staged file when it is sent. */
async function recordOf(file: StagedIncrement): Promise<SentRecord> {
  const { txid, sizeBytes, lineage, path } = file;
  return { txid, sizeBytes, lineage, checksum: await readChecksum(path) };
}

/** The same; undefined where there is no such file, or it was freed meanwhile. */
export async function recordIfStaged(
  file: StagedIncrement | undefined,
): Promise<SentRecord | undefined> {
  try {
    return file && (await recordOf(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Last 8 bytes of a staged file, as 16 hex digits. */
async function readChecksum(path: string): Promise<string> {
  const handle = await fs.open(path, 'r');
  try {
    const { size } = await handle.stat();
    const start = size - FILE_CHECKSUM_SIZE_BYTES;
    return (await readStaged(handle, path, start, FILE_CHECKSUM_SIZE_BYTES)).toString('hex');
  } finally {
    await handle.close();
  }
}

/** A body with the file checksum that it ends with, as 16 hex digits. */
export interface NamedBody {
  readonly body: ObjectBody;
  readonly checksum: string;
  readonly header: LTXHeader;
}

/**
 * A body of `source` whose header bears the TXIDs of `ref`. `whole` has all bytes of it where they are
 * in memory. `onBytes` is told what was read.
 */
export async function bodyAs(
  ref: LTXFileRef,
  source: SeedSource,
  whole: Buffer | undefined,
  onBytes: (count: number) => void,
): Promise<NamedBody> {
  if (whole !== undefined) return await bodyOf(ref, source, bytesOf(whole), onBytes);
  const handle = await fs.open(source.path, 'r');
  try {
    const ranges: Ranges = {
      read: (start, length) => readStaged(handle, source.path, start, length),
      stream: (start, end) => readRange(source.path, start, end),
    };
    return await bodyOf(ref, source, ranges, onBytes);
  } finally {
    await handle.close();
  }
}

/** Bytes of a staged file. */
interface Ranges {
  readonly read: (start: number, length: number) => Promise<Buffer>;
  /** May be used when the file has been closed. */
  readonly stream: (start: number, end: number) => AsyncIterable<Uint8Array>;
}

function bytesOf(whole: Buffer): Ranges {
  return {
    read: async (start, length) => whole.subarray(start, start + length),
    async *stream(start, end) {
      yield whole.subarray(start, end);
    },
  };
}

async function bodyOf(
  ref: LTXFileRef,
  source: SeedSource,
  { read, stream }: Ranges,
  onBytes: (count: number) => void,
): Promise<NamedBody> {
  const start = await read(0, HEADER_SIZE_BYTES + PAGE_HEADER_SIZE_BYTES);
  const own = start.subarray(0, HEADER_SIZE_BYTES);
  const header = decodeHeader(own);
  const endBytes = TRAILER_SIZE_BYTES + FILE_CHECKSUM_SIZE_BYTES;
  const end = await read(source.sizeBytes - endBytes, endBytes);
  const { sizeBytes, timestampMs } = source;
  const common = { sizeBytes, createdAt: new Date(timestampMs) };
  if (header.minTXID === ref.minTXID && header.maxTXID === ref.maxTXID) {
    const checksum = end.subarray(TRAILER_SIZE_BYTES).toString('hex');
    const body = { ...common, open: () => counted(stream(0, sizeBytes), onBytes) };
    return { body, checksum, header };
  }
  const head = encodeHeader({ ...header, minTXID: ref.minTXID, maxTXID: ref.maxTXID });
  const isBlock = start.readUInt16BE(HEADER_SIZE_BYTES + 4) !== 0; // ltx-format: flag 1 = block
  const hashed = hashedBytesAfterHeader({
    indexBytes: Number(end.readBigUInt64BE(0)),
    sizeBytes,
    pages: header.commit - (header.commit >= lockPgno(header.pageSize) ? 1 : 0),
    pageBytes: header.pageSize + PAGE_HEADER_SIZE_BYTES + (isBlock ? 4 : 0),
  });
  const tail = checksumUnder(own, head, end.readBigUInt64BE(TRAILER_SIZE_BYTES), hashed);
  const body: ObjectBody = {
    ...common,
    async *open(): AsyncIterable<Uint8Array> {
      yield head;
      yield* counted(stream(HEADER_SIZE_BYTES, sizeBytes - FILE_CHECKSUM_SIZE_BYTES), onBytes);
      yield tail;
    },
  };
  return { body, checksum: Buffer.from(tail).toString('hex'), header };
}

/** File checksum of the same pages under another header, as its 8 bytes. */
function checksumUnder(
  own: Uint8Array,
  head: Uint8Array,
  whole: bigint,
  hashed: number,
): Uint8Array {
  shared ??= createKernel();
  // The flag bit hides the checksum's top bit; CRC is linear, so what differs does not depend on it.
  const before = combineCRC64(shared.crc64(own), 0n, hashed);
  const after = combineCRC64(shared.crc64(head), 0n, hashed);
  const bytes = Buffer.alloc(FILE_CHECKSUM_SIZE_BYTES);
  bytes.writeBigUInt64BE((whole ^ before ^ after) | CHECKSUM_FLAG);
  return bytes;
}

interface FileShape {
  readonly indexBytes: number;
  readonly sizeBytes: number;
  readonly pages: number;
  /** What is hashed of each page: its header and the page itself, not as it is stored. */
  readonly pageBytes: number;
}

/** Bytes that the file checksum covers after the header. */
function hashedBytesAfterHeader(shape: FileShape): number {
  const rest = PAGE_HEADER_SIZE_BYTES + shape.indexBytes + 8 + 8; // end of pages, index, its size, post-apply
  if (shape.indexBytes < 1 || HEADER_SIZE_BYTES + rest + 8 > shape.sizeBytes) {
    throw new ReplicationError(
      'LTX_INVALID',
      'the page index of a staged image lies about its size',
    );
  }
  return shape.pages * shape.pageBytes + rest;
}

let shared: Kernel | undefined; // of this thread; made when the first image is sent

async function* readRange(path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  const handle = await fs.open(path, 'r');
  try {
    for (let at = start; at < end;) {
      const chunk = await readStaged(handle, path, at, Math.min(CHUNK_BYTES, end - at));
      yield chunk;
      at += chunk.length;
    }
  } finally {
    await handle.close();
  }
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    onBytes(chunk.length);
    yield chunk;
  }
}
