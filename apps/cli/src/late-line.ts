/** A line on a terminal about work that takes longer than two seconds. Nothing is drawn elsewhere. */

/** Shorter work needs no line. */
const DRAW_AFTER_MS = 2_000;
export const REDRAW_MS = 250;
const CLEAR_TO_END = '\u001b[K';

export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

export class LateLine {
  readonly #stream: Terminal;
  readonly #now: () => number;
  #beganAt: number;
  #isDrawn = false;

  constructor(stream: Terminal, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
    this.#beganAt = now();
  }

  get isOnTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get elapsedMs(): number {
    return this.#now() - this.#beganAt;
  }

  /** Other work begins. */
  restart(): void {
    this.#beganAt = this.#now();
  }

  /** Unless it is too early. */
  draw(text: string): void {
    if (!this.isOnTerminal || this.elapsedMs < DRAW_AFTER_MS) return;
    this.#stream.write(`\r${text}${CLEAR_TO_END}`);
    this.#isDrawn = true;
  }

  clear(): void {
    if (this.#isDrawn) this.#stream.write(`\r${CLEAR_TO_END}`);
    this.#isDrawn = false;
  }
}
