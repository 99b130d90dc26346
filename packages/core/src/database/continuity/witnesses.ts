/**
 * Pages of which we know what the database file may say.
 *
 * A checkpoint writes of each page its newest frame, and of a page whose newest frame it must not
 * write yet (a reader needs the one before) none at all. So
 *
 * - a page of which every frame is backfilled is in the file as its newest frame has it;
 * - a page without a frame stays as it is;
 * - page 1 of the file is what it was, or a frame of page 1 that was not backfilled then.
 *
 * Anything else was written there by somebody who is not SQLite. Three kinds of pages are looked at:
 * page 1, which two databases seldom share; pages that were written lately or some time ago, which an
 * older copy of the file has otherwise; and pages that nobody writes, for where a busy application
 * soon puts all the others right again.
 */

/** CRC-64 of a page of the file; undefined where the file ends before it. */
export type HashPage = (pgno: number) => bigint | undefined;

interface Version {
  /** Number of its frame, counted over all logs. */
  readonly frame: number;
  /** undefined until the page was read, once all frames up to that one were backfilled. */
  readonly hash: bigint | undefined;
}

const FIRST_PGNO = 1;
/**
 * A written page is taken every so many frames, each kind for itself: so there are some of the last
 * hundred frames, and some of the last million. Hashing every frame would cost a tenth of a processor.
 */
const TAKEN_EVERY: readonly number[] = [16, 128, 1_024, 8_192, 65_536];
const WRITTEN_MAX = 8;
/** With the written ones so few that reading them all is a fraction of a millisecond. */
const UNWRITTEN_MAX = 32;
/** Beyond this many frames of page 1 between two looks at the file it is not known what page 1 may be. */
const FIRST_PAGES_MAX = 4_096;
/** A page that is read while it is written may be torn. */
const READS_MAX = 3;

export class PageWitnesses {
  /** Pages that were written, by how seldom they were taken; the oldest first. */
  readonly #written: readonly Map<number, Version>[] = TAKEN_EVERY.map(() => new Map());
  readonly #unwritten: Map<number, Version> = new Map();
  /** Page 1 as the file had it when that was known to be right. */
  #trusted: bigint | undefined;
  /** Frames of page 1 that were not backfilled then. */
  #firstPages: Version[] = [];
  /** Up to this frame there may be frames that we do not know. */
  #unknownTo: number;
  #lastFrame: number;
  #frames = 0;

  constructor(unknownTo: number) {
    this.#unknownTo = unknownTo;
    this.#lastFrame = unknownTo;
  }

  /** Takes a frame; `hash` is asked only where it is needed. */
  add(pgno: number, frame: number, hash: () => bigint): void {
    this.#frames += 1;
    this.#lastFrame = frame;
    this.#unwritten.delete(pgno);
    const tier = this.#tierOf(pgno);
    if (tier === undefined && pgno !== FIRST_PGNO) return;
    const version = { frame, hash: hash() };
    if (pgno === FIRST_PGNO) this.#addFirst(version);
    if (tier === undefined) return;
    tier.delete(pgno); // what was written last comes last
    tier.set(pgno, version);
    if (tier.size <= WRITTEN_MAX) return;
    for (const oldest of tier.keys()) {
      tier.delete(oldest);
      return;
    }
  }

  /** The database has this many pages after a commit: what lies beyond may be cut off and made anew. */
  shrinkTo(commit: number): void {
    for (const pages of [...this.#written, this.#unwritten]) {
      for (const pgno of pages.keys()) if (pgno > commit) pages.delete(pgno);
    }
  }

  get knowsFirstPage(): boolean {
    return this.#trusted !== undefined;
  }

  /**
   * The file is known to be right, and has all frames up to `backfilled`. Page 1 is taken as it is
   * there, and with `draw`, a page number at random, one more that nobody writes.
   */
  trust(backfilled: number, hashPage: HashPage, draw: () => number): void {
    if (backfilled < this.#unknownTo) return;
    this.#firstPages = this.#firstPages.filter(({ frame }) => frame > backfilled);
    this.#trusted = hashPage(FIRST_PGNO);
    for (const [pgno, { frame, hash }] of this.#unwritten) {
      if (hash !== undefined || frame > backfilled) continue;
      this.#unwritten.set(pgno, { frame, hash: hashPage(pgno) });
    }
    if (this.#unwritten.size < UNWRITTEN_MAX) this.#await(draw());
  }

  /** Gives the number of a page that the file has otherwise. `backfilled`: up to which frame it has them. */
  findForeign(backfilled: number, hashPage: HashPage): number | undefined {
    if (this.#trusted !== undefined) {
      const firstPages = [this.#trusted, ...this.#firstPages.map(({ hash }) => hash)];
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

  /** Where a written page is kept, or is to be kept from now on. */
  #tierOf(pgno: number): Map<number, Version> | undefined {
    const known = this.#written.find((tier) => tier.has(pgno));
    if (known !== undefined) return known;
    const [youngest] = this.#written;
    if (youngest !== undefined && youngest.size < WRITTEN_MAX) return youngest;
    return this.#written[TAKEN_EVERY.findLastIndex((every) => this.#frames % every === 0)];
  }

  #addFirst(version: Version): void {
    this.#firstPages.push(version);
    if (this.#firstPages.length <= FIRST_PAGES_MAX) return;
    this.#firstPages = [];
    this.#trusted = undefined;
    this.#unknownTo = version.frame;
  }

  /** It is read once all frames that there are now are backfilled: until then one of them may be its own. */
  #await(pgno: number): void {
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
    const there = hashPage(pgno);
    if (there !== undefined && hashes.includes(there)) return true;
  }
  return false;
}
