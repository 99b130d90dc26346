/**
 * Makes request bodies from staged files: unchanged, or with other TXIDs in the header.
 *
 * An image is staged once and sent as level 0 n..n, as snapshot 1..n, and at a seam as k..n. Only
 * the header and the file checksum differ; the rest is sent unchanged.
 */

import { toStagingError } from '../../database/staging/staging-error.ts';
import { ReplicationError } from '../../error.ts';
import { type FileSystem, isMissing, type StoredFile } from '../../file-system.ts';
import { threadKernel } from '../../kernel/kernel.ts';
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

/** The record of a staged file; undefined if there is none or it was freed meanwhile. */
export async function recordIfStaged(
  files: FileSystem,
  file: Pick<StagedIncrement, 'txid' | 'sizeBytes' | 'lineage' | 'path'> | undefined,
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
  const handle = await openStaged(files, path);
  try {
    const sizeBytes = await handle.sizeBytes();
    return formatFileChecksum(await readFileChecksum(rangesOfHandle(handle, path), sizeBytes));
  } finally {
    await handle.close();
  }
}

/** A body and its file checksum, as 16 hex digits. */
export interface BodyWithChecksum {
  readonly body: ObjectBody;
  readonly checksum: string;
  readonly header: LTXHeader;
}

export interface BodyReading {
  readonly files: FileSystem;
  /** All bytes of the source, if they are in memory. */
  readonly whole: Buffer | undefined;
  /** Called with the number of bytes read. */
  readonly onBytes: (count: number) => void;
}

/** A body of `source` with the TXIDs of `ref` in its header. */
export async function bodyAs(
  ref: LTXFileRef,
  source: SeedSource,
  { files, whole, onBytes }: BodyReading,
): Promise<BodyWithChecksum> {
  if (whole !== undefined) return await bodyOf(ref, source, bytesOf(whole), onBytes);
  const handle = await openStaged(files, source.path);
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

/** Access to the bytes of a staged file. */
interface Ranges {
  readonly read: ReadFileRange;
  /** Opens the file on its own. */
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
): Promise<BodyWithChecksum> {
  const { sizeBytes, timestampMs } = source;
  const ends = await readEnds(read, sizeBytes);
  const { header } = ends;
  const common = { sizeBytes, createdAt: new Date(timestampMs) };
  if (header.minTXID === ref.minTXID && header.maxTXID === ref.maxTXID) {
    const checksum = formatFileChecksum(ends.trailer.fileChecksum);
    const body = { ...common, open: () => counted(stream(0, sizeBytes), onBytes) };
    return { body, checksum, header };
  }
  const { head, tail, fileChecksum } = withTXIDs(ends, ref, threadKernel());
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

async function* readRange(
  files: FileSystem,
  path: string,
  start: number,
  end: number,
): AsyncIterable<Uint8Array> {
  const handle = await openStaged(files, path);
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
 * A staged file that several destinations send at the same time is read once: most files are small, so
 * opening, reading and closing one costs more than its bytes. It stays in memory only while in use.
 */

/** Maximum size of a shared file: a commit of some pages. Larger files are read in chunks. */
export const SHARED_BYTES_MAX: number = 256 * 1024;

interface Read {
  readonly bytes: Promise<Buffer>;
  users: number;
}

/** A file in memory. Dispose of it after use. */
export interface SharedBytes extends Disposable {
  readonly bytes: Buffer;
}

export class SharedReads {
  readonly #files: FileSystem;
  readonly #reads = new Map<string, Read>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** Returns undefined if the file is too large to share. Rejects if it cannot be opened or read. */
  async read(source: SeedSource): Promise<SharedBytes | undefined> {
    const { path, sizeBytes, timestampMs } = source;
    if (sizeBytes > SHARED_BYTES_MAX) return undefined;
    const key = `${path} ${sizeBytes} ${timestampMs}`; // a path may be reused
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
    const handle = await openStaged(this.#files, path);
    try {
      return await readStaged(handle, path, 0, sizeBytes);
    } finally {
      await handle.close();
    }
  }
}

// --- exact reads of staged files ---

/** Throws STAGING_FAILED, which does not blame the destination. A missing file stays ENOENT. */
async function openStaged(files: FileSystem, path: string): Promise<StoredFile> {
  try {
    return await files.open(path);
  } catch (error) {
    throw isMissing(error) ? error : toStagingError(`read the staged file ${path}`, error);
  }
}

/**
 * Reads exactly `length` bytes into a new buffer. Throws STAGING_FAILED if the volume cannot read them or
 * lost some of them.
 */
async function readStaged(
  handle: StoredFile,
  path: string,
  start: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let count = 0;
  try {
    if (start >= 0) count = await handle.readFully(bytes, start);
  } catch (error) {
    throw toStagingError(`read the staged file ${path}`, error);
  }
  if (count === length) return bytes;
  throw new ReplicationError(
    'STAGING_FAILED',
    `read ${length} bytes at ${start} of the staged file ${path}: got only ${count} bytes; check the volume`,
  );
}
