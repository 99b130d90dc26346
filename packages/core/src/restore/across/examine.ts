/**
 * Reads files of a plan to their checksums, and writes nothing. A restore stops at the first damaged file, and each
 * attempt reads everything before it again. After a second damaged file, it examines the rest first: a bucket
 * that lost half of its objects is then read twice, not once per object.
 */

import { assert, isError, type ReplicationError } from '../../error.ts';
import { createKernel, type Kernel } from '../../kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../../ltx/decoder.ts';
import { fileChangedError } from '../plan/file-changed.ts';
import { requireOwnHeader } from '../plan/header-chain.ts';
import type { SourcedFile } from '../plan/sources.ts';
import { toUnusableFileError } from '../plan/unusable-file.ts';
import { SourceError } from './source-error.ts';

/** Each has one batch of pages and a kernel. */
const READS_MAX = 4;
/** Reading a smaller file whole takes little longer than reading its header. */
const TRUSTED_BYTES_MIN: number = 4 * 1024 * 1024;

export interface ExamineOptions {
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/** A file that cannot be used. */
export interface BrokenFile {
  readonly file: SourcedFile;
  readonly error: ReplicationError;
}

export interface Examined {
  readonly sound: readonly SourcedFile[];
  /** Newest first. Files older than a sound full snapshot are not needed, and are not here. */
  readonly broken: readonly BrokenFile[];
}

type Result = BrokenFile | { readonly file: SourcedFile; readonly error: undefined; full: boolean };

/** `files`: newest first. Rejects with errors that are not about a file or its source. */
export async function examineFiles(
  files: readonly SourcedFile[],
  options: ExamineOptions,
): Promise<Examined> {
  const results: Result[] = [];
  const failed = new Map<string, ReplicationError>();
  const queue = files.entries();
  const work = async (): Promise<void> => {
    const kernel = createKernel();
    for (const [index, file] of queue) {
      options.signal.throwIfAborted();
      const known = failed.get(file.source.name);
      const result =
        known === undefined ? await examine(file, kernel, options) : { file, error: known };
      results[index] = result;
      const { error } = result;
      if (error instanceof SourceError && error.scope === 'source') failed.set(error.source, error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_MAX, files.length) }, work));
  const sound: SourcedFile[] = [];
  const broken: BrokenFile[] = [];
  for (const result of results) {
    if (result.error !== undefined) {
      broken.push(result);
      continue;
    }
    sound.push(result.file);
    if (result.full) break;
  }
  return { sound, broken };
}

/** LTX_… or REPLICA_… if the file is not whole. */
export async function requireWhole(
  file: SourcedFile,
  kernel: Kernel,
  { onBytes, signal }: ExamineOptions,
): Promise<'full snapshot' | 'increment'> {
  const decoder = new LTXDecoder(kernel);
  const { body, sizeBytes, storedBytes } = await file.source.client.openFile(file, { signal });
  const listedBytes = storedBytes ?? sizeBytes;
  if (listedBytes !== file.sizeBytes) {
    await body[Symbol.asyncIterator]().return?.(); // frees the connection
    throw fileChangedError(file, listedBytes);
  }
  for await (const chunk of body) {
    onBytes(chunk.length);
    for (const batch of decoder.push(chunk)) void batch;
  }
  const { pageCount } = decoder.finish();
  const { header } = decoder;
  assert(header !== undefined, 'a file that was decoded has a header');
  requireOwnHeader(file, header);
  return isFullImage(header, pageCount) ? 'full snapshot' : 'increment';
}

/**
 * The header of a file that is whole: a header has no checksum of its own. Of a file of more than
 * TRUSTED_BYTES_MIN it is believed.
 */
export async function requireSoundHeader(file: SourcedFile, signal: AbortSignal): Promise<void> {
  if (file.sizeBytes > TRUSTED_BYTES_MIN) return;
  try {
    await requireWhole(file, createKernel(), { onBytes: () => undefined, signal });
  } catch (error) {
    throw toUnusableFileError(file, error);
  }
}

async function examine(
  file: SourcedFile,
  kernel: Kernel,
  options: ExamineOptions,
): Promise<Result> {
  try {
    const content = await requireWhole(file, kernel, options);
    return { file, error: undefined, full: content === 'full snapshot' };
  } catch (thrown) {
    options.signal.throwIfAborted();
    const error = toUnusableFileError(file, thrown);
    if (!isError(error) || !/^(LTX|REPLICA)_/.test(error.code)) throw thrown;
    return { file, error };
  }
}
