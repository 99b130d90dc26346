/** `status.json` in the staging folder: rewritten when something has changed, not more often than each interval. */

import path from 'node:path';
import type { Clock } from '../clock.ts';
import { makeFolder, replaceText } from '../database/files.ts';
import { toStagingError } from '../database/staging-error.ts';
import type { DatabaseStatus } from './status.ts';

/** Rewritten at most so often. An idle database's file is left alone. */
const WRITE_EVERY_MS = 1_000;

export interface StatusFileContext {
  readonly status: () => DatabaseStatus;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export class StatusFile {
  readonly #file: string;
  readonly #context: StatusFileContext;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #writtenAt = -Infinity;
  #isOurs = false;
  #isFailing = false;

  constructor(folder: string, context: StatusFileContext) {
    this.#file = path.join(folder, 'status.json');
    this.#context = context;
  }

  /** The folder is ours. Before that nothing is written: it may be another process that tells. */
  begin(): void {
    this.#isOurs = true;
    this.touch();
  }

  /** Something has changed: the file will tell. */
  touch(): void {
    if (!this.#isOurs || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#writtenAt + WRITE_EVERY_MS - this.#context.clock.monotonic());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.write();
    }, wait);
    this.#timer.unref();
  }

  async write(): Promise<void> {
    if (!this.#isOurs) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writtenAt = this.#context.clock.monotonic();
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      await this.#replace(`${JSON.stringify(this.#context.status(), undefined, 2)}\n`);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#context.onError(toStagingError(`write ${this.#file}`, error));
      this.#isFailing = true; // said once, and tried again with the next change
    }
  }

  /** The folder is there, but for the first time. */
  async #replace(text: string): Promise<void> {
    try {
      await replaceText(this.#file, text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await makeFolder(path.dirname(this.#file));
      await replaceText(this.#file, text);
    }
  }
}
