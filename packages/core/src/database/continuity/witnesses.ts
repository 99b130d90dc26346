/**
 * Pages of which we know what the database file may say, because we saw their frames.
 *
 * A checkpoint writes of each page its newest frame, and of a page whose newest frame it must not
 * write yet (a reader needs the one before) none at all. So
 *
 * - a page of which every frame is backfilled is in the file as its newest frame has it;
 * - page 1 of the file is what it was, or a frame of page 1 that was not backfilled then.
 *
 * Anything else was written there by somebody who is not SQLite. No two databases share page 1; the
 * other witnesses are pages that were written lately, since an older copy of the file lacks them.
 */

/** CRC-64 of a page of the file; undefined where the file ends before it. */
export type HashPage = (pgno: number) => bigint | undefined;

interface Version {
  /** Number of its frame, counted over all logs. */
  readonly frame: number;
  readonly hash: bigint;
}

const FIRST_PGNO = 1;
/** Read at each check that finds the file written: a fraction of a millisecond. */
const WITNESSES_MAX = 32;
/** Once there are so many, each so many frames one is replaced by a younger one. */
const REPLACED_EVERY = 64;
/** Beyond this many frames of page 1 between two looks at the file it is not known what page 1 may be. */
const FIRST_PAGES_MAX = 4_096;
/** A page that is read while it is written may be torn. */
const READS_MAX = 3;

export class PageWitnesses {
  readonly #newest: Map<number, Version> = new Map();
  /** Page 1 as the file had it when that was known to be right. */
  #trusted: bigint | undefined;
  /** Frames of page 1 that were not backfilled then. */
  #firstPages: Version[] = [];
  /** Up to this frame there may be frames of page 1 that we do not know. */
  #unknownTo: number;
  #skipped = 0;

  constructor(unknownTo: number) {
    this.#unknownTo = unknownTo;
  }

  /** Whether `add` wants the page of a frame: then it has to be hashed. */
  wants(pgno: number): boolean {
    if (pgno === FIRST_PGNO || this.#newest.has(pgno)) return true;
    if (this.#newest.size < WITNESSES_MAX) return true;
    this.#skipped += 1;
    return this.#skipped % REPLACED_EVERY === 0;
  }

  add(pgno: number, frame: number, hash: bigint): void {
    const isKnown = this.#newest.delete(pgno); // what was written last comes last
    if (!isKnown && this.#newest.size >= WITNESSES_MAX) this.#dropOldest();
    this.#newest.set(pgno, { frame, hash });
    if (pgno !== FIRST_PGNO) return;
    this.#firstPages.push({ frame, hash });
    if (this.#firstPages.length <= FIRST_PAGES_MAX) return;
    this.#firstPages = [];
    this.#trusted = undefined;
    this.#unknownTo = frame;
  }

  /** The database has this many pages after a commit: what lies beyond may be cut off and made anew. */
  shrinkTo(commit: number): void {
    for (const pgno of this.#newest.keys()) if (pgno > commit) this.#newest.delete(pgno);
  }

  get knowsFirstPage(): boolean {
    return this.#trusted !== undefined;
  }

  /** Page 1 as the file has it now that frames up to `backfilled` are backfilled, and is known to be right. */
  trustFirstPage(backfilled: number, hash: bigint): void {
    if (backfilled < this.#unknownTo) return;
    this.#firstPages = this.#firstPages.filter(({ frame }) => frame > backfilled);
    this.#trusted = hash;
  }

  /** Gives the number of a page that the file has otherwise. `backfilled`: up to which frame it has them. */
  findForeign(backfilled: number, hashPage: HashPage): number | undefined {
    if (this.#trusted !== undefined) {
      const firstPages = [this.#trusted, ...this.#firstPages.map(({ hash }) => hash)];
      if (!isOneOf(firstPages, FIRST_PGNO, hashPage)) return FIRST_PGNO;
    }
    for (const [pgno, { frame, hash }] of this.#newest) {
      if (frame <= backfilled && !isOneOf([hash], pgno, hashPage)) return pgno;
    }
    return undefined;
  }

  #dropOldest(): void {
    for (const pgno of this.#newest.keys()) {
      if (pgno === FIRST_PGNO) continue;
      this.#newest.delete(pgno);
      return;
    }
  }
}

function isOneOf(hashes: readonly bigint[], pgno: number, hashPage: HashPage): boolean {
  for (let read = 0; read < READS_MAX; read++) {
    const there = hashPage(pgno);
    if (there !== undefined && hashes.includes(there)) return true;
  }
  return false;
}
