/**
 * Examines one stored file, as deep as asked:
 *
 *  depth    plain file                          encrypted file
 *  'end'    one read of its last bytes          only its listed size: its end cannot be decrypted alone
 *  'whole'  every byte                          every byte
 *
 * A small file is read whole in both cases: that costs the same request.
 */

import { isError, ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { CHECKSUM_FLAG } from '../ltx/checksum.ts';
import { AFTER_INDEX_BYTES, locatePageIndex, readHeader } from '../ltx/file.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import { rangesOf } from '../replica/ranges.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { readWhole, requireTXIDs } from './read-whole.ts';

export type Depth = 'end' | 'whole';

/** The identity of a file. Equal files have equal bytes. */
export interface FileIdentity {
  /** Decrypted. */
  readonly sizeBytes: number;
  readonly checksum: bigint;
}

export type Examined =
  /** `whole`: every byte was verified. `end`: it ends as an LTX file does. `listed`: nothing was read. */
  | {
      readonly kind: 'whole' | 'end' | 'listed';
      readonly identity: FileIdentity | undefined;
      /** undefined if its header was not read; 0n if the file has none. */
      readonly lineage: bigint | undefined;
      /** The time of its last commit, by the clock of the writer; undefined if its header was not read. */
      readonly committedMs?: number | undefined;
      /** Whether it is known to hold every page. */
      readonly isFullImage: boolean;
    }
  | {
      readonly kind: 'bad';
      /** An error code and what is wrong. */
      readonly code: string;
      readonly why: string;
    }
  /** It was deleted after it was listed. */
  | { readonly kind: 'gone' }
  /** Nothing is known of its bytes: there is no identity to decrypt it, or the destination failed. */
  | { readonly kind: 'unread'; readonly code: string; readonly why: string };

export interface ExamineOptions {
  readonly depth: Depth;
  readonly kernel: Kernel;
  readonly signal?: AbortSignal | undefined;
}

/** A file up to this size is read whole. Most files of level 0 are smaller. */
const SMALL_BYTES_MAX: number = 16 * 1024;

/** Rejects only with the reason of the signal. */
export async function examine(
  client: ReplicaFiles,
  file: LTXFileInfo,
  options: ExamineOptions,
): Promise<Examined> {
  const { depth, kernel, signal } = options;
  try {
    if (depth === 'whole' || file.sizeBytes <= SMALL_BYTES_MAX) {
      const { header, sizeBytes, checksum, isFullImage } = await readWhole(
        ...([client, file, kernel, signal] as const),
      );
      const identity = { sizeBytes, checksum };
      const { nodeID: lineage, timestampMs: committedMs } = header;
      return { kind: 'whole', identity, lineage, committedMs, isFullImage };
    }
    const isFullImage = file.minTXID === 1n;
    if (client.encrypted !== undefined) {
      return { kind: 'listed', identity: undefined, lineage: undefined, isFullImage };
    }
    const identity = await readEnd(client, file, signal);
    return { kind: 'end', identity, lineage: undefined, isFullImage };
  } catch (error) {
    signal?.throwIfAborted();
    return toExamined(error);
  }
}

/** The lineage in the header of a file that was not read whole. */
export async function examineHeader(
  client: ReplicaFiles,
  file: LTXFileInfo,
  before: Examined,
  signal: AbortSignal | undefined,
): Promise<Examined> {
  if ((before.kind !== 'end' && before.kind !== 'listed') || before.lineage !== undefined) {
    return before;
  }
  try {
    const header = await readHeader(rangesOf(client, file, signal), file.sizeBytes);
    requireTXIDs(file, header);
    return { ...before, lineage: header.nodeID, committedMs: header.timestampMs };
  } catch (error) {
    signal?.throwIfAborted();
    return toExamined(error);
  }
}

async function readEnd(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<FileIdentity> {
  const { sizeBytes } = file;
  const end = await rangesOf(client, file, signal)(sizeBytes - AFTER_INDEX_BYTES, sizeBytes);
  try {
    locatePageIndex(end, sizeBytes);
  } catch (error) {
    // An index of a very large file is longer than what is read at once.
    if (!isError(error, 'LTX_UNSUPPORTED')) throw error;
  }
  const at = end.length - FILE_CHECKSUM_SIZE_BYTES;
  const checksum = new DataView(end.buffer, end.byteOffset).getBigUint64(at);
  if ((checksum & CHECKSUM_FLAG) !== 0n) return { sizeBytes, checksum };
  throw new ReplicationError('LTX_INVALID', 'LTX trailer: file checksum without its flag bit');
}

function toExamined(error: unknown): Examined {
  if (!isError(error)) throw error;
  const { code, message: why } = error;
  if (code === 'REPLICA_NOT_FOUND') return { kind: 'gone' };
  if (code.startsWith('LTX_')) return { kind: 'bad', code, why };
  return { kind: 'unread', code, why };
}
