/** Shows on a terminal how many files a repair has examined and copied, if it takes longer than two seconds. */

import { LateLine, REDRAW_MS, type Terminal } from '../late-line.ts';
import type { RepairProgress } from './order.ts';

/** `using` removes the line. */
export class CountLine implements Disposable {
  readonly #head: string;
  readonly #line: LateLine;
  #drawnAtMs = -Infinity;

  constructor(head: string, stream: Terminal) {
    this.#head = head;
    this.#line = new LateLine(stream);
  }

  update({ examined, copied }: RepairProgress): void {
    const { elapsedMs } = this.#line;
    if (elapsedMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = elapsedMs;
    this.#line.draw(`${this.#head}: ${examined} files examined, ${copied} copied`);
  }

  [Symbol.dispose](): void {
    this.#line.clear();
  }
}
