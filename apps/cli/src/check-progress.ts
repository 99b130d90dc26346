/**
 * Shows the current step of a check that takes longer than two seconds. Draws only on a terminal.
 */

import type { CheckProgress } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import { LateLine, REDRAW_MS, type Terminal } from './late-line.ts';

/** `using` removes the line. */
export class ProgressLine implements Disposable {
  readonly #head: string;
  readonly #line: LateLine;
  readonly #timer: NodeJS.Timeout | undefined;
  #progress: CheckProgress | undefined;

  constructor(head: string, stream: Terminal, now?: () => number) {
    this.#head = head;
    this.#line = new LateLine(stream, now);
    // Drawn by a timer, because a slow step may wait for a response without any progress.
    if (this.#line.isOnTerminal) {
      this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
    }
  }

  update(progress: CheckProgress): void {
    if (this.#progress?.feature !== progress.feature) this.#line.restart();
    this.#progress = progress;
  }

  /** Removes the line; the next slow feature shows it again. */
  clear(): void {
    this.#line.clear();
    this.#progress = undefined;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #draw(): void {
    if (this.#progress === undefined) return;
    const { feature, doneBytes, totalBytes } = this.#progress;
    const moved = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}, `;
    const seconds = Math.floor(this.#line.elapsedMs / 1_000);
    this.#line.draw(`${this.#head} ${feature}: ${totalBytes > 0 ? moved : ''}${seconds} s`);
  }
}
