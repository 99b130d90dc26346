/** A progress bar for operations longer than two seconds. Draws only on a terminal. */

import { formatBytes } from '@sluice/core/config';

/** Shorter operations need no bar. */
const DRAW_AFTER_MS = 2_000;
const REDRAW_MS = 200;
const WIDTH = 30;
const CLEAR_TO_END = '\u001b[K';

export class ProgressBar {
  readonly #what: string;
  readonly #stream: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };
  readonly #now: () => number;
  #startedAt: number | undefined;
  #drawnAt = 0;

  constructor(
    what: string,
    stream: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined },
    now: () => number = () => performance.now(),
  ) {
    this.#what = what;
    this.#stream = stream;
    this.#now = now;
  }

  update(doneBytes: number, totalBytes: number): void {
    if (this.#stream.isTTY !== true) return;
    const now = this.#now();
    this.#startedAt ??= now;
    const elapsedMs = now - this.#startedAt;
    if (elapsedMs < DRAW_AFTER_MS || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const rate = `${formatBytes(Math.round((doneBytes * 1_000) / elapsedMs))}/s`;
    const text = `${this.#what} [${bar}] ${Math.floor(share * 100)} % of ${formatBytes(totalBytes)}, ${rate}`;
    this.#stream.write(`\r${text}${CLEAR_TO_END}`);
  }

  /** Removes the bar. The next update may start it again. */
  end(): void {
    if (this.#drawnAt > 0) this.#stream.write(`\r${CLEAR_TO_END}`);
    this.#drawnAt = 0;
    this.#startedAt = undefined;
  }
}
