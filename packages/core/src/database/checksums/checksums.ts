/**
 * Keeps the page checksums of one database: in memory at the newest staged file, and in `checksums` in the
 * staging folder. All calls but `load` and `opened` are made in the order in which files are staged.
 *
 * A record is appended before the position of its file is written, and names that file. So after a kill
 * between any two steps, the file on disk describes the newest staged file, or can be read back to it by
 * leaving out the last record. It is not synced until the
 * end of a run: a power loss may shorten it, which is found too.
 *
 * Nothing depends on checksums: if they cannot be kept, they are removed, and the next full snapshot
 * makes new ones.
 */

import path from 'node:path';
import { messageOf } from '../../error.ts';
import { type FileSystem, readBytes, type WritableFile } from '../../file-system.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readFileChecksum } from '../../ltx/file.ts';
import type { Random } from '../../random.ts';
import { type FileIdentity, isSameIdentity } from '../continuity/evidence.ts';
import type { FoundFile } from '../staging/staged-check.ts';
import {
  type ChecksumBase,
  type ChecksumRecord,
  type DescribedFile,
  encodeBase,
  encodeRecord,
  parseChecksums,
} from './checksum-file.ts';
import { CHECKSUMMED_PAGES_MAX, ChecksumTable } from './checksum-table.ts';

/** Records are merged into the base once they are longer than the base and than this. */
const MERGED_BYTES_MIN = 1024 * 1024;

export interface ChecksumsContext {
  /** The staging folder. */
  readonly folder: string;
  readonly files: FileSystem;
  readonly kernel: Kernel;
  readonly random: Random;
  readonly notice: (level: 'info' | 'warn', message: string) => void;
}

/** A full snapshot that is about to be staged. */
export interface WrittenImage extends DescribedFile {
  readonly lineage: bigint;
  readonly commit: number;
}

type State =
  | { readonly kind: 'none' }
  /** The checksums are at the newest staged file. */
  | { readonly kind: 'kept'; readonly base: ChecksumBase }
  /** A full snapshot is being written. `above`: files that are staged above it meanwhile. */
  | { readonly kind: 'image'; readonly table: ChecksumTable; readonly above: ChecksumRecord[] };

export class Checksums {
  readonly #context: ChecksumsContext;
  readonly #file: string;
  #state: State = { kind: 'none' };
  #database: FileIdentity | undefined;
  #open: { readonly handle: WritableFile; readonly baseBytes: number } | undefined;
  #crc = 0n;
  #recordBytes = 0;

  constructor(context: ChecksumsContext) {
    this.#context = context;
    this.#file = path.join(context.folder, 'checksums');
  }

