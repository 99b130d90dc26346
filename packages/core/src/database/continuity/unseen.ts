/**
 * Finds commits in the log that SQLite does not show, because another process commits through another
 * wal-index. This happens if the -shm file was deleted while an application had it open: the
 * application keeps the deleted file, and connections opened later create a new one.
 *
 * A writer that dies between its commit frame and its update of the wal-index also leaves one such
 * commit. But a writer with our wal-index publishes each commit there before it writes the next. So two
 * commits beyond the shown log can only come from a writer with another wal-index.
 */

import type { LogPlace } from '../../wal/frame.ts';
import { isSameLog } from '../../wal/header.ts';
import type { WALReader } from '../../wal/reader.ts';

/** Maximum frames read at once: a transaction in progress may be large and has no commit frame yet. */
const FRAMES_MAX = 256;
/** Maximum time until a commit is published, which happens as soon as the log is synced. */
const UNPUBLISHED_MS_MAX = 2_000;

export class UnseenCommits {
  readonly #wal: WALReader;
  readonly #tolerated: 'one' | 'none';
  /** The end of the log as SQLite shows it, and the place up to which the log was read beyond it. */
  #shown: LogPlace | undefined;
  #read: LogPlace | undefined;
  #firstSeenAt: number | undefined;

  /** `tolerated`: 'none' if a wal-index is known to be lost; then one unseen commit is enough. */
  constructor(wal: WALReader, tolerated: 'one' | 'none') {
    this.#wal = wal;
    this.#tolerated = tolerated;
  }

  /** Whether there are unseen commits. `shown`: the end of the log as SQLite shows it. */
  find(shown: LogPlace, log: number, now: number): boolean {
    const from = log === 0 ? this.#startOfNewLog(shown) : shown;
    if (from?.header === undefined) return false;
    if (!isSamePlace(this.#shown, from)) {
      this.#shown = from;
      this.#read = from;
      this.#firstSeenAt = undefined;
    }
    const commits = this.#countNewCommits();
    if (commits === 0) {
      const ageMs = this.#firstSeenAt === undefined ? 0 : now - this.#firstSeenAt;
      return this.#tolerated === 'none' && ageMs > UNPUBLISHED_MS_MAX;
    }
    if (this.#firstSeenAt !== undefined) return true;
    this.#firstSeenAt = now;
    return false;
  }

  /** Used if SQLite shows no log: a log other than the one shown before belongs to another wal-index. */
  #startOfNewLog(shown: LogPlace): LogPlace | undefined {
    const header = this.#wal.readHeader();
    if (header === undefined || isSameLog(header, shown.header)) return undefined;
    return { header, frame: 0, checksum: header.checksum };
  }

  #countNewCommits(): number {
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
