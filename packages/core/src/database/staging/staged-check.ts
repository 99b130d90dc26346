/**
 * Verifies the staged files of an earlier run. A file damaged by a crash or a disk must not be sent:
 * the destination would report it as replicated although it cannot be restored.
 */

import type { Clock } from '../../clock.ts';
import { isError, messageOf, ReplicationError } from '../../error.ts';
import { type FileSystem, isMissing, type StoredFile } from '../../file-system.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../../ltx/decoder.ts';
import { readEnds, readPageIndex } from '../../ltx/file.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { toStagingError } from './staging-error.ts';
import type { StagedFile } from './staging.ts';

/** What is verified. 'ends': header and page index. 'whole': every byte, by the checksum of the file. */
export type Depth = 'ends' | 'whole';

/** An intact staged file found at startup. */
export interface FoundFile {
  readonly file: StagedFile;
  readonly content: 'increment' | 'image';
  readonly pageSize: number;
  /** The run of images and increments that it belongs to. */
  readonly lineage: bigint;
  readonly timestampMs: number;
  /** When it was staged, by the monotonic clock, estimated from its timestamp. */
  readonly since: number;
}

export interface DamagedFile {
  readonly file: StagedFile;
  readonly why: string;
}

export interface CheckContext {
  readonly files: FileSystem;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly depthOf: (file: StagedFile) => Depth;
}

const CHUNK_BYTES = 1024 * 1024;
/** Larger files are decoded whole, because their page index may be too large to read at once. */
const ENDS_BYTES_MAX = 16 * 1024 ** 3;

/** Checks one file at a time, because there may be thousands. Throws STAGING_FAILED if one cannot be read. */
export async function checkStaged(
  files: readonly StagedFile[],
  context: CheckContext,
): Promise<{ found: FoundFile[]; damaged: DamagedFile[] }> {
  const found: FoundFile[] = [];
  const damaged: DamagedFile[] = [];
  for (const file of files) {
    try {
      found.push(await check(file, context));
    } catch (error) {
      if (isMissing(error)) continue; // it was removed meanwhile
      if (!isContentError(error)) throw toStagingError(`read the staged file ${file.path}`, error);
      damaged.push({ file, why: messageOf(error) });
    }
  }
  return { found, damaged };
}

async function check(file: StagedFile, context: CheckContext): Promise<FoundFile> {
  const { kernel, clock, depthOf } = context;
  const handle = await context.files.open(file.path);
  try {
    const read = async (start: number, end: number): Promise<Uint8Array> =>
      await readRange(handle, start, end);
    const { header } = await readEnds(read, file.sizeBytes);
    if (header.minTXID !== file.minTXID || header.maxTXID !== file.maxTXID) {
      throw new ReplicationError('LTX_INVALID', 'its header belongs to another file');
    }
    const isWhole = depthOf(file) === 'whole' || file.sizeBytes > ENDS_BYTES_MAX;
    const pages = isWhole
      ? await decodeWhole(handle, kernel)
      : await countPages(read, file.sizeBytes);
    return { file, ...describe(header, pages, clock) };
  } finally {
    await handle.close();
  }
}

function describe(header: LTXHeader, pages: number, clock: Clock): Omit<FoundFile, 'file'> {
  const { pageSize, nodeID: lineage, timestampMs } = header;
  return {
    content: isFullImage(header, pages) ? 'image' : 'increment',
    pageSize,
    lineage,
    timestampMs,
    since: clock.monotonic() - Math.max(0, clock.now() - timestampMs),
  };
}

/** Verifies every byte, and returns the number of pages. LTX_… if the file is damaged. */
export async function decodeWhole(handle: StoredFile, kernel: Kernel): Promise<number> {
  const decoder = new LTXDecoder(kernel);
  // Most files are small. V8 collects garbage early if it is often given that much memory.
  const sizeBytes = Math.max(1, await handle.sizeBytes());
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, sizeBytes));
  for (let at = 0; ;) {
    const count = await handle.readFully(chunk, at);
    if (count === 0) return decoder.finish().pageCount;
    for (const batch of decoder.push(chunk.subarray(0, count))) void batch;
    at += count;
  }
}

async function countPages(
  read: (start: number, end: number) => Promise<Uint8Array>,
  sizeBytes: number,
): Promise<number> {
  let pages = 0;
  for (const entry of await readPageIndex(read, sizeBytes)) pages += entry.pgno > 0 ? 1 : 0;
  return pages;
}

async function readRange(handle: StoredFile, start: number, end: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(end - start);
  const count = await handle.readFully(bytes, start);
  if (count === bytes.length) return bytes;
  throw new ReplicationError(
    'LTX_TRUNCATED',
    `the file ends at byte ${start + count}, expected ${end} bytes`,
  );
}

/** Whether the contents of the file are invalid, as opposed to a failed read. */
function isContentError(error: unknown): boolean {
  return isError(error) && error.code.startsWith('LTX_');
}
