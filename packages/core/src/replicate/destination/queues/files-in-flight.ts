/**
 * The files that are being written to one destination. Its queues plan independently of each other, and a file
 * counts only when it is written. So two of them may choose the same name, with the same bytes or with others: a merged
 * file that was freed while it is sent leaves a hole in the plans, which a full snapshot would close. A second
 * write of that name would be refused, as if another writer had made the first.
 */

import { describeFile } from '../../../store/describe.ts';
import type { LTXFileRef } from '../../../store/layout.ts';

interface Write {
  readonly level: number;
  readonly ended: Promise<void>;
}

export class FilesInFlight {
  /** By description of the file. */
  readonly #writes = new Map<string, Write>();

  /** Runs `work`, which writes `file`. No other write of it may be running. */
  async write<T>(file: LTXFileRef, work: () => Promise<T>): Promise<T> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const name = describeFile(file);
    this.#writes.set(name, { level: file.level, ended });
    try {
      return await work();
    } finally {
      this.#writes.delete(name);
      resolve();
    }
  }

  /** Resolves when the write of this file has succeeded or failed; undefined if it is not being written. */
  endOfFile(file: LTXFileRef): Promise<void> | undefined {
    return this.#writes.get(describeFile(file))?.ended;
  }

  /** The same for any file of a level. */
  endOfLevel(level: number): Promise<void> | undefined {
    return [...this.#writes.values()].find((each) => each.level === level)?.ended;
  }
}
