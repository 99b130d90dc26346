/**
 * Reads one stored file to its checksum, and writes nothing. The size of a database comes from the
 * header of its newest file, before that file was verified. If there is no room for that size, the
 * header may be damaged: the disk is blamed only for a file that is whole.
 */

import { createKernel } from '../kernel/kernel.ts';
import { LTXDecoder } from '../ltx/decoder.ts';
import type { SourcedFile } from './plan/sources.ts';
import { toUnusableFileError } from './plan/unusable-file.ts';

/** Larger files are not read for this. */
const VERIFY_BYTES_MAX: number = 64 * 1024 * 1024;

/** UnusableFileError if the file is damaged. Files of more than VERIFY_BYTES_MAX count as whole. */
export async function requireUndamaged(file: SourcedFile, signal: AbortSignal): Promise<void> {
  if (file.sizeBytes > VERIFY_BYTES_MAX) return;
  const decoder = new LTXDecoder(createKernel());
  const { body } = await file.source.client.openFile(file, { signal });
  try {
    for await (const chunk of body) {
      for (const batch of decoder.push(chunk)) void batch;
    }
    decoder.finish();
  } catch (error) {
    throw toUnusableFileError(file, error);
  }
}
