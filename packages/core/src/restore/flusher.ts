/** Flushes the output of a restore to disk while it is written, so that the final fsync is short. */

import fs from 'node:fs';
import { promisify } from 'node:util';
import { messageOf, ReplicationError } from '../error.ts';

/** Written bytes after which a flush starts, unless one is running. */
const FLUSH_BYTES: number = 128 * 1024 * 1024;

const fdatasync = promisify(fs.fdatasync);

export class Flusher {
  readonly #descriptor: number;
  #unflushedBytes = 0;
  #flushing: Promise<void> | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Counts bytes that are written, or will be soon. */
  add(count: number): void {
    this.#unflushedBytes += count;
    if (this.#unflushedBytes < FLUSH_BYTES || this.#flushing !== undefined) return;
    this.#unflushedBytes = 0;
    this.#flushing = this.#flush();
    this.#flushing.catch(() => undefined); // `finish` awaits it
  }

  /** RESTORE_OUTPUT if a flush failed: Linux reports that only once, so the final fsync may not. */
  async finish(): Promise<void> {
    await this.#flushing;
  }

  /** Once this resolves, nothing is being flushed. */
  async close(): Promise<void> {
    await this.#flushing?.catch(() => undefined); // reported by `finish`, or another error is
  }

  async #flush(): Promise<void> {
    try {
      await fdatasync(this.#descriptor);
    } catch (error) {
      const message = `fsync the restored file: ${messageOf(error)}`;
      throw new ReplicationError('RESTORE_OUTPUT', message, { cause: error });
    }
    this.#flushing = undefined;
  }
}
