/** The staged merged files of one database. Each is read whole at the start. A file of a level that is not configured is removed at the start. */

import path from 'node:path';
import { decodeWhole } from '../../database/staging/staged-check.ts';
import { toStagingError } from '../../database/staging/staging-error.ts';
import { isError, messageOf, ReplicationError } from '../../error.ts';
import { type FileSystem, isMissing } from '../../file-system.ts';
import { LEVELS_MAX, type MergeLevel } from '../../history/levels.ts';
import { threadKernel } from '../../kernel/kernel.ts';
import { readEnds } from '../../ltx/file.ts';
import { parseFilename } from '../../ltx/filename.ts';
import { levelFolder, type StagedMerge } from './merge-files.ts';

export interface StagedLevelsContext {
  /** The staging folder. */
  readonly folder: string;
  readonly files: FileSystem;
  readonly levels: readonly MergeLevel[];
  /** A staged file is damaged. It is removed; a level that needs it continues after the next full snapshot. */
  readonly onDamaged: (file: string, why: string) => void;
}

export class StagedLevels {
  readonly #context: StagedLevelsContext;
  #files: readonly StagedMerge[] = [];

  constructor(context: StagedLevelsContext) {
    this.#context = context;
  }

  /** By level and TXID. */
  get files(): readonly StagedMerge[] {
    return this.#files;
  }

  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  of(level: number): readonly StagedMerge[] {
    return this.#files.filter((file) => file.level === level);
  }

  newestOf(level: number): StagedMerge | undefined {
    return this.of(level).at(-1);
  }

  add(file: StagedMerge): void {
    const others = this.#files.filter((known) => known.path !== file.path);
    this.#files = [...others, file].sort(inOrder);
  }

  /** Removes entries, not files. */
  drop(paths: ReadonlySet<string>): void {
    this.#files = this.#files.filter((file) => !paths.has(file.path));
  }

  /** Finds the files of earlier runs. Throws STAGING_FAILED if the folders cannot be read. */
  async load(): Promise<void> {
    const { folder, levels } = this.#context;
    const isUsed = new Set(levels.map(({ level }) => level));
    try {
      const there = new Set(await this.#namesIn(path.dirname(levelFolder(folder, 1))));
      for (let level = 1; level <= LEVELS_MAX; level++) {
        if (!there.has(path.basename(levelFolder(folder, level)))) continue;
        await this.#loadLevel(level, isUsed.has(level) ? 'used' : 'unused');
      }
    } catch (error) {
      throw toStagingError(`read the merged files in ${folder}`, error);
    }
  }

  async #loadLevel(level: number, use: 'used' | 'unused'): Promise<void> {
    const { files, folder, onDamaged } = this.#context;
    const at = levelFolder(folder, level);
    for (const name of await this.#namesIn(at)) {
      const file = path.join(at, name);
      if (use === 'unused' || parseFilename(name) === undefined) {
        await files.remove(file);
        continue;
      }
      try {
        this.add(await this.#read(file, level));
      } catch (error) {
        if (!isError(error) || !error.code.startsWith('LTX_')) throw error;
        onDamaged(file, messageOf(error));
        await files.remove(file);
      }
    }
  }

  async #namesIn(folder: string): Promise<string[]> {
    try {
      return await this.#context.files.list(folder);
    } catch (error) {
      if (isMissing(error)) return []; // nothing was merged into this level
      throw error;
    }
  }

  async #read(file: string, level: number): Promise<StagedMerge> {
    const handle = await this.#context.files.open(file);
    try {
      const sizeBytes = await handle.sizeBytes();
      const { header } = await readEnds(async (start, end) => {
        const bytes = Buffer.alloc(end - start);
        const count = await handle.readFully(bytes, start);
        if (count === bytes.length) return bytes;
        throw new ReplicationError('LTX_TRUNCATED', `the file ends at byte ${start + count}`);
      }, sizeBytes);
      const { minTXID, maxTXID, timestampMs, nodeID: lineage, pageSize } = header;
      const named = parseFilename(path.basename(file));
      if (named?.minTXID !== minTXID || named.maxTXID !== maxTXID) {
        throw new ReplicationError('LTX_INVALID', 'its header belongs to another file');
      }
      // A destination that has it may soon have nothing else of these TXIDs.
      await decodeWhole(handle, threadKernel()); // one of its own would take 2.4 MiB for each database
      return { level, minTXID, maxTXID, path: file, sizeBytes, timestampMs, lineage, pageSize };
    } finally {
      await handle.close();
    }
  }
}

function inOrder(a: StagedMerge, b: StagedMerge): number {
  return a.level - b.level || (a.maxTXID < b.maxTXID ? -1 : a.maxTXID > b.maxTXID ? 1 : 0);
}
