/**
 * Opens the files of a plan if all of them are on this machine and few enough to be open at once.
 */

import { assert, isError } from '../../error.ts';
import { threadKernel } from '../../kernel/kernel.ts';
import { isFullImage } from '../../ltx/decoder.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import type { LocalFile } from '../../store/client.ts';
import { fileChangedError } from '../plan/file-changed.ts';
import { HeaderChain } from '../plan/header-chain.ts';
import type { SourcedFile } from '../plan/sources.ts';
import { toUnusableFileError } from '../plan/unusable-file.ts';
import { readLocalFile, type ReadLocalFile } from './local-file.ts';

/** A process may usually open about a thousand files. */
const FILES_MAX = 256;
/** Limit for all files together: a page map takes 12 bytes per page. */
const PAGES_MAX: number = 4 * 1024 * 1024;

export interface LocalFiles extends AsyncDisposable {
  /** Newest first, up to and including the first full snapshot. */
  readonly files: readonly ReadLocalFile[];
}

/** Whether all files are on this machine and few enough. */
export function mayBeLocal(files: readonly SourcedFile[]): boolean {
  if (files.length > FILES_MAX) return false;
  return files.every(({ source }) => source.client.openLocalFile !== undefined);
}

/**
 * Opens files for which `mayBeLocal` holds. Returns undefined if the plan is too large for this method. Throws the
 * same errors as any other reader of the files.
 */
export async function openLocalFiles(
  newestFirst: readonly SourcedFile[],
  signal: AbortSignal,
): Promise<LocalFiles | undefined> {
  const opened: LocalFile[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((file) => file.close()));
  };
  const kernel = threadKernel();
  const headers = new HeaderChain();
  const files: ReadLocalFile[] = [];
  let pages = 0;
  try {
    for (const info of newestFirst) {
      const local = await info.source.client.openLocalFile?.(info, { signal });
      assert(local !== undefined, 'all sources are on this machine');
      opened.push(local);
      if (local.sizeBytes !== info.sizeBytes) throw fileChangedError(info, local.sizeBytes);
      const file = await withFileErrors(info, () => readLocalFile(info, local, kernel));
      await withFileErrors(info, async () => headers.add(info, file.header));
      files.push(file);
      pages += file.map.pgnos.length;
      if (pages > PAGES_MAX) {
        await close();
        return undefined;
      }
      if (isFullImage(file.header, file.map.pgnos.length)) break;
    }
    return { files, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    if (isError(error, 'LTX_UNSUPPORTED')) return undefined; // the index is too large to load
    throw error;
  }
}

async function withFileErrors<T>(info: LTXFileInfo, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toUnusableFileError(info, error);
  }
}
