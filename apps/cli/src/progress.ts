/** A progress bar on a terminal, for what takes longer than two seconds. Nothing elsewhere. */

import { formatBytes } from '@sluice/core/backend';

const PATIENCE_MS = 2_000;
const REDRAW_MS = 200;
const WIDTH = 30;

export class ProgressBar {
  readonly #what: string;
  readonly #stream: NodeJS.WriteStream;
  readonly #started = Date.now();
  #drawn = 0;

  constructor(what: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#what = what;
    this.#stream = stream;
  }

  update(doneBytes: number, totalBytes: number): void {
    const now = Date.now();
    if (!this.#stream.isTTY || now - this.#started < PATIENCE_MS) return;
    if (now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const share = Math.min(1, totalBytes === 0 ? 1 : doneBytes / totalBytes);
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const rate = formatBytes(Math.round((doneBytes * 1000) / (now - this.#started)));
    this.#stream.write(`\r${this.#what} [${bar}] ${Math.round(share * 100)} % ${rate}/s \u001b[K`);
  }

  end(): void {
    if (this.#drawn > 0) this.#stream.write('\r\u001b[K');
    this.#drawn = 0;
  }
}