  /** Reads the checksums of the newest staged file, if they are those of its exact bytes. */
  async load(newest: FoundFile | undefined): Promise<void> {
    await this.#closeFile();
    this.#state = { kind: 'none' };
    try {
      const found = await this.#read(newest);
      if (typeof found !== 'string') this.#state = { kind: 'kept', base: found };
    } catch (error) {
      this.#context.notice(
        'warn',
        `read ${this.#file}: ${messageOf(error)}; a start without proof of continuity takes a full snapshot`,
      );
    }
  }

  /** Drops the checksums if they belong to another database file than the one that was opened. */
  opened(pageSize: number, file: FileIdentity): void {
    this.#database = file;
    if (this.#state.kind !== 'kept') return;
    const { base } = this.#state;
    if (base.table.pageSize !== pageSize || !isSameIdentity(base.file, file)) {
      this.#state = { kind: 'none' };
    }
  }

  /** The checksums at the newest staged file; undefined if there are none. */
  get base(): ChecksumBase | undefined {
    return this.#state.kind === 'kept' ? this.#state.base : undefined;
  }

  /** The table that pages of the next file are hashed for; undefined if no checksums are kept. */
  get table(): ChecksumTable | undefined {
    switch (this.#state.kind) {
      case 'kept':
        return this.#state.base.table;
      case 'image':
        return this.#state.table;
      case 'none':
        return undefined;
    }
  }

  /** A table for a full snapshot; undefined if the database is too large. */
  newTable(pageSize: number, pages: number): ChecksumTable | undefined {
    if (pages > CHECKSUMMED_PAGES_MAX) return undefined;
    return new ChecksumTable(pageSize, this.#context.random.bits64());
  }

  /** A full snapshot with this table is frozen. Files above it may be staged before it. */
  async imageBegan(table: ChecksumTable | undefined): Promise<void> {
    if (table === undefined) await this.drop();
    else this.#state = { kind: 'image', table, above: [] };
  }

  /** Call before the full snapshot is staged. Its table is complete now. */
  async imageWritten({ txid, fileChecksum, lineage, commit }: WrittenImage): Promise<void> {
    const state = this.#state;
    const file = this.#database;
    if (state.kind !== 'image' || file === undefined) return;
    const { table, above } = state;
    table.resize(commit);
    for (const record of above) table.apply(record, record.commit);
    const newest = above.at(-1) ?? { txid, fileChecksum };
    const isGapless = newest.txid === txid + BigInt(above.length);
    if (!isGapless || table.pages > CHECKSUMMED_PAGES_MAX) {
      await this.drop();
      return;
    }
    const base = { txid: newest.txid, fileChecksum: newest.fileChecksum, lineage, file, table };
    this.#state = { kind: 'kept', base };
    await this.#keep(() => this.#writeBase(base));
  }

  /** Call before an increment is staged. May be called again with the same one. */
  async add(record: ChecksumRecord): Promise<void> {
    const state = this.#state;
    if (isSameFile(this.#newest, record)) return;
    if (state.kind === 'image') state.above.push(record);
    if (state.kind !== 'kept') return;
    const { base } = state;
    if (record.txid !== base.txid + 1n || record.commit > CHECKSUMMED_PAGES_MAX) {
      await this.drop();
      return;
    }
    await this.#keep(async () => {
      const file = await this.#openFile(base);
      const { chunks, crc } = encodeRecord(record, this.#crc, this.#context.kernel);
      const bytes = Buffer.concat(chunks);
      await file.append(bytes);
      this.#crc = crc;
      this.#recordBytes += bytes.length;
      base.table.apply(record, record.commit);
      const { txid, fileChecksum } = record;
      this.#state = { kind: 'kept', base: { ...base, txid, fileChecksum } };
    });
  }

  /** The newest file that the checksums include. */
  get #newest(): DescribedFile | undefined {
    const state = this.#state;
    return state.kind === 'image' ? state.above.at(-1) : this.base;
  }

  /** Removes the checksums. The next start without proof of continuity takes a full snapshot. */
  async drop(): Promise<void> {
    this.#state = { kind: 'none' };
    await this.#closeFile();
    // If it stays, it describes no file that is staged later.
    await this.#context.files.remove(this.#file).catch(() => undefined);
  }

  /** Makes the file durable and closes it. */
  async close(): Promise<void> {
    await this.#keep(async () => this.#open?.handle.sync());
    await this.#closeFile();
  }

  /** Like `close`, and frees their memory. `load` reads them again. */
  async unload(): Promise<void> {
    await this.close();
    this.#state = { kind: 'none' };
  }

  async #read(newest: FoundFile | undefined): Promise<ChecksumBase | string> {
    const { files, kernel } = this.#context;
    if (newest === undefined) return 'nothing is staged';
    const bytes = await readBytes(files, this.#file);
    if (bytes === undefined) return 'there are none';
    const { file, lineage, pageSize } = newest;
    const handle = await files.open(file.path);
    try {
      const fileChecksum = await readFileChecksum(async (start, end) => {
        const part = new Uint8Array(end - start);
        return part.subarray(0, await handle.readFully(part, start));
      }, file.sizeBytes);
      const found = parseChecksums(bytes, { txid: file.maxTXID, fileChecksum }, kernel);
      if (typeof found === 'string') return found;
      const isOfRun = found.lineage === lineage && found.table.pageSize === pageSize;
      return isOfRun ? found : 'the file belongs to another run';
    } finally {
      await handle.close();
    }
  }

  /** The open file. Writes the base first if the file is not open, or if its records are long. */
  async #openFile(base: ChecksumBase): Promise<WritableFile> {
    const limit = Math.max(this.#open?.baseBytes ?? 0, MERGED_BYTES_MIN);
    if (this.#open === undefined || this.#recordBytes > limit) return await this.#writeBase(base);
    return this.#open.handle;
  }

  async #writeBase(base: ChecksumBase): Promise<WritableFile> {
    const { files, folder, kernel } = this.#context;
    await this.#closeFile();
    const { chunks, crc } = encodeBase(base, kernel);
    const temporary = `${this.#file}.tmp`;
    const handle = await files.create(temporary, 'private');
    try {
      for (const chunk of chunks) await handle.append(chunk);
      await handle.sync();
      await files.rename(temporary, this.#file);
      await files.syncFolder(folder);
    } catch (error) {
      await handle.close();
      throw error;
    }
    const baseBytes = chunks.reduce((sum, { length }) => sum + length, 0);
    this.#open = { handle, baseBytes };
    this.#crc = crc;
    this.#recordBytes = 0;
    return handle;
  }

  /** Runs `work`, and drops the checksums if it fails: replication does not depend on them. */
  async #keep(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.drop();
      this.#context.notice(
        'warn',
        `write ${this.#file}: ${messageOf(error)}; until the next full snapshot, a start without proof of continuity takes one`,
      );
    }
  }

  async #closeFile(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#recordBytes = 0;
    await open?.handle.close().catch(() => undefined); // its contents are checked when it is read
  }
}

function isSameFile(a: DescribedFile | undefined, b: DescribedFile): boolean {
  return a?.txid === b.txid && a.fileChecksum === b.fileChecksum;
}
