/**
 * Staged files as bodies to send: as they are, or the same pages under other TXIDs.
 *
 * An image is staged once and sent as level 0 n..n, as snapshot 1..n, and at a seam as k..n. Only
 * the header and the file checksum differ, so the rest of the staged file is sent as it is.
 */

import { ReplicationError } from '../../error.ts';
import { type FileSystem, isMissing, type StoredFile } from '../../file-system.ts';
import { createKernel, type Kernel } from '../../kernel/kernel.ts';
import {
  formatFileChecksum,
  readEnds,
  readFileChecksum,
  type ReadFileRange,
  withTXIDs,
} from '../../ltx/file.ts';
import { HEADER_SIZE_BYTES, type LTXHeader } from '../../ltx/header.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../../ltx/trailer.ts';
import type { ObjectBody } from '../../store/client.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { StagedIncrement } from '../backlog.ts';
import type { SentRecord } from './admission.ts';
import type { SeedSource } from './next.ts';

const CHUNK_BYTES = 1024 * 1024;

/** The record of a staged file that is sent; undefined where there is none, or it was freed meanwhile. */
export async function recordIfStaged(
  files: FileSystem,
  file: StagedIncrement | undefined,
): Promise<SentRecord | undefined> {
  if (file === undefined) return undefined;
  const { txid, sizeBytes, lineage, path } = file;
  try {
    return { txid, sizeBytes, lineage, checksum: await readChecksum(files, path) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function readChecksum(files: FileSystem, path: string): Promise<string> {
  const handle = await files.open(path);
  try {
    const sizeBytes = await handle.sizeBytes();
    return formatFileChecksum(await readFileChecksum(rangesOfHandle(handle, path), sizeBytes));
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

export interface BodyReading {
  readonly files: FileSystem;
  /** All bytes of the source, where they are in memory. */
  readonly whole: Buffer | undefined;
  /** Called with the number of bytes that were read. */
  readonly onBytes: (count: number) => void;
}

/** A body of `source` whose header bears the TXIDs of `ref`. */
export async function bodyAs(
  ref: LTXFileRef,
  source: SeedSource,
  { files, whole, onBytes }: BodyReading,
): Promise<NamedBody> {
  if (whole !== undefined) return await bodyOf(ref, source, bytesOf(whole), onBytes);
  const handle = await files.open(source.path);
  try {
    const ranges: Ranges = {
      read: rangesOfHandle(handle, source.path),
      stream: (start, end) => readRange(files, source.path, start, end),
    };
    return await bodyOf(ref, source, ranges, onBytes);
  } finally {
    await handle.close();
  }
}

/** Bytes of a staged file. */
interface Ranges {
  readonly read: ReadFileRange;
  /** Opens the file by itself. */
  readonly stream: (start: number, end: number) => AsyncIterable<Uint8Array>;
}

function bytesOf(whole: Buffer): Ranges {
  return {
    read: async (start, end) => whole.subarray(start, end),
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
  const { sizeBytes, timestampMs } = source;
  const ends = await readEnds(read, sizeBytes);
  const { header } = ends;
  const common = { sizeBytes, createdAt: new Date(timestampMs) };
  if (header.minTXID === ref.minTXID && header.maxTXID === ref.maxTXID) {
    const checksum = formatFileChecksum(ends.trailer.fileChecksum);
    const body = { ...common, open: () => counted(stream(0, sizeBytes), onBytes) };
    return { body, checksum, header };
  }
  kernel ??= createKernel();
  const { head, tail, fileChecksum } = withTXIDs(ends, ref, kernel);
  const body: ObjectBody = {
    ...common,
    async *open(): AsyncIterable<Uint8Array> {
      yield head;
      yield* counted(stream(HEADER_SIZE_BYTES, sizeBytes - FILE_CHECKSUM_SIZE_BYTES), onBytes);
      yield tail;
    },
  };
  return { body, checksum: formatFileChecksum(fileChecksum), header };
}

function rangesOfHandle(handle: StoredFile, path: string): ReadFileRange {
  return (start, end) => readStaged(handle, path, start, end - start);
}

let kernel: Kernel | undefined; // of this thread; made when the first image is sent

async function* readRange(
  files: FileSystem,
  path: string,
  start: number,
  end: number,
): AsyncIterable<Uint8Array> {
  const handle = await files.open(path);
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

/*
 * Staged files that several destinations send at the same time are read once: most are small, and each
 * open, read and close of a file costs more than the bytes do. A file is kept in memory while one of
 * them has it in hand, and no longer.
 */

/** Files up to this size are shared: a commit of some pages. What is larger is read in chunks. */
export const SHARED_BYTES_MAX: number = 256 * 1024;

interface Read {
  readonly bytes: Promise<Buffer>;
  users: number;
}

/** A file in memory, until it is disposed of. */
export interface SharedBytes extends Disposable {
  readonly bytes: Buffer;
}

export class SharedReads {
  readonly #files: FileSystem;
  readonly #reads = new Map<string, Read>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** undefined where it is too large to be shared. Rejects as opening and reading the file do. */
  async read(source: SeedSource): Promise<SharedBytes | undefined> {
    const { path, sizeBytes, timestampMs } = source;
    if (sizeBytes > SHARED_BYTES_MAX) return undefined;
    const key = `${path} ${sizeBytes} ${timestampMs}`; // a path may be staged again
    const read = this.#reads.get(key) ?? {
      bytes: this.#readWhole(path, sizeBytes),
      users: 0,
    };
    this.#reads.set(key, read);
    read.users += 1;
    const free = (): void => {
      read.users -= 1;
      if (read.users === 0 && this.#reads.get(key) === read) this.#reads.delete(key);
    };
    try {
      return { bytes: await read.bytes, [Symbol.dispose]: free };
    } catch (error) {
      free();
      throw error;
    }
  }

  async #readWhole(path: string, sizeBytes: number): Promise<Buffer> {
    const handle = await this.#files.open(path);
    try {
      return await readStaged(handle, path, 0, sizeBytes);
    } finally {
      await handle.close();
    }
  }
}

// --- reads of staged files; missing bytes mean that the volume lost them ---

/** Exactly these bytes, in a buffer of their own; STAGING_FAILED where the file does not have them. */
async function readStaged(
  handle: StoredFile,
  path: string,
  start: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  const count = start < 0 ? 0 : await handle.readFully(bytes, start);
  if (count === length) return bytes;
  throw new ReplicationError(
    'STAGING_FAILED',
    `read ${length} bytes at ${start} of the staged file ${path}: got only ${count} bytes; check the volume`,
  );
}
