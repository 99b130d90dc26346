/**
 * Runs a restore plan whose files are all on this machine. It works in database order, so the
 * output is written once, from start to end. Threads read the files themselves: each takes a window
 * of the database, reads its pages from every file, and keeps the newest version of each page.
 *
 * Like `applyPlan`, it decodes and hashes every page of every file and verifies every file checksum
 * before it resolves. The page indexes say where to read; they are not trusted as proof.
 *
 * Memory: WINDOWS_AT_ONCE windows and kernels per thread, and 12 bytes per page of each file.
 */

import fs from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../error.ts';
import { requireFileChecksum, type HashedPart } from '../ltx/checksum.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import { fromFailure, type Failure } from '../threads/failure.ts';
import { Thread, threadScript } from '../threads/thread.ts';
import type { AppliedPlan, ApplyPlanOptions } from './apply-plan.ts';
import type { ReadLocalFile } from './decode/local-file.ts';
import type { LocalFiles } from './decode/local-files.ts';
import { openDirect } from './decode/direct-output.ts';
import { Flusher } from './flusher.ts';
import { toUnusableFileError } from './plan/unusable-file.ts';
import type { WindowSettings } from './decode/window-decoder.ts';
import type { WindowService } from './decode/window-worker.ts';
import { WINDOWS_AT_ONCE, windowsOf, type Window } from './decode/windows.ts';

/** Large enough that a file's part of a window is one read; small enough for one per thread. */
const WINDOW_BYTES = 8 * 1024 * 1024;

export type WindowThreads = readonly Thread<WindowService>[];

/** Close them with `closeAll`. */
export function startWindowThreads(count: number): WindowThreads {
  const script = threadScript(import.meta.url, 'decode/window-worker');
  return Array.from({ length: count }, () => new Thread<WindowService>(script));
}

export async function closeAll(threads: WindowThreads): Promise<void> {
  await Promise.all(threads.map((thread) => thread.close()));
}

/** Smaller databases stay in the page cache: their application reads them next, and they are written in no time. */
const DIRECT_FROM_BYTES: number = 256 * 1024 * 1024;

/** Closes the threads. */
export async function applyPlanInWindows(
  options: ApplyPlanOptions,
  { files }: LocalFiles,
  threads: WindowThreads,
): Promise<AppliedPlan> {
  const header = files[0]?.header;
  assert(header !== undefined, 'a plan has files');
  await options.onSize(header.commit * header.pageSize);
  const isCached = options.cache === 'keep' || header.commit * header.pageSize < DIRECT_FROM_BYTES;
  const direct = isCached ? undefined : await openDirect(options.descriptor);
  try {
    const run = new WindowRun(options, files, threads, { ...header, direct });
    try {
      await run.all();
    } finally {
      await run.close();
    }
  } finally {
    if (direct !== undefined) await close(direct);
  }
  return { header, filesRead: files.length };
}

interface WindowTarget {
  readonly pageSize: number;
  readonly commit: number;
  readonly direct: number | undefined;
}

const close = promisify(fs.close);

class WindowRun {
  readonly #options: ApplyPlanOptions;
  readonly #files: readonly ReadLocalFile[];
  readonly #hashes: HashedPart[][];
  readonly #threads: WindowThreads;
  readonly #windows: Iterator<Window>;
  /** Direct writes leave nothing to flush. */
  readonly #flusher: Flusher | undefined;
  #next = 0;

  constructor(
    options: ApplyPlanOptions,
    files: readonly ReadLocalFile[],
    threads: WindowThreads,
    { pageSize, commit, direct }: WindowTarget,
  ) {
    const windowPages = WINDOW_BYTES / pageSize;
    const settings: WindowSettings = {
      output: { cached: options.descriptor, direct },
      files: files.map((file) => file.descriptor),
      pageSize,
      commit,
      windowPages,
    };
    this.#options = options;
    this.#flusher = direct === undefined ? new Flusher(options.descriptor) : undefined;
    this.#files = files;
    this.#hashes = files.map(() => []);
    this.#windows = windowsOf(
      files.map((file) => file.map),
      commit,
      windowPages,
    );
    this.#threads = threads;
    for (const thread of threads) thread.notify('open', settings);
  }

  async all(): Promise<void> {
    const { signal } = this.#options;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const work = this.#threads.flatMap((thread) =>
        Array.from({ length: WINDOWS_AT_ONCE }, () => this.#serve(thread)),
      );
      await Promise.race([Promise.all(work), aborted]);
      await this.#flusher?.finish();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    for (const [index, file] of this.#files.entries()) this.#verify(index, file);
  }

  /** Once this resolves, nothing is being read or written. */
  async close(): Promise<void> {
    await closeAll(this.#threads);
    await this.#flusher?.close();
  }

  /** Handles one window after another. */
  async #serve(thread: Thread<WindowService>): Promise<void> {
    for (let step = this.#windows.next(); step.done !== true; step = this.#windows.next()) {
      const window = step.value;
      const order = this.#next++;
      const answer = await thread.call('decode', window);
      if (answer.kind === 'unusable') throw this.#toError(answer.file, answer.failure);
      this.#count(window, order, answer.hashed);
    }
  }

  #count({ slices }: Window, order: number, hashed: readonly HashedPart[]): void {
    for (const [at, { file, start, end }] of slices.entries()) {
      const slice = hashed[at];
      const known = this.#hashes[file];
      assert(slice !== undefined && known !== undefined, 'each slice was hashed');
      known[order] = slice;
      this.#options.onBytes(end - start);
    }
    this.#flusher?.add(WINDOW_BYTES);
  }

  #toError(index: number, failure: Failure): unknown {
    const file = this.#files[index];
    assert(file !== undefined, 'a slice is of a file of the plan');
    return toUnusableFileError(file.info, fromFailure(failure));
  }

  #verify(index: number, { info, head, tail, fileChecksum }: ReadLocalFile): void {
    const slices = (this.#hashes[index] ?? []).filter((slice) => slice !== undefined);
    this.#options.onBytes(head.hashedBytes + tail.hashedBytes + FILE_CHECKSUM_SIZE_BYTES);
    try {
      requireFileChecksum([head, ...slices, tail], fileChecksum);
    } catch (error) {
      throw toUnusableFileError(info, error);
    }
  }
}
