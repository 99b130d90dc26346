/** A wall clock that a test moves, of a process that it starts. The monotonic clock goes on as ever. */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from './temporary.ts';

const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'moved-clock.mjs')).href;

export class MovedClock {
  readonly #file = path.join(temporaryFolder('clock'), 'ahead');
  /** Of the process whose clock it is. */
  readonly environment = { MOVED_CLOCK: this.#file, NODE_OPTIONS: `--import ${PRELOAD}` };

  constructor(aheadMs = 0) {
    this.set(aheadMs);
  }

  /** From now on the clock is ahead of the right time by so much. */
  set(aheadMs: number): void {
    fs.writeFileSync(`${this.#file}.new`, String(aheadMs));
    fs.renameSync(`${this.#file}.new`, this.#file);
  }
}
