/**
 * Up to which moment everything that was committed is staged. Lag counts from there, so it grows
 * whatever stands still between a commit and its staged file: the looks at the log, the cuts, their
 * publishing, an image.
 */

import type { Gauges } from './gauges.ts';

export class Freshness {
  readonly #gauges: Gauges;
  /** The last look before the first commit in the tail: no commit in it is older. undefined while there is none. */
  #oldest: number | undefined;
  /** Staged above an image that is not whole: it counts when that is. */
  #heldBack = 0;

  /** `tail`: whether commits are held already that a start has found. */
  constructor(gauges: Gauges, tail: 'empty' | 'held') {
    this.#gauges = gauges;
    if (tail === 'held') this.#oldest = gauges.get('lookedAt');
  }

  /** Frames were read: their commits, as the size of the database in pages, or 0. Call before `looked`. */
  counted(commits: Iterable<number>): void {
    this.#oldest ??= this.#gauges.get('lookedAt');
    let count = 0;
    for (const commit of commits) if (commit > 0) count += 1;
    this.#gauges.set('commits', this.#gauges.get('commits') + count);
  }

  /** Everything that was committed at `at` is held. */
  looked(at: number): void {
    this.#gauges.raise('lookedAt', at);
  }

  /** After a look: whether everything that is held is staged too. */
  settled(state: 'staged' | 'pending'): void {
    if (state === 'staged') this.#gauges.raise('stagedAsOf', this.#gauges.get('lookedAt'));
    this.#gauges.set('pending', state === 'pending' ? 1 : 0);
  }

  /** What a file that is cut now holds: commits from `since`, and all up to `asOf`. */
  cut(): { readonly since: number; readonly asOf: number } {
    const asOf = this.#gauges.get('lookedAt');
    const since = this.#oldest ?? asOf;
    this.#oldest = undefined;
    return { since, asOf };
  }

  /** What an image that is the next commit holds. */
  image(): { readonly since: number; readonly asOf: number } {
    this.#oldest = undefined;
    return { since: this.#gauges.get('stagedAsOf'), asOf: this.#gauges.get('lookedAt') };
  }

  /** Increment `txid` was staged. One above an image that is not whole cannot be restored yet. */
  staged(txid: bigint, asOf: number, below: 'whole' | 'image'): void {
    this.#gauges.raise('stagedTXID', Number(txid)); // exact up to 2^53, which no history reaches
    if (below === 'image') this.#heldBack = Math.max(this.#heldBack, asOf);
    else this.#gauges.raise('stagedAsOf', asOf);
  }

  imageIsWhole(txid: bigint, asOf: number): void {
    this.#gauges.raise('stagedTXID', Number(txid));
    this.#gauges.raise('stagedAsOf', Math.max(asOf, this.#heldBack));
    this.#heldBack = 0;
  }
}
