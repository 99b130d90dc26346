/** What a backend of files in folders gives: a few steps on paths. All else is `folderDestination`. */

import type { LTXBody, LTXFileInfo, LocalFile, NamedObjectInfo } from '../client.ts';
import type { FolderEntry } from './walk.ts';

/** Two kinds of file: those of levels have a time of their own, named objects a version. */
export type FolderContent = 'file' | 'object';

/** What is known of an LTX file beside its name. */
export type FolderFileInfo = Pick<LTXFileInfo, 'sizeBytes' | 'modifiedAt' | 'createdAt'>;

export interface FolderPlaceOptions {
  readonly condition: 'none' | 'if-absent';
  /** Any of these has it undone, if it has not its name yet. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** An open file. It stays what it was, whatever happens to its name. */
export interface FolderHandle {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** Another one for each content that the name has had. */
  readonly version: string;
  /** The bytes from `start` to `end`, fewer if the file has become shorter. Called once at most. */
  read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** Called once, also in the middle of a `read`. */
  close(): Promise<void>;
}

/**
 * `Session` is what steps go over: a channel of an SFTP connection; nothing, for a folder of this
 * machine. A step throws what the system below it throws, and `describe` gives that a code; an error
 * of ours goes through as it is. No step is given a signal: an aborted call returns without it.
 */
export interface FolderStore<Session, Entry extends FolderEntry = FolderEntry> {
  /** Levels whose folders are read at the same time. */
  readonly levelsAtOnce: number;
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /**
   * Counts connections, from 1: a root that was found is taken to be there while the number stays.
   * Default: it is looked at for each call.
   */
  generation?(): number;
  /** Another one for each file that has had this path. Undefined where there is nothing. */
  stampOf(session: Session, path: string): Promise<string | undefined>;
  /** The mount point above a folder, or the folder itself, where nothing is mounted. Absent: that cannot be told. */
  findUnmounted?(path: string): Promise<string | undefined>;
  /** All that lies in a folder, in any order. Undefined where there is none. May mend what it finds. */
  readFolder(session: Session, path: string): Promise<readonly Entry[] | undefined>;
  /** Undefined for what is no file, or is gone. */
  fileOf(path: string, entry: Entry): Promise<FolderFileInfo | undefined>;
  objectOf(path: string, entry: Entry): Promise<Omit<NamedObjectInfo, 'name'> | undefined>;
  open(path: string, content: FolderContent): Promise<FolderHandle>;
  /** Present = `openLocalFile` is claimed. */
  openLocal?(path: string): Promise<LocalFile>;
  /** With those above it that are missing, and durable. One that is there is no failure. */
  makeFolder(session: Session, path: string): Promise<void>;
  /** Whole or not at all, and durable. REPLICA_CONFLICT if the condition does not hold. */
  placeFile(
    session: Session,
    path: string,
    body: LTXBody,
    options: FolderPlaceOptions,
  ): Promise<FolderFileInfo>;
  placeObject(
    session: Session,
    path: string,
    body: LTXBody,
    options: FolderPlaceOptions,
  ): Promise<{ readonly version: string }>;
  /** A file that is gone is no failure. */
  remove(session: Session, path: string): Promise<void>;
  /** One that is gone, or holds anything, is no failure; what it holds stays. */
  removeFolder(session: Session, path: string): Promise<void>;
  /** Whether an error of a step says that a file, or a folder above it, is not there. */
  isMissing(error: unknown): boolean;
  describe(error: unknown, what: string): Error;
  /** From now on nothing new is connected to. */
  stop?(): void;
  /** All work has ended, or has not in its time. */
  close?(): Promise<void>;
}
