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

import fs from 'node:fs/promises';
import path from 'node:path';
import { isError, messageOf, ReplicationError } from '../error.ts';
import { writeFully } from '../file-io.ts';
import { formatFilename, parseFilename } from '../ltx/filename.ts';
import { formatTXID, parseTXID, toTXID, type TXID } from '../ltx/txid.ts';
import { makeFolder, readText, syncFolder, writeDurably } from './files.ts';
import { formatPosition, parsePosition, type Position } from './continuity/position.ts';

export interface StagedFile {
  readonly level: 0 | 9;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly sizeBytes: number;
  readonly path: string;
}

/** Part of the volume that is never taken by staging. */
const FREE_SHARE_MIN = 0.1;

export class Staging {
  readonly folder: string;
  readonly #levels: Readonly<Record<0 | 9, string>>;

  constructor(folder: string) {
    this.folder = folder;
    this.#levels = { 0: path.join(folder, 'ltx', '0'), 9: path.join(folder, 'ltx', '9') };
  }

  /**
   * Makes the folders, removes what a crash left half written, and drops what follows an image that
   * never became whole. Gives the staged L0 files by TXID.
   */
  async open(): Promise<StagedFile[]> {
    await makeFolder(this.#levels[0]);
    await makeFolder(this.#levels[9]);
    for (const folder of [this.folder, this.#levels[0], this.#levels[9]]) {
      await removeTemporary(folder);
    }
    for (const snapshot of await this.list(9)) await fs.rm(snapshot.path);
    await this.#dropUnfinishedImage();
    return await this.list(0);
  }

  async list(level: 0 | 9): Promise<StagedFile[]> {
    const folder = this.#levels[level];
    const files: StagedFile[] = [];
    for (const name of (await fs.readdir(folder)).sort()) {
      const parsed = parseFilename(name);
      if (parsed === undefined) continue;
      const file = path.join(folder, name);
      const { size } = await fs.stat(file);
      files.push({ level, ...parsed, sizeBytes: size, path: file });
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

  async readPosition(): Promise<Position | undefined> {
    const text = await readText(path.join(this.folder, 'position'));
    return text === undefined ? undefined : parsePosition(text);
  }

  /** After this no start can prove continuity: the next one takes an image. */
  async forgetPosition(): Promise<void> {
    await fs.rm(path.join(this.folder, 'position'), { force: true });
    await syncFolder(this.folder);
  }

  async writePosition(position: Position): Promise<void> {
    await writeDurably(path.join(this.folder, 'position'), formatPosition(position));
  }

  /** From now on files above `txid` may be staged before the image that bears it is whole. */
  async announceImage(txid: TXID): Promise<void> {
    await writeDurably(path.join(this.folder, 'imaging'), `${formatTXID(txid)}\n`);
  }

  async imageIsWhole(): Promise<void> {
    await fs.rm(path.join(this.folder, 'imaging'));
    await syncFolder(this.folder);
  }

  /** Writes `chunks` to a temporary file and fsyncs it. Gives its size. */
  async write(
    temporary: string,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number> {
    try {
      const handle = await fs.open(temporary, 'w', 0o600);
      let size = 0;
      try {
        for await (const chunk of chunks) {
          await writeFully(handle, chunk);
          size += chunk.length;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      return size;
    } catch (error) {
      throw toStagingError(error, temporary);
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
    await fs.rename(temporary, file);
    await syncFolder(this.#levels[level]);
    return { level, minTXID, maxTXID, sizeBytes, path: file };
  }

  /** Bytes that may still be taken of the volume without going below FREE_SHARE_MIN. */
  async spareBytes(): Promise<number> {
    const { bavail, blocks, bsize } = await fs.statfs(this.folder);
    return (bavail - blocks * FREE_SHARE_MIN) * bsize;
  }

  async #dropUnfinishedImage(): Promise<void> {
    const text = await readText(path.join(this.folder, 'imaging'));
    if (text === undefined) return;
    const from = text.trim() === '' ? toTXID(1) : parseTXID(text.trim());
    for (const file of await this.list(0)) {
      if (file.maxTXID >= from) await fs.rm(file.path);
    }
    await this.forgetPosition();
    await this.imageIsWhole();
  }
}

async function removeTemporary(folder: string): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    if (name.endsWith('.tmp')) await fs.rm(path.join(folder, name), { recursive: true });
  }
}

function toStagingError(error: unknown, file: string): unknown {
  if (isError(error)) return error; // of what was to be written, not of the writing
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new ReplicationError(
    full ? 'STAGING_FULL' : 'STAGING_FAILED',
    `write ${file}: ${messageOf(error)}; ${full ? 'free space on this volume' : 'check the volume'}`,
    { cause: error },
  );
}
