/** On a terminal, what a check is doing, where that takes longer than two seconds. Nothing elsewhere. */

import type { CheckProgress } from '@sluice/core';
import { formatBytes } from '@sluice/core/backend';

/** What is done by then needs no line. */
const PATIENCE_MS = 2_000;
const REDRAW_MS = 250;
const CLEAR_TO_END = '\u001b[K';

type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

/** `using` takes the line away. */
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
    // Drawn by the clock: what takes long may be waiting for an answer, and move nothing.
    if (stream.isTTY === true) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  update(progress: CheckProgress): void {
    if (this.#progress?.feature !== progress.feature) this.#beganAt = this.#now();
    this.#progress = progress;
  }

  /** Takes the line away; it comes back with the next feature that takes long. */
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
    if (elapsedMs < PATIENCE_MS) return;
    const moved = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}, `;
    const text = `${feature}: ${totalBytes > 0 ? moved : ''}${Math.floor(elapsedMs / 1_000)} s`;
    this.#stream.write(`\r${this.#head} ${text}${CLEAR_TO_END}`);
    this.#isDrawn = true;
  }
}
