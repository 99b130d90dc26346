/**
 * The file system as an argument: for the staging folder and the records in it. The simulation uses an
 * in-memory file system, which loses everything that was not durable at a crash.
 *
 * A file's bytes are durable after its `sync`. Its name, a rename and a removal are durable after
 * `syncFolder` of its folder. Errors are those of `node:fs`, with their `code`.
 *
 * The database, its WAL, and the output of a restore are read and written directly.
 */

import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { readFully, readFullySync, writeFully, writeFullySync } from './file-io.ts';

export interface FileSystem {
  /** Opens a file for reading. ENOENT if it does not exist. */
  open(file: string): Promise<StoredFile>;
  /** Creates a file, or truncates an existing one. */
  create(file: string, access: Access): Promise<WritableFile>;
  /** Creates an empty file that only this process uses, for bytes that need not survive a crash. */
  scratch(file: string): ScratchFile;
  /** Creates one folder. EEXIST if it exists, ENOENT if its parent is missing. */
  makeFolder(folder: string): Promise<void>;
  /** The names in a folder, sorted. */
  list(folder: string): Promise<string[]>;
  /** undefined if it does not exist. */
  stat(at: string): Promise<FileStat | undefined>;
  /** Atomically replaces `to` with `from`. */
  rename(from: string, to: string): Promise<void>;
  /** Sets the time of a file, in ms since 1970. ENOENT if it does not exist. */
  touch?(file: string, timeMs: number): Promise<void>;
  /** Removes a file, or a folder with its contents. Removing a missing file succeeds. */
  remove(at: string): Promise<void>;
  /** Makes the names in `folder` durable. */
  syncFolder(folder: string): Promise<void>;
  /** The volume that contains `folder`. */
  volume(folder: string): Promise<Volume>;
}

/** Who may read a new file: only its owner, or everyone that the umask allows. */
export type Access = 'private' | 'shared';

export interface StoredFile {
  /** Reads from `position` until `into` is full or the file ends. Returns the number of bytes read. */
  readFully(into: Uint8Array, position: number): Promise<number>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

export interface WritableFile {
  /** Appends all of `bytes`. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes the bytes durable, but not the name. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Synchronous, because it is written while a SQLite transaction is open. */
export interface ScratchFile {
  write(bytes: Uint8Array, position: number): void;
  /** Returns the number of bytes read. */
  read(into: Uint8Array, position: number): number;
  /** Closes and removes it. */
  discard(): void;
}

export interface FileStat {
  readonly kind: 'file' | 'folder' | 'other';
  readonly sizeBytes: number;
}

export interface Volume {
  /** Space available to this user. */
  readonly availableBytes: number;
  readonly sizeBytes: number;
}

/** Pages of a database are as confidential as the database. */
const MODES: Readonly<Record<Access, number>> = { private: 0o600, shared: 0o666 };

export const systemFiles: FileSystem = {
  async open(file) {
    const handle = await fs.promises.open(file, 'r');
    return {
      readFully: (into, position) => readFully(handle, into, position),
      sizeBytes: async () => (await handle.stat()).size,
      close: () => handle.close(),
    };
  },
  create: async (file, access) => toWritable(await fs.promises.open(file, 'w', MODES[access])),
  scratch(file) {
    const descriptor = fs.openSync(file, 'w+', MODES.private);
    return {
      write: (bytes, position) => writeFullySync(descriptor, bytes, position),
      read: (into, position) => readFullySync(descriptor, into, position),
      discard() {
        fs.closeSync(descriptor);
        fs.rmSync(file, { force: true });
      },
    };
  },
  makeFolder: (folder) => fs.promises.mkdir(folder),
  list: async (folder) => (await fs.promises.readdir(folder)).sort(),
  async stat(at) {
    try {
      const stats = await fs.promises.stat(at);
      const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
      return { kind, sizeBytes: stats.size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  touch: (file, timeMs) => fs.promises.utimes(file, timeMs / 1_000, timeMs / 1_000),
  remove: (at) => fs.promises.rm(at, { recursive: true, force: true }),
  async syncFolder(folder) {
    const handle = await fs.promises.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async volume(folder) {
    const { bavail, blocks, bsize } = await fs.promises.statfs(folder);
    return { availableBytes: bavail * bsize, sizeBytes: blocks * bsize };
  },
};

function toWritable(handle: FileHandle): WritableFile {
  return {
    append: (bytes) => writeFully(handle, bytes),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** Whether an error means that the file does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/**
 * Creates a folder and its parents, and makes their names durable. One at a time: Node's own recursion
 * loops forever in /proc, where nobody can create a folder.
 */
export async function makeFolders(files: FileSystem, folder: string): Promise<void> {
  const parent = path.dirname(folder);
  try {
    await makeOne(files, folder);
  } catch (error) {
    if (!isMissing(error) || parent === folder) throw error;
    await makeFolders(files, parent);
    await makeOne(files, folder);
  }
}

async function makeOne(files: FileSystem, folder: string): Promise<void> {
  try {
    await files.makeFolder(folder);
  } catch (error) {
    if (await isFolder(files, folder)) return; // a read-only file system returns EROFS, not EEXIST
    throw error;
  }
  await files.syncFolder(path.dirname(folder));
}

/** False if `stat` fails: the caller then reports its own error. */
async function isFolder(files: FileSystem, at: string): Promise<boolean> {
  try {
    return (await files.stat(at))?.kind === 'folder';
  } catch {
    return false;
  }
}

/** Durably replaces `file` with `text`: after a crash it holds the old text or the new text. */
export async function writeDurably(
  files: FileSystem,
  file: string,
  text: string,
  access: Access = 'private',
  temporary = `${file}.tmp`,
): Promise<void> {
  await replaceBy(files, file, { temporary, text, access, durability: 'synced' });
  await files.syncFolder(path.dirname(file));
}

/**
 * Replaces `file` with `text`. After a power loss it may hold the old text, the new text, or nothing.
 * Several processes that write the same file need a `temporary` name each.
 */
export async function replaceText(
  files: FileSystem,
  file: string,
  text: string,
  temporary = `${file}.new`,
): Promise<void> {
  await replaceBy(files, file, {
    temporary,
    text,
    access: 'shared',
    durability: 'not synced',
  });
}

interface Replacement {
  readonly temporary: string;
  readonly text: string;
  readonly access: Access;
  readonly durability: 'synced' | 'not synced';
}

async function replaceBy(
  files: FileSystem,
  file: string,
  { temporary, text, access, durability }: Replacement,
): Promise<void> {
  const handle = await files.create(temporary, access);
  try {
    await handle.append(Buffer.from(text));
    if (durability === 'synced') await handle.sync();
  } finally {
    await handle.close();
  }
  await files.rename(temporary, file);
}

/** The text of a small file written by Sluice; undefined if it does not exist. */
export async function readText(files: FileSystem, file: string): Promise<string | undefined> {
  const bytes = await readBytes(files, file);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** The contents of a file; undefined if it does not exist. */
export async function readBytes(files: FileSystem, file: string): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(files, file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function readWhole(files: FileSystem, file: string): Promise<Uint8Array> {
  const handle = await files.open(file);
  try {
    const bytes = new Uint8Array(await handle.sizeBytes());
    return bytes.subarray(0, await handle.readFully(bytes, 0));
  } finally {
    await handle.close();
  }
}
