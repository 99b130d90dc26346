/**
 * The staging folder of one database: LTX files that not every destination has yet.
 *
 *   <meta>/ltx/0/<n>-<n>.ltx   increments and images, one TXID each; the newest one always stays
 *   <meta>/ltx/9/1-<n>.ltx     a snapshot that is being sent
 *   <meta>/position            where in the log the newest L0 ends (continuity/position.ts)
 *   <meta>/imaging             the TXID of an image that is announced and not yet whole
 *   <meta>/*.tmp               being written; swept at a start
 *
 * A name is there only when its bytes are durable.
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

/** What a start finds in the folder. */
export interface FoundStaging {
  /** L0 files, by TXID. */
  readonly files: readonly StagedFile[];
  /** The highest TXID of any file that is or was just now there: it was given out. */
  readonly highest: bigint;
}

/** While a file is written the room is looked at again after so many bytes: others write too. */
const LOOK_EVERY_BYTES = 16 * 1024 * 1024;

export class Staging {
  readonly folder: string;
  readonly #files: FileSystem;
  readonly #levels: Readonly<Record<0 | 9, string>>;

  constructor(folder: string, files: FileSystem) {
    this.folder = folder;
    this.#files = files;
    this.#levels = { 0: path.join(folder, 'ltx', '0'), 9: path.join(folder, 'ltx', '9') };
  }

  /**
   * Makes the folders, removes what a crash left half written, and drops what follows an image that
   * never became whole. STAGING_FULL, STAGING_FAILED.
   */
  async open(): Promise<FoundStaging> {
    try {
      await makeFolders(this.#files, this.#levels[0]);
      await makeFolders(this.#files, this.#levels[9]);
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

  /** STAGING_FULL where the reserve of the volume is touched: then no image is made. */
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

  /** A path in the staging folder for something that is being made. Swept at the next start. */
  temporary(name: string): string {
    return path.join(this.folder, `${name}.tmp`);
  }

  /** A temporary file for bytes that no crash has to survive. */
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

  /** After this no start can prove continuity: the next one takes an image. */
  async forgetPosition(): Promise<void> {
    await this.#files.remove(path.join(this.folder, 'position'));
    await this.#files.syncFolder(this.folder);
  }

  async writePosition(position: Position): Promise<void> {
    await this.#writeText('position', formatPosition(position));
  }

  /** From now on files above `txid` may be staged before the image that bears it is whole. */
  async announceImage(txid: TXID): Promise<void> {
    await this.#writeText('imaging', `${formatTXID(txid)}\n`);
  }

  async imageIsWhole(): Promise<void> {
    await this.#files.remove(path.join(this.folder, 'imaging'));
    await this.#files.syncFolder(this.folder);
  }

  /**
   * Writes `chunks` to a temporary file and fsyncs it. Gives its size. STAGING_FULL where that would
   * take more than staging may, or more than there is: then nothing of it is left.
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
          if (sizeBytes - lookedAt >= LOOK_EVERY_BYTES) {
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

  /** Gives a written temporary file its name, durably. */
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
      await this.#files.remove(`${file}.tmp`).catch(() => undefined); // the first error is told
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
    await this.forgetPosition();
    await this.imageIsWhole();
  }
}

/** A marker that is torn or overwritten may stand for any TXID: then everything staged is dropped. */
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
