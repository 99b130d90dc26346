/**
 * Merges staged files into one staged file: written to a temporary file, made durable, compared with
 * its inputs, and then renamed. Memory is bounded by the number of inputs (ltx/merge.ts).
 */

import path from 'node:path';
import { isStagingError, toStagingError } from '../../database/staging/staging-error.ts';
import { Staging } from '../../database/staging/staging.ts';
import { assert, ReplicationError } from '../../error.ts';
import { type FileSystem, makeFolders, type StoredFile } from '../../file-system.ts';
import type { Kernel, PageEncoding } from '../../kernel/kernel.ts';
import { formatFilename } from '../../ltx/filename.ts';
import { merge, type MergedFile } from '../../ltx/merge.ts';
import type { TXID } from '../../ltx/txid.ts';
import { verifyMerge } from './verify-merge.ts';

/** One merge. The inputs are in the order of TXIDs. */
export interface MergeOrder {
  /** The staging folder. */
  readonly folder: string;
  readonly level: number;
  readonly inputs: readonly MergeSource[];
  readonly encoding: PageEncoding;
  readonly verify: 'verify' | 'trust';
}

export interface MergeSource {
  readonly path: string;
  readonly sizeBytes: number;
}

/** A staged merged file. */
export interface StagedMerge {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly path: string;
  readonly sizeBytes: number;
  readonly timestampMs: number;
  readonly lineage: bigint;
  readonly pageSize: number;
}

export type MergeFiles = (order: MergeOrder) => Promise<StagedMerge>;

export interface MergePorts {
  readonly files: FileSystem;
  readonly kernel: Kernel;
}

/** Buffers of all inputs together, and of one input at most. */
const BUFFERS_BYTES = 8 * 1024 * 1024;
const BUFFER_BYTES_MAX = 256 * 1024;

/** One merge at a time writes to a level. */
const TEMPORARY = 'merge.tmp';

export function levelFolder(folder: string, level: number): string {
  return path.join(folder, 'ltx', String(level));
}

/**
 * STAGING_FULL or STAGING_FAILED for errors of the volume; an LTX_… code if an input or the result is
 * not valid. Leaves no file unless it succeeds.
 */
export async function mergeFiles(order: MergeOrder, ports: MergePorts): Promise<StagedMerge> {
  const { files, kernel } = ports;
  const { level, inputs } = order;
  const folder = levelFolder(order.folder, level);
  const handles: StoredFile[] = [];
  try {
    await makeFolders(files, folder);
    for (const input of inputs) handles.push(await files.open(input.path));
    const bodies = inputs.map(({ sizeBytes }, index) =>
      chunksOf(handles[index] as StoredFile, sizeBytes, inputs.length),
    );
    let merged: MergedFile | undefined;
    const chunks = async function* (): AsyncGenerator<Uint8Array, void> {
      merged = yield* merge(kernel, bodies, { encoding: order.encoding });
    };
    const temporary = path.join(folder, TEMPORARY);
    const sizeBytes = await new Staging(order.folder, files).write(temporary, chunks(), 'image');
    assert(merged !== undefined, 'a merge that was written is complete');
    const { minTXID, maxTXID, timestampMs, nodeID: lineage, pageSize } = merged.header;
    const file = path.join(folder, formatFilename(minTXID, maxTXID));
    try {
      if (order.verify === 'verify') {
        const sources = inputs.map(
          ({ sizeBytes: size }, index) =>
            () =>
              chunksOf(handles[index] as StoredFile, size, 1),
        );
        await verifyWritten({ ...ports, temporary, sizeBytes, sources, file });
      }
      await files.rename(temporary, file);
    } catch (error) {
      await files.remove(temporary);
      throw error;
    }
    await files.syncFolder(folder);
    return { level, minTXID, maxTXID, path: file, sizeBytes, timestampMs, lineage, pageSize };
  } catch (error) {
    if (isStagingError(error)) throw error;
    throw toStagingError(`merge ${inputs.length} staged files into level ${level}`, error);
  } finally {
    await Promise.allSettled(handles.map((handle) => handle.close()));
  }
}

interface WrittenMerge extends MergePorts {
  readonly temporary: string;
  readonly sizeBytes: number;
  /** Each call reads the input from its start. */
  readonly sources: readonly (() => AsyncIterable<Uint8Array>)[];
  /** For messages. */
  readonly file: string;
}

/** Reads the written bytes back, and compares their pages with those of the inputs. */
async function verifyWritten(written: WrittenMerge): Promise<void> {
  const { files, kernel, temporary, sizeBytes, sources, file } = written;
  const handle = await files.open(temporary);
  try {
    const problem = await verifyMerge(kernel, sources, () => chunksOf(handle, sizeBytes, 1));
    if (problem === undefined) return;
    throw new ReplicationError(
      'LTX_INVALID',
      `verify ${file}, merged from ${sources.length} staged files: ${problem}; it is merged again, and its inputs stay`,
    );
  } finally {
    await handle.close();
  }
}

/** The chunks of a file, in new buffers. Ends early if the file is cut off, which the decoder notices. */
async function* chunksOf(
  handle: StoredFile,
  sizeBytes: number,
  inputs: number,
): AsyncGenerator<Uint8Array, void> {
  const bufferBytes = Math.min(BUFFER_BYTES_MAX, Math.ceil(BUFFERS_BYTES / inputs));
  for (let at = 0; at < sizeBytes;) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(bufferBytes, sizeBytes - at));
    const count = await handle.readFully(chunk, at);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    at += count;
  }
}
