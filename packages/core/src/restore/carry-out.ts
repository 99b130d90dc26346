/**
 * Carries a plan out, from anywhere: its files newest first, so that a page is written once, from the newest file
 * that has it. Every file is read whole, every page of it decoded and hashed, and its checksum
 * found right, before this resolves. It ends at the first file that holds every page: only what
 * lies before such an image stays unread.
 *
 * Memory is READ_AHEAD_BYTES_MAX, some slabs for each thread, and one bit for each page.
 */

import { assert } from '../error.ts';
import { lockPgno, type LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { carryOutWindows } from './carry-out-windows.ts';
import { inlineCrew, threadCrew, type Crew } from './crew.ts';
import { FileScan, type ScannedFile } from './file-scan.ts';
import { Headers } from './headers.ts';
import { openLocalFiles } from './local-files.ts';
import { missingPage } from './missing-page.ts';
import { PageSet } from './page-set.ts';
import type { RestorePlan } from './plan.ts';
import { ReadAhead } from './read-ahead.ts';
import { SLAB_BYTES, Slabs, SMALL_SLAB_BYTES } from './slabs.ts';
import { toUnfit } from './unfit-file.ts';

/** Below this the caller's own thread decodes: starting others would take longer. */
const INLINE_BYTES_MAX: number = 4 * 1024 * 1024;
/** For each thread one at work and one waiting; one more is filled, one comes back. */
const SLABS_PER_THREAD = 2;
const SLABS_MORE = 2;

export interface CarryOutOptions {
  readonly client: ReplicaFiles;
  readonly ranges: 'some' | 'none';
  /** Whether files that lie on this machine may be read in the order of the database. */
  readonly local: 'allowed' | 'refused';
  readonly plan: RestorePlan;
  readonly descriptor: number;
  /** Told the size of the database before the first page is written. */
  readonly onSize: (sizeBytes: number) => Promise<void>;
  readonly threads: number;
  readonly readsMax: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

export interface CarriedOut {
  /** Of the newest file. */
  readonly header: LTXHeader;
  readonly filesRead: number;
}

export async function carryOut(options: CarryOutOptions): Promise<CarriedOut> {
  const { client, plan, signal } = options;
  if (options.local === 'allowed' && plan.sizeBytes > INLINE_BYTES_MAX) {
    await using local = await openLocalFiles(client, plan.files.toReversed(), signal);
    if (local !== undefined) return await carryOutWindows(options, local);
  }
  const run = new Run(options);
  try {
    return await run.all();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: CarryOutOptions;
  readonly #files: readonly LTXFileInfo[];
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #reads: ReadAhead;
  readonly #slabs: Slabs;
  readonly #crew: Crew;
  readonly #written = new PageSet();
  readonly #headers = new Headers();

  constructor(options: CarryOutOptions) {
    const { plan, descriptor, client, ranges, readsMax } = options;
    this.#options = options;
    this.#files = plan.files.toReversed();
    this.#signal = AbortSignal.any([options.signal, this.#failed.signal]);
    const isSmall = plan.sizeBytes <= INLINE_BYTES_MAX;
    const count = SLABS_MORE + (isSmall ? 0 : SLABS_PER_THREAD * options.threads);
    this.#slabs = new Slabs(count, isSmall ? SMALL_SLAB_BYTES : SLAB_BYTES, this.#signal);
    this.#crew = isSmall
      ? inlineCrew({ descriptor }, this.#slabs)
      : threadCrew({ descriptor }, this.#slabs, options.threads);
    this.#reads = new ReadAhead(this.#files, { client, ranges, readsMax, signal: this.#signal });
  }

  async all(): Promise<CarriedOut> {
    const proofs: Promise<void>[] = [];
    let filesRead = 0;
    for (const file of this.#files) {
      const scanned = await this.#scan(file);
      filesRead += 1;
      proofs.push(this.#prove(file, scanned));
      if (scanned.isFullImage) break;
    }
    await Promise.all(proofs);
    this.#signal.throwIfAborted();
    const header = this.#headers.newest;
    assert(header !== undefined, 'a plan has files');
    this.#requireWhole(header);
    return { header, filesRead };
  }

  /** Afterwards nothing is read and nothing is written any more. */
  async close(): Promise<void> {
    this.#failed.abort(new Error('the restore has ended'));
    await Promise.all([this.#reads.close(), this.#crew.close()]);
  }

  async #scan(file: LTXFileInfo): Promise<ScannedFile> {
    const scan = new FileScan({
      crew: this.#crew,
      slabs: this.#slabs,
      claim: (pgno) => pgno <= (this.#headers.newest?.commit ?? 0) && this.#written.add(pgno),
      onHeader: async (header) => {
        const isNewest = this.#headers.newest === undefined;
        this.#headers.add(file, header);
        if (isNewest) await this.#options.onSize(header.commit * header.pageSize);
      },
      onFailure: (error) => this.#failed.abort(toUnfit(file, error)),
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
      throw toUnfit(file, error);
    }
  }

  /** Never rejects: a failure ends the run by its signal, at once. */
  async #prove(file: LTXFileInfo, { proved }: ScannedFile): Promise<void> {
    try {
      await proved;
    } catch (error) {
      this.#failed.abort(toUnfit(file, error));
    }
  }

  #requireWhole({ commit, pageSize }: LTXHeader): void {
    const lock = lockPgno(pageSize);
    if (this.#written.count === commit - (commit >= lock ? 1 : 0)) return;
    let missing = 1;
    while (missing === lock || this.#written.has(missing)) missing += 1;
    throw missingPage(missing, commit);
  }
}
