/**
 * A JSON file in the staging folder with a list of records, which is replaced atomically. A torn file counts as
 * empty, and what is not a record is left out: a newer version may write others.
 */

import path from 'node:path';
import { readText, replaceText, writeDurably, type FileSystem } from '../../file-system.ts';
import { systemRandom, type Random } from '../../random.ts';
import { toStagingError } from './staging-error.ts';

export interface RecordWriting {
  readonly random?: Random | undefined;
  /** Default: a power loss may leave a torn file. */
  readonly durability?: 'durable' | 'not synced' | undefined;
}

export class RecordList<T> {
  readonly #name: string;
  readonly #isRecord: (value: unknown) => value is T;

  constructor(name: string, isRecord: (value: unknown) => value is T) {
    this.#name = name;
    this.#isRecord = isRecord;
  }

  /** STAGING_FAILED if the file exists and cannot be read. */
  async read(folder: string, files: FileSystem): Promise<readonly T[]> {
    const file = path.join(folder, this.#name);
    try {
      return this.#parse((await readText(files, file)) ?? '[]');
    } catch (error) {
      throw toStagingError(`read ${file}`, error);
    }
  }

  /** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if the replicator has not created its folder yet. */
  async write(
    folder: string,
    records: readonly T[],
    files: FileSystem,
    { random = systemRandom, durability = 'not synced' }: RecordWriting = {},
  ): Promise<'recorded' | 'no folder'> {
    const file = path.join(folder, this.#name);
    // Two commands may end in the same instant. The replicator removes `*.tmp` that a killed one leaves.
    const temporary = `${file}.${random.bits64().toString(16)}.tmp`;
    try {
      if ((await files.stat(folder)) === undefined) return 'no folder';
      const text = `${JSON.stringify(records, undefined, 2)}\n`;
      if (durability === 'durable') await writeDurably(files, file, text, 'shared', temporary);
      else await replaceText(files, file, text, temporary);
      return 'recorded';
    } catch (error) {
      throw toStagingError(`write ${file}`, error);
    }
  }

  #parse(text: string): readonly T[] {
    try {
      const value: unknown = JSON.parse(text);
      return Array.isArray(value) ? value.filter(this.#isRecord) : [];
    } catch {
      return []; // torn by a power loss
    }
  }
}
