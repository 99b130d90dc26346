/**
 * Commits that lie in the log and that SQLite does not show us: somebody commits through another
 * wal-index. So it is where the -shm file was deleted under an application, which keeps the deleted
 * one, while whoever opens the database now makes a new one.
 *
 * A writer that dies between its commit frame and the wal-index leaves one such commit, too. But a
 * writer with our wal-index publishes a commit there before it writes the next one: so a commit
 * beyond the log that is followed by another is nobody's who shares our index.
 */

import type { LogPlace } from '../../wal/frame.ts';
import { isSameLog } from '../../wal/header.ts';
import type { WALReader } from '../../wal/reader.ts';

/** Read at a time: a transaction that is being written may be large, and has no commit. */
const FRAMES_MAX = 256;
/** A commit is published as soon as the log is synced. */
const UNPUBLISHED_MS_MAX = 2_000;

export class UnseenCommits {
  readonly #wal: WALReader;
  readonly #tolerates: 'one' | 'none';
  /** What SQLite shows, and up to where the log was read beyond it. */
  #shown: LogPlace | undefined;
  #read: LogPlace | undefined;
  #firstSeenAt: number | undefined;

  /** 'none': where it is known that a wal-index was lost, one commit is enough. */
  constructor(wal: WALReader, tolerates: 'one' | 'none') {
    this.#wal = wal;
    this.#tolerates = tolerates;
  }

  /** Whether there are. `shown`: the end of the log as SQLite shows it. */
  find(shown: LogPlace, log: number, now: number): boolean {
    const from = log === 0 ? this.#startOfNewLog(shown) : shown;
    if (from?.header === undefined) return false;
    if (!isSamePlace(this.#shown, from)) {
      this.#shown = from;
      this.#read = from;
      this.#firstSeenAt = undefined;
    }
    const commits = this.#countOn();
    if (commits === 0) {
      const ageMs = this.#firstSeenAt === undefined ? 0 : now - this.#firstSeenAt;
      return this.#tolerates === 'none' && ageMs > UNPUBLISHED_MS_MAX;
    }
    if (this.#firstSeenAt !== undefined) return true;
    this.#firstSeenAt = now;
    return false;
  }

  /** Where SQLite shows no log: a log that is not the one that was shown before is somebody's. */
  #startOfNewLog(shown: LogPlace): LogPlace | undefined {
    const header = this.#wal.readHeader();
    if (header === undefined || isSameLog(header, shown.header)) return undefined;
    return { header, frame: 0, checksum: header.checksum };
  }

  #countOn(): number {
    const { header, frame, checksum } = this.#read ?? {};
    if (header === undefined || frame === undefined || checksum === undefined) return 0;
    const next = this.#wal.readFrameHeader(frame + 1, header);
    if (next?.salt1 !== header.salt1 || next.salt2 !== header.salt2) return 0;
    let commits = 0;
    for (const batch of this.#wal.readFrames(header, frame + 1, frame + FRAMES_MAX, checksum)) {
      commits += batch.commits.filter((commit) => commit !== 0).length;
      const last = batch.first + batch.count - 1;
      this.#read = { header, frame: last, checksum: batch.checksum };
    }
    return commits;
  }
}

function isSamePlace(a: LogPlace | undefined, b: LogPlace): boolean {
  return a !== undefined && a.frame === b.frame && isSameLog(a.header, b.header);
}
