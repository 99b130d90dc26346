/**
 * A sample of pages whose contents in the database file can be predicted.
 *
 * A checkpoint writes the newest frame of each page. It skips a page whose newest frame it must not
 * write yet because a reader needs the older version. So
 *
 * - if every frame of a page is backfilled, the file has the page of its newest frame;
 * - a page without frames does not change;
 * - page 1 of the file is its last verified version, or a frame of page 1 not backfilled at that time.
 *
 * Any other content was written by a program other than SQLite. The sample has three kinds of pages:
 * page 1, which two databases rarely share; pages written recently or some time ago, which differ in
 * an older copy of the file; and pages that are never written, because a busy application soon
 * overwrites foreign content in all the others.
 */

/** CRC-64 of a page in the file; undefined if the file ends before it. */
export type HashPage = (pgno: number) => bigint | undefined;

interface Version {
  /** Number of its frame, counted across all logs. */
  readonly frame: number;
  /** undefined until the page is read, after all frames up to that one are backfilled. */
  readonly hash: bigint | undefined;
}

const FIRST_PGNO = 1;
/**
 * Sampling intervals in frames, one for each tier of written pages: so the sample covers the last
 * hundred frames as well as the last million. Hashing every frame would cost a tenth of a processor.
 */
const SAMPLE_EVERY: readonly number[] = [16, 128, 1_024, 8_192, 65_536];
/** Maximum pages in one tier. */
const WRITTEN_MAX = 8;
/** Few enough that reading the whole sample takes a fraction of a millisecond. */
const UNWRITTEN_MAX = 32;
/** Maximum versions of page 1 that are kept between two checks. With more, page 1 is not checked. */
const FIRST_PAGES_MAX = 4_096;
/** A page that is read during a write may be torn, and is read again. */
const READS_MAX = 3;

export class PageSample {
  /** Written pages by tier, the most frequently sampled tier first; in each tier the oldest first. */
  readonly #written: readonly Map<number, Version>[] = SAMPLE_EVERY.map(() => new Map());
  readonly #unwritten: Map<number, Version> = new Map();
  /** Hash of page 1 when the file was last verified. */
  #verifiedFirst: bigint | undefined;
  /** Frames of page 1 that were not backfilled at that time. */
  #firstPages: Version[] = [];
  /** Some frames up to this one were not read. */
  #unknownTo: number;
  #lastFrame: number;
  #frames = 0;

  constructor(unknownTo: number) {
    this.#unknownTo = unknownTo;
    this.#lastFrame = unknownTo;
  }

  /** Adds a frame. Calls `hash` only if the page is sampled. */
  add(pgno: number, frame: number, hash: () => bigint): void {
    this.#frames += 1;
    this.#lastFrame = frame;
    this.#unwritten.delete(pgno);
    const tier = this.#tierOf(pgno);
    if (tier === undefined && pgno !== FIRST_PGNO) return;
    const version = { frame, hash: hash() };
    if (pgno === FIRST_PGNO) this.#addFirst(version);
    if (tier === undefined) return;
    tier.delete(pgno); // moves the page to the end
    tier.set(pgno, version);
    if (tier.size <= WRITTEN_MAX) return;
    for (const oldest of tier.keys()) {
      tier.delete(oldest);
      return;
    }
  }

  /** Drops pages beyond `commit`, the database size in pages: they may be truncated and created again. */
  shrinkTo(commit: number): void {
    for (const pages of [...this.#written, this.#unwritten]) {
      for (const pgno of pages.keys()) if (pgno > commit) pages.delete(pgno);
    }
  }

  get hasFirstPage(): boolean {
    return this.#verifiedFirst !== undefined;
  }

  /**
   * Records that the file is verified and has all frames up to `backfilled`. Samples page 1, and one
   * more unwritten page, whose number `draw` picks at random.
   */
  setVerified(backfilled: number, hashPage: HashPage, draw: () => number): void {
    if (backfilled < this.#unknownTo) return;
    this.#firstPages = this.#firstPages.filter(({ frame }) => frame > backfilled);
    this.#verifiedFirst = hashPage(FIRST_PGNO);
    for (const [pgno, { frame, hash }] of this.#unwritten) {
      if (hash !== undefined || frame > backfilled) continue;
      this.#unwritten.set(pgno, { frame, hash: hashPage(pgno) });
    }
    if (this.#unwritten.size < UNWRITTEN_MAX) this.#sampleUnwritten(draw());
  }

  /** Number of a page that differs in the file. `backfilled`: the last frame that the file has. */
  findForeign(backfilled: number, hashPage: HashPage): number | undefined {
    if (this.#verifiedFirst !== undefined) {
      const firstPages = [this.#verifiedFirst, ...this.#firstPages.map(({ hash }) => hash)];
      if (!isOneOf(firstPages, FIRST_PGNO, hashPage)) return FIRST_PGNO;
    }
    for (const pages of [...this.#written, this.#unwritten]) {
      for (const [pgno, { frame, hash }] of pages) {
        if (hash === undefined || frame > backfilled) continue;
        if (!isOneOf([hash], pgno, hashPage)) return pgno;
      }
    }
    return undefined;
  }

  /** The tier that a written page belongs to; undefined if the page is not sampled. */
  #tierOf(pgno: number): Map<number, Version> | undefined {
    const known = this.#written.find((tier) => tier.has(pgno));
    if (known !== undefined) return known;
    const [first] = this.#written;
    if (first !== undefined && first.size < WRITTEN_MAX) return first;
    return this.#written[SAMPLE_EVERY.findLastIndex((every) => this.#frames % every === 0)];
  }

  #addFirst(version: Version): void {
    this.#firstPages.push(version);
    if (this.#firstPages.length <= FIRST_PAGES_MAX) return;
    this.#firstPages = [];
    this.#verifiedFirst = undefined;
    this.#unknownTo = version.frame;
  }

  /** Samples a page, which is read once all current frames are backfilled: one of them may be a frame of it. */
  #sampleUnwritten(pgno: number): void {
    if (this.#written.some((tier) => tier.has(pgno)) || this.#unwritten.has(pgno)) return;
    this.#unwritten.set(pgno, { frame: this.#lastFrame, hash: undefined });
  }
}

function isOneOf(
  hashes: readonly (bigint | undefined)[],
  pgno: number,
  hashPage: HashPage,
): boolean {
  for (let read = 0; read < READS_MAX; read++) {
    const hash = hashPage(pgno);
    if (hash !== undefined && hashes.includes(hash)) return true;
  }
  return false;
}
