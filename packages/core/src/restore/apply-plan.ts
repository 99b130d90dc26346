/**
 * Runs a restore plan, from any destination. It reads files newest first, so each page is written
 * once, from the newest file that has it. Before it resolves, it has read every file completely,
 * decoded and hashed every page, and verified every file checksum. It stops at the first file that
 * holds every page: older files are not read. With a base, the plan has only files that continue the
 * database that is in the output already, and the other pages stay.
 *
 * Memory: READ_AHEAD_BYTES_MAX, a few slabs per thread, and one bit per page.
 */

import { assert } from '../error.ts';
import { threadKernel } from '../kernel/kernel.ts';
import { lockPgno, type LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { applyPlanInWindows, closeAll, startWindowThreads } from './apply-plan-windows.ts';
import { createInlinePool, createThreadPool, type DecoderPool } from './decode/decoder-pool.ts';
import { FileScan, type ScannedFile } from './decode/file-scan.ts';
import { HeaderChain } from './plan/header-chain.ts';
import { Flusher } from './flusher.ts';
import { mayBeLocal, openLocalFiles } from './decode/local-files.ts';
import { missingPageError } from './decode/missing-page.ts';
import { PageSet } from './decode/page-set.ts';
import type { RestorePlan } from './plan/plan.ts';
import { ReadAhead } from './read-ahead.ts';
import { SLAB_BYTES, Slabs, SMALL_SLAB_BYTES } from './decode/slabs.ts';
import { sourcedFiles, type SourcedFile } from './plan/sources.ts';
import { toUnusableFileError } from './plan/unusable-file.ts';

/**
 * Up to this size the calling thread decodes. It takes about 30 ms for that; starting a worker thread
 * takes up to 70 ms of processor time.
 */
const INLINE_BYTES_MAX: number = 12 * 1024 * 1024;
/** Local files of more than this are read by threads. Nothing else would run while one thread reads them. */
const LOCAL_INLINE_BYTES_MAX: number = 4 * 1024 * 1024;
/**
 * Per thread: one being decoded and one waiting. Overall: one being filled and one on its way back.
 */
const SLABS_PER_THREAD = 2;
const SLABS_EXTRA = 2;

export interface ApplyPlanOptions {
  /** Whether files on this machine may be read in database order. */
  readonly local: 'allowed' | 'refused';
  readonly plan: RestorePlan<SourcedFile>;
  readonly descriptor: number;
  /** As in RestoreOptions. */
  readonly cache?: 'keep' | undefined;
  /** The older state that the output holds. Only with local files refused. */
  readonly base?: BaseState | undefined;
  /** Called with the size of the database before the first page is written. */
  readonly onSize: (sizeBytes: number) => Promise<void>;
  readonly threads: number;
  readonly readsMax: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/** A state that the files of a plan continue. */
export interface BaseState {
  readonly pages: number;
  /** Throws if the file does not continue this state. */
  requireContinued(header: LTXHeader): void;
}

export interface AppliedPlan {
  /** Header of the newest file. */
  readonly header: LTXHeader;
  readonly filesRead: number;
}

export async function applyPlan(options: ApplyPlanOptions): Promise<AppliedPlan> {
  const { plan, signal } = options;
  const newestFirst = plan.files.toReversed();
  const isLarge = plan.sizeBytes > LOCAL_INLINE_BYTES_MAX;
  if (options.local === 'allowed' && isLarge && mayBeLocal(newestFirst)) {
    const threads = startWindowThreads(options.threads); // they start while the files are opened
    try {
      await using local = await openLocalFiles(newestFirst, signal);
      if (local !== undefined) return await applyPlanInWindows(options, local, threads);
    } finally {
      await closeAll(threads);
    }
  }
  const run = new PlanRun(options);
  try {
    return await run.all();
  } finally {
    await run.close();
  }
}

class PlanRun {
  readonly #options: ApplyPlanOptions;
  readonly #files: readonly SourcedFile[];
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #reads: ReadAhead<SourcedFile>;
  readonly #slabs: Slabs;
  readonly #pool: DecoderPool;
  readonly #written = new PageSet();
  readonly #flusher: Flusher;
  readonly #headers = new HeaderChain();
  /** Pages up to this one may stay as they are: no file of the plan ends before them. */
  #keptPages: number;

  constructor(options: ApplyPlanOptions) {
    const { plan, descriptor, readsMax, base } = options;
    this.#options = options;
    this.#keptPages = base?.pages ?? 0;
    this.#flusher = new Flusher(descriptor);
    this.#files = plan.files.toReversed();
    this.#signal = AbortSignal.any([options.signal, this.#failed.signal]);
    const isSmall = plan.sizeBytes <= INLINE_BYTES_MAX;
    const count = SLABS_EXTRA + (isSmall ? 0 : SLABS_PER_THREAD * options.threads);
    this.#slabs = new Slabs(count, isSmall ? SMALL_SLAB_BYTES : SLAB_BYTES, this.#signal);
    this.#pool = isSmall
      ? createInlinePool({ descriptor }, this.#slabs)
      : createThreadPool({ descriptor }, this.#slabs, options.threads);
    this.#reads = new ReadAhead(this.#files, {
      access: sourcedFiles,
      readsMax,
      signal: this.#signal,
    });
  }

  async all(): Promise<AppliedPlan> {
    const verifications: Promise<void>[] = [];
    let filesRead = 0;
    for (const file of this.#files) {
      const scanned = await this.#scan(file);
      filesRead += 1;
      verifications.push(this.#verify(file, scanned));
      if (scanned.isFullImage) break;
    }
    await Promise.all(verifications);
    await this.#flusher.finish();
    this.#signal.throwIfAborted();
    const header = this.#headers.newest;
    assert(header !== undefined, 'a plan has files');
    this.#requireWhole(header);
    return { header, filesRead };
  }

  /** Once this resolves, nothing is being read or written. */
  async close(): Promise<void> {
    this.#failed.abort(new Error('the restore has ended'));
    await Promise.all([this.#reads.close(), this.#pool.close(), this.#flusher.close()]);
  }

  async #scan(file: SourcedFile): Promise<ScannedFile> {
    const scan = new FileScan({
      kernel: threadKernel(),
      pool: this.#pool,
      slabs: this.#slabs,
      claim: (pgno) => this.#claim(pgno),
      onHeader: async (header) => {
        const isNewest = this.#headers.newest === undefined;
        this.#headers.add(file, header);
        this.#options.base?.requireContinued(header);
        this.#keptPages = Math.min(this.#keptPages, header.commit);
        if (isNewest) await this.#options.onSize(header.commit * header.pageSize);
      },
      onFailure: (error) => this.#failed.abort(toUnusableFileError(file, error)),
    });
    try {
      for await (const chunk of this.#reads.read(file)) {
        this.#signal.throwIfAborted();
        await scan.push(chunk);
        this.#options.onBytes(chunk.length);
      }
      return scan.finish();
    } catch (error) {
      scan.abandon();
      this.#signal.throwIfAborted();
      throw toUnusableFileError(file, error);
    }
  }

  /** Whether the page must be written: no newer file has it, and it is not after the end. */
  #claim(pgno: number): boolean {
    const { newest } = this.#headers;
    if (newest === undefined || pgno > newest.commit || !this.#written.add(pgno)) return false;
    this.#flusher.add(newest.pageSize);
    return true;
  }

  /** Never rejects: a failure aborts the run through its signal. */
  async #verify(file: LTXFileInfo, { verified }: ScannedFile): Promise<void> {
    try {
      await verified;
    } catch (error) {
      this.#failed.abort(toUnusableFileError(file, error));
    }
  }

  #requireWhole({ commit, pageSize }: LTXHeader): void {
    const lock = lockPgno(pageSize);
    if (this.#written.count === commit - (commit >= lock ? 1 : 0)) return;
    for (let pgno = this.#keptPages + 1; pgno <= commit; pgno += 1) {
      if (pgno !== lock && !this.#written.has(pgno)) throw missingPageError(pgno, commit);
    }
  }
}
