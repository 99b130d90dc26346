/**
 * The staging folder of one database: LTX files that some destination does not have yet.
 *
 *   <meta>/ltx/0/<n>-<n>.ltx   increments and images, one TXID each; the newest one always stays
 *   <meta>/ltx/<1..8>/<a>-<b>.ltx  merged files (replicate/levels); not read or written here
 *   <meta>/ltx/9/1-<n>.ltx     a snapshot that is being sent
 *   <meta>/position            where in the log the newest L0 file ends (continuity/position.ts)
 *   <meta>/checksums           checksums of the pages at the newest L0 file (checksums/checksums.ts)
 *   <meta>/imaging             the TXID of an image that is announced but not complete
 *   <meta>/cut-<n>.tmp         an increment in progress; a start names it if its position was written
 *   <meta>/*.tmp               files in progress; removed at startup
 *
 * A file gets its name only after its bytes are durable.
 */

import path from 'node:path';
import { isError, ReplicationError } from '../../error.ts';
import {
  type FileSystem,
  makeFolders,
  readText,
  type ScratchFile,
  writeDurably,
} from '../../file-system.ts';
import { formatFilename, parseFilename } from '../../ltx/filename.ts';
import { formatTXID, parseTXID, toTXID, type TXID } from '../../ltx/txid.ts';
import { formatPosition, parsePosition, type Position } from '../continuity/position.ts';
import { floorBytes, type Purpose, readRoom, type Room, spareBytes } from './room.ts';
import { toStagingError } from './staging-error.ts';

export interface StagedFile {
  readonly level: 0 | 9;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly sizeBytes: number;
  readonly path: string;
}

/** Contents of the folder at startup. */
export interface FoundStaging {
  /** L0 files, by TXID. */
  readonly files: readonly StagedFile[];
  /** The highest assigned TXID, including files that were just removed. */
  readonly highest: bigint;
}

/** Free space is checked again after this many bytes, because others write to the volume too. */
const ROOM_CHECK_EVERY_BYTES = 16 * 1024 * 1024;

export class Staging {
  readonly folder: string;
  readonly #files: FileSystem;
  readonly #levels: Readonly<Record<0 | 9, string>>;

  constructor(folder: string, files: FileSystem) {
    this.folder = folder;
    this.#files = files;
    this.#levels = { 0: path.join(folder, 'ltx', '0'), 9: path.join(folder, 'ltx', '9') };
  }

