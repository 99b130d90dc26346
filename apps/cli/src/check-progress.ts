/**
 * Shows the current step of a check that takes longer than two seconds. Draws only on a terminal.
 */

import type { CheckProgress } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';

/** Shorter steps need no line. */
const DRAW_AFTER_MS = 2_000;
const REDRAW_MS = 250;
const CLEAR_TO_END = '\u001b[K';

type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

/** `using` removes the line. */
export class ProgressLine implements Disposable {
  readonly #head: string;
  readonly #stream: Terminal;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout | undefined;
  #progress: CheckProgress | undefined;
  #beganAt = 0;
  #isDrawn = false;

  constructor(head: string, stream: Terminal, now: () => number = () => performance.now()) {
    this.#head = head;
    this.#stream = stream;
    this.#now = now;
    // Drawn by a timer, because a slow step may wait for a response without any progress.
    if (stream.isTTY === true) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  update(progress: CheckProgress): void {
    if (this.#progress?.feature !== progress.feature) this.#beganAt = this.#now();
    this.#progress = progress;
  }

  /** Removes the line; the next slow feature shows it again. */
  clear(): void {
    if (this.#isDrawn) this.#stream.write(`\r${CLEAR_TO_END}`);
    this.#isDrawn = false;
    this.#progress = undefined;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #draw(): void {
    if (this.#progress === undefined) return;
    const { feature, doneBytes, totalBytes } = this.#progress;
    const elapsedMs = this.#now() - this.#beganAt;
    if (elapsedMs < DRAW_AFTER_MS) return;
    const moved = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}, `;
    const text = `${feature}: ${totalBytes > 0 ? moved : ''}${Math.floor(elapsedMs / 1_000)} s`;
    this.#stream.write(`\r${this.#head} ${text}${CLEAR_TO_END}`);
    this.#isDrawn = true;
  }
}
