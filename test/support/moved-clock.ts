/** Moves the wall clock of a child process. Its monotonic clock is unchanged. */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from './temporary.ts';

const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'moved-clock.mjs')).href;

export class MovedClock {
  readonly #file = path.join(temporaryFolder('clock'), 'ahead');
  /** Environment variables for the child process. */
  readonly environment = { MOVED_CLOCK: this.#file, NODE_OPTIONS: `--import ${PRELOAD}` };

  constructor(aheadMs = 0) {
    this.set(aheadMs);
  }

  /** Sets the clock ahead of the right time, or back if negative. */
  set(aheadMs: number): void {
    fs.writeFileSync(`${this.#file}.new`, String(aheadMs));
    fs.renameSync(`${this.#file}.new`, this.#file);
  }
}