  /** Throws STAGING_FULL or STAGING_FAILED. */
  async makeFolders(): Promise<void> {
    try {
      await makeFolders(this.#files, this.#levels[0]);
      await makeFolders(this.#files, this.#levels[9]);
    } catch (error) {
      throw toStagingError(`open the staging folder ${this.folder}`, error);
    }
  }

  /**
   * Removes partial files and everything from an unfinished image on. Throws STAGING_FULL or
   * STAGING_FAILED.
   */
  async open(): Promise<FoundStaging> {
    try {
      for (const folder of [this.folder, this.#levels[0], this.#levels[9]]) {
        await this.#removeTemporary(folder);
      }
      for (const snapshot of await this.list(9)) await this.remove(snapshot);
      const highest = (await this.list(0)).at(-1)?.maxTXID ?? 0n;
      await this.#dropUnfinishedImage();
      return { files: await this.list(0), highest };
    } catch (error) {
      throw toStagingError(`open the staging folder ${this.folder}`, error);
    }
  }

  async remove(file: StagedFile): Promise<void> {
    await this.#files.remove(file.path);
  }

  async room(): Promise<Room> {
    return await readRoom(this.#files, this.folder);
  }

  /** Throws STAGING_FULL if free space is below the reserve: then no image is made. */
  async requireRoom(): Promise<void> {
    const room = await this.room();
    if (spareBytes(room) < 0) throw tooLittleRoom(this.folder, 0, room);
  }

  async list(level: 0 | 9): Promise<StagedFile[]> {
    const folder = this.#levels[level];
    const files: StagedFile[] = [];
    for (const name of await this.#files.list(folder)) {
      const parsed = parseFilename(name);
      if (parsed === undefined) continue;
      const file = path.join(folder, name);
      const stat = await this.#files.stat(file);
      if (stat !== undefined)
        files.push({ level, ...parsed, sizeBytes: stat.sizeBytes, path: file });
    }
    return files;
  }

  pathOf(level: 0 | 9, minTXID: TXID, maxTXID: TXID): string {
    return path.join(this.#levels[level], formatFilename(minTXID, maxTXID));
  }

  /** Path for an increment in progress. */
  temporaryCut(txid: TXID): string {
    return this.temporary(`cut-${formatTXID(txid)}`);
  }

  /** The increment in progress with this TXID, as if it was staged; undefined if there is none. */
  async unnamedCut(txid: TXID): Promise<StagedFile | undefined> {
    const file = this.temporaryCut(txid);
    const stat = await this.#files.stat(file);
    if (stat === undefined) return undefined;
    return { level: 0, minTXID: txid, maxTXID: txid, sizeBytes: stat.sizeBytes, path: file };
  }

  /** Path for a file in progress. Removed at the next startup. */
  temporary(name: string): string {
    return path.join(this.folder, `${name}.tmp`);
  }

  /** A temporary file whose contents need not survive a crash. */
  scratch(name: string): ScratchFile {
    return this.#files.scratch(this.temporary(name));
  }

  async readPosition(): Promise<Position | undefined> {
    const file = path.join(this.folder, 'position');
    try {
      const text = await readText(this.#files, file);
      return text === undefined ? undefined : parsePosition(text);
    } catch (error) {
      throw toStagingError(`read ${file}`, error);
    }
  }

  /** Removes the position. The next start cannot prove continuity, and takes an image. */
  async removePosition(): Promise<void> {
    await this.#files.remove(path.join(this.folder, 'position'));
    await this.#files.syncFolder(this.folder);
  }

  async writePosition(position: Position): Promise<void> {
    await this.#writeText('position', formatPosition(position));
  }

  /** Announces an image. From now on, files above `txid` may be staged before the image is complete. */
  async announceImage(txid: TXID): Promise<void> {
    await this.#writeText('imaging', `${formatTXID(txid)}\n`);
  }

  async completeImage(): Promise<void> {
    await this.#files.remove(path.join(this.folder, 'imaging'));
    await this.#files.syncFolder(this.folder);
  }

  /**
   * Writes `chunks` to a temporary file and fsyncs it. Returns its size. Throws STAGING_FULL if the file
   * would exceed the free space for staging, and removes it.
   */
  async write(
    temporary: string,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    purpose: Purpose,
  ): Promise<number> {
    try {
      let room = await this.room();
      const floor = floorBytes(room, purpose);
      const handle = await this.#files.create(temporary, 'private');
      let sizeBytes = 0;
      let lookedAt = 0;
      try {
        for await (const chunk of chunks) {
          if (sizeBytes - lookedAt >= ROOM_CHECK_EVERY_BYTES) {
            room = await this.room();
            lookedAt = sizeBytes;
          }
          const left = room.availableBytes - (sizeBytes - lookedAt) - chunk.length;
          if (left < floor) throw tooLittleRoom(temporary, sizeBytes + chunk.length, room);
          await handle.append(chunk);
          sizeBytes += chunk.length;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      return sizeBytes;
    } catch (error) {
      await this.#files.remove(temporary);
      throw toStagingError(`write ${temporary}`, error);
    }
  }

  /** Durably renames a temporary file to its final name. */
  async publish(
    temporary: string,
    level: 0 | 9,
    minTXID: TXID,
    maxTXID: TXID,
    sizeBytes: number,
  ): Promise<StagedFile> {
    const file = this.pathOf(level, minTXID, maxTXID);
    try {
      await this.#files.rename(temporary, file);
      await this.#files.syncFolder(this.#levels[level]);
    } catch (error) {
      throw toStagingError(`rename to ${file}`, error);
    }
    return { level, minTXID, maxTXID, sizeBytes, path: file };
  }

  async #writeText(name: string, text: string): Promise<void> {
    const file = path.join(this.folder, name);
    try {
      await writeDurably(this.#files, file, text);
    } catch (error) {
      await this.#files.remove(`${file}.tmp`).catch(() => undefined); // report the first error
      throw toStagingError(`write ${file}`, error);
    }
  }

  async #removeTemporary(folder: string): Promise<void> {
    for (const name of await this.#files.list(folder)) {
      if (name.endsWith('.tmp')) await this.#files.remove(path.join(folder, name));
    }
  }

  async #dropUnfinishedImage(): Promise<void> {
    const text = await readText(this.#files, path.join(this.folder, 'imaging'));
    if (text === undefined) return;
    const from = parseMarker(text);
    for (const file of await this.list(0)) {
      if (file.maxTXID >= from) await this.#files.remove(file.path);
    }
    await this.removePosition();
    await this.completeImage();
  }
}

/** An invalid marker may stand for any TXID, so everything staged is removed. */
function parseMarker(text: string): TXID {
  try {
    return parseTXID(text.trim());
  } catch (error) {
    if (!isError(error)) throw error;
    return toTXID(1);
  }
}

function tooLittleRoom(file: string, sizeBytes: number, room: Room): ReplicationError {
  const [free, kept] = [room.availableBytes, room.reserveBytes].map((n) =>
    Math.max(0, Math.floor(n)),
  );
  return new ReplicationError(
    'STAGING_FULL',
    `write ${file}: it needs at least ${sizeBytes} bytes, but its volume has ${free} free, of which ${kept} stay ` +
      'reserved; free some space there, or set meta-path',
  );
}
