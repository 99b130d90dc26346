/** The files of a plan, where all of them lie on this machine and are few enough to be open at once. */

import { isError } from '../error.ts';
import { createKernel } from '../kernel/kernel.ts';
import { isFullImage } from '../ltx/decoder.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import type { LocalFile } from '../store/client.ts';
import { changed } from './changed.ts';
import { Headers } from './headers.ts';
import { readLocalFile, type ReadLocalFile } from './local-file.ts';
import { toUnfit } from './unfit-file.ts';

/** Of the thousand descriptors that a process usually may have. */
const FILES_MAX = 256;
/** In all files together; the maps take 12 bytes of each. */
const PAGES_MAX: number = 4 * 1024 * 1024;

export interface LocalFiles extends AsyncDisposable {
  /** Newest first, to the first full image. */
  readonly files: readonly ReadLocalFile[];
}

/**
 * undefined where the destination is elsewhere, or the plan is too large for this. Errors as those
 * of any reader of the files.
 */
export async function openLocalFiles(
  client: ReplicaFiles,
  newestFirst: readonly LTXFileInfo[],
  signal: AbortSignal,
): Promise<LocalFiles | undefined> {
  if (client.openLocalFile === undefined || newestFirst.length > FILES_MAX) return undefined;
  const opened: LocalFile[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((file) => file.close()));
  };
  const kernel = createKernel();
  const headers = new Headers();
  const files: ReadLocalFile[] = [];
  let pages = 0;
  try {
    for (const info of newestFirst) {
      const local = await client.openLocalFile(info, { signal });
      opened.push(local);
      if (local.sizeBytes !== info.sizeBytes) throw changed(info, local.sizeBytes);
      const file = await readAs(info, () => readLocalFile(info, local, kernel));
      await readAs(info, async () => headers.add(info, file.header));
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
    if (isError(error, 'LTX_UNSUPPORTED')) return undefined; // an index that is not read at once
    throw error;
  }
}

async function readAs<T>(info: LTXFileInfo, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toUnfit(info, error);
  }
}
