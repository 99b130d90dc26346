/**
 * Carries a plan out whose files lie on this machine: in the order of the database, so that it is
 * written once and from its beginning to its end. Threads read the files themselves; each takes a
 * window of the database, reads its pages from every file, and keeps the newest of each.
 *
 * As with `applyPlan`, every page of every file is decoded and hashed, and every file's checksum
 * found right, before this resolves. The files' indexes say where to look, and prove nothing.
 *
 * Memory is a window and a kernel for each thread, and 12 bytes for each page of each file.
 */

import fs from 'node:fs';
import { promisify } from 'node:util';
import { assert, messageOf, ReplicationError } from '../error.ts';
import { requireFileChecksum, type HashedPart } from '../ltx/checksum.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import { fromFailure, type Failure } from '../threads/failure.ts';
import { Thread, threadScript } from '../threads/thread.ts';
import type { AppliedPlan, ApplyPlanOptions } from './apply-plan.ts';
import type { ReadLocalFile } from './local-file.ts';
import type { LocalFiles } from './local-files.ts';
import { toUnusableFileError } from './unusable-file.ts';
import type { WindowSettings } from './window-decoder.ts';
import type { WindowService } from './window-worker.ts';
import { windowsOf, type Window } from './windows.ts';

/** Large enough that a file's part of it is one read, small enough that many threads have one. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** What was written is brought to the disk so often, beside the work: the last fsync is short then. */
const FLUSH_BYTES = 128 * 1024 * 1024;

const fdatasync = promisify(fs.fdatasync);

export async function applyPlanInWindows(
  options: ApplyPlanOptions,
  { files }: LocalFiles,
): Promise<AppliedPlan> {
  const header = files[0]?.header;
  assert(header !== undefined, 'a plan has files');
  await options.onSize(header.commit * header.pageSize);
  const run = new WindowRun(options, files, header);
  try {
    await run.all();
  } finally {
    await run.close();
  }
  return { header, filesRead: files.length };
}

class WindowRun {
  readonly #options: ApplyPlanOptions;
  readonly #files: readonly ReadLocalFile[];
  readonly #hashes: HashedPart[][];
  readonly #threads: readonly Thread<WindowService>[];
  readonly #windows: Iterator<Window>;
  #unflushedBytes = 0;
  #flushing: Promise<void> | undefined;
  #next = 0;

  constructor(
    options: ApplyPlanOptions,
    files: readonly ReadLocalFile[],
    { pageSize, commit }: { pageSize: number; commit: number },
  ) {
    const windowPages = WINDOW_BYTES / pageSize;
    const settings: WindowSettings = {
      output: options.descriptor,
      files: files.map((file) => file.descriptor),
      pageSize,
      commit,
      windowPages,
    };
    this.#options = options;
    this.#files = files;
    this.#hashes = files.map(() => []);
    this.#windows = windowsOf(
      files.map((file) => file.map),
      commit,
      windowPages,
    );
    this.#threads = Array.from(
      { length: options.threads },
      () =>
        new Thread<WindowService>(threadScript(import.meta.url, 'window-worker'), {
          data: settings,
        }),
    );
  }

  async all(): Promise<void> {
    const { signal } = this.#options;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const work = this.#threads.map((thread) => this.#serve(thread));
      await Promise.race([Promise.all(work), aborted]);
      await this.#flushing;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    for (const [index, file] of this.#files.entries()) this.#verify(index, file);
  }

  /** Afterwards nothing is read and nothing is written any more. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    await this.#flushing?.catch(() => undefined); // told before, or less than what is told
  }

  /** One window after the other; the next one is with the thread before it has ended this one. */
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
    this.#unflushedBytes += WINDOW_BYTES;
    if (this.#unflushedBytes >= FLUSH_BYTES && this.#flushing === undefined) this.#flush();
  }

  #flush(): void {
    this.#unflushedBytes = 0;
    this.#flushing = fdatasync(this.#options.descriptor).then(
      () => {
        this.#flushing = undefined;
      },
      (error: unknown) => {
        throw new ReplicationError(
          'RESTORE_OUTPUT',
          `fsync the restored file: ${messageOf(error)}`,
          { cause: error },
        );
      },
    );
    this.#flushing.catch(() => undefined); // `all` waits for it
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
