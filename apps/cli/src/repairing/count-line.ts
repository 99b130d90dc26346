/** Shows on a terminal how many files a repair has examined and copied, if it takes longer than two seconds. */

import type { RepairProgress } from './order.ts';

/** Shorter repairs need no line. */
const DRAW_AFTER_MS = 2_000;
const REDRAW_MS = 250;
const CLEAR_TO_END = '\u001b[K';

type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

/** `using` removes the line. */
export class CountLine implements Disposable {
  readonly #head: string;
  readonly #stream: Terminal;
  readonly #beganAt: number = performance.now();
  #drawnAt = -Infinity;

  constructor(head: string, stream: Terminal) {
    this.#head = head;
    this.#stream = stream;
  }

  update({ examined, copied }: RepairProgress): void {
    const now = performance.now();
    const isTooEarly = now - this.#beganAt < DRAW_AFTER_MS || now - this.#drawnAt < REDRAW_MS;
    if (this.#stream.isTTY !== true || isTooEarly) return;
    this.#drawnAt = now;
    const text = `${examined} files examined, ${copied} copied`;
    this.#stream.write(`\r${this.#head}: ${text}${CLEAR_TO_END}`);
  }

  [Symbol.dispose](): void {
    if (this.#drawnAt !== -Infinity) this.#stream.write(`\r${CLEAR_TO_END}`);
    this.#drawnAt = -Infinity;
  }
}
