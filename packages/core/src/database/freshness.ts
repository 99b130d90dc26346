/**
 * Tracks the time up to which every commit is staged. Lag is measured from that time, so it grows if
 * any step between a commit and its staged file stalls: the looks at the log, the cuts, publishing,
 * an image.
 */

import type { Gauges } from './gauges.ts';

/** Of the commits in a file, by the monotonic clock. */
export interface Times {
  /** Lower bound for the time of the oldest commit. */
  readonly since: number;
  /** Everything committed by this time is in this file or earlier ones. */
  readonly asOf: number;
}

/** New frames of the log. */
export interface SeenFrames {
  readonly logBytes: number;
  /** When they were read. */
  readonly at: number;
}

export class Freshness {
  readonly #gauges: Gauges;
  /** Lower bound for the oldest commit in the tail: the last look before it. undefined if the tail is empty. */
  #oldest: number | undefined;
  /** What was seen when each file that is not staged yet was cut. The oldest is first. */
  #cuts: { readonly asOf: number; readonly commits: number; readonly logBytes: number }[] = [];
  /** `asOf` of files staged above an unfinished image. It counts once the image is complete. */
  #heldBackAsOf = 0;

  /**
   * `tail`: whether the opening has already read commits into the tail. They may be older than the last
   * look, if that was made before the database was opened again.
   */
  constructor(gauges: Gauges, tail: 'empty' | 'held') {
    this.#gauges = gauges;
    if (tail === 'held') this.#oldest = gauges.get('stagedAsOf');
  }

  /** Counts the commits in new frames: the database size in pages, or 0. Call before `setLookedAt`. */
  countCommits(commits: Iterable<number>, { logBytes, at }: SeenFrames): void {
    this.#oldest ??= this.#gauges.get('lookedAt');
    let count = 0;
    for (const commit of commits) if (commit > 0) count += 1;
    this.#gauges.add('commits', count);
    this.#gauges.add('logBytes', logBytes);
    if (count > 0) this.#gauges.set('committedAt', at);
  }

  /** Records that everything committed by `at` is held. */
  setLookedAt(at: number): void {
    this.#gauges.raise('lookedAt', at);
  }

  /** Records, after a look, whether everything held is staged. */
  setState(state: 'staged' | 'pending'): void {
    if (state === 'staged') {
      this.#gauges.raise('stagedAsOf', this.#gauges.get('lookedAt'));
      this.#cuts = [];
      this.#setStaged(this.#gauges.get('commits'), this.#gauges.get('logBytes'));
    }
    this.#gauges.set('pending', state === 'pending' ? 1 : 0);
  }

  /** Times of a file that is cut now: its commits are not older than `since`, and include all up to `asOf`. */
  cut(): Times {
    const asOf = this.#gauges.get('lookedAt');
    const since = this.#oldest ?? asOf;
    this.#oldest = undefined;
    const [commits, logBytes] = [this.#gauges.get('commits'), this.#gauges.get('logBytes')];
    this.#cuts.push({ asOf, commits, logBytes });
    return { since, asOf };
  }

  /** Times of an image that is frozen now. */
  image(): Times {
    this.#oldest = undefined;
    return { since: this.#gauges.get('stagedAsOf'), asOf: this.#gauges.get('lookedAt') };
  }

  /** Records a staged increment. One above an unfinished image cannot be restored yet. */
  staged(txid: bigint, { since, asOf }: Times, below: 'complete' | 'image'): void {
    this.#raiseTXID(txid, since);
    if (below === 'image') this.#heldBackAsOf = Math.max(this.#heldBackAsOf, asOf);
    else this.#gauges.raise('stagedAsOf', asOf);
    while ((this.#cuts[0]?.asOf ?? Infinity) <= asOf) {
      const cut = this.#cuts.shift();
      if (cut !== undefined) this.#setStaged(cut.commits, cut.logBytes);
    }
  }

  #setStaged(commits: number, logBytes: number): void {
    this.#gauges.set('stagedCommits', commits);
    this.#gauges.set('stagedLogBytes', logBytes);
  }

  setImageComplete(txid: bigint, { since, asOf }: Times): void {
    this.#raiseTXID(txid, since);
    this.#gauges.raise('stagedAsOf', Math.max(asOf, this.#heldBackAsOf));
    this.#heldBackAsOf = 0;
  }

  #raiseTXID(txid: bigint, since: number): void {
    const number = Number(txid); // exact up to 2^53, which no history reaches
    if (number <= this.#gauges.get('stagedTXID')) return;
    this.#gauges.set('stagedSince', since);
    this.#gauges.set('stagedTXID', number);
  }
}
