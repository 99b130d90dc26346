/**
 * Finds files at a destination whose size has changed since they were written or listed: they were cut
 * short or overwritten. No file of ours changes, so no restore can rely on them.
 */

import type { FileSet } from '../../replica/file-set.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';

export class ResizedFiles {
  /** Their sizes before the change, by name. */
  #sizes = new Map<string, number>();

  /**
   * Compares a listing with the one before. Marks resized files as unusable. Describes the first
   * of them; undefined if there is none.
   */
  update(before: FileSet, files: FileSet): string | undefined {
    const sizes = new Map<string, number>();
    let why: string | undefined;
    for (const { file, sizeBefore } of files.common(before)) {
      const expected = this.#sizes.size === 0 ? sizeBefore : this.#expected(file, sizeBefore);
      if (file.sizeBytes === expected) continue;
      const name = describeFile(file);
      sizes.set(name, expected);
      why ??= `the size of ${name} has changed from ${expected} to ${file.sizeBytes} bytes`;
      files.markUnusable(file);
    }
    this.#sizes = sizes;
    return why;
  }

  #expected(file: LTXFileRef, sizeBefore: number): number {
    return this.#sizes.get(describeFile(file)) ?? sizeBefore;
  }
}
