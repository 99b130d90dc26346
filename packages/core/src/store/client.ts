/**
 * The contract of a backend: one replica's files, and small things by name.
 *
 * Sizes are bytes, times are the server's clock unless said otherwise, arrays are readonly, and
 * every option bag ends in `signal`. A rejected promise carries a `ReplicationError`, or the
 * signal's reason, untouched.
 */

import type { TXID } from '../ltx/txid.ts';

export interface AbortableOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which file: its level (0 as written, 1 to 8 merged, 9 snapshots) and its TXIDs. */
export interface LTXFileRef {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
}

export interface LTXFileInfo extends LTXFileRef {
  readonly sizeBytes: number;
  /** When it was uploaded, by the server's clock. */
  readonly modifiedAt: Date;
  /** The file's own time (its header's), only where a listing carries it for free, to the ms. */
  readonly createdAt?: Date | undefined;
}

/** Bytes of a known size that can be opened again: for a retry, for a checksum before the send. */
export interface LTXBody {
  readonly sizeBytes: number;
  /** The header's timestamp. Stored where Litestream stores it. */
  readonly createdAt: Date;
  readonly sha256?: Uint8Array | undefined;
  open(): AsyncIterable<Uint8Array>;
}

/** Half open: bytes `start` up to but not `end`; to the end of the object where `end` is absent. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

export interface ListOptions extends AbortableOptions {
  /** Only files with minTXID >= from. */
  readonly from?: TXID | undefined;
}

export interface OpenOptions extends AbortableOptions {
  readonly range?: ByteRange | undefined;
  /** Only this version of the object, else REPLICA_CHANGED. */
  readonly version?: string | undefined;
}

export interface OpenedFile {
  /** Of the whole object, whatever the range. */
  readonly sizeBytes: number;
  readonly version?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** An open file of this process. It stays what it was, whatever happens to its name. */
export interface LocalFile {
  readonly sizeBytes: number;
  readonly descriptor: number;
  /** When nobody reads it any more. */
  close(): Promise<void>;
}

export interface WriteOptions extends AbortableOptions {
  readonly condition?: 'none' | 'if-absent' | undefined;
}

export interface ReplicaClient {
  /**
   * Files of one level, or of levels 0 to 9 in one recursive listing. Every file that exists from
   * the first to the last request appears once; within a level by (minTXID, maxTXID). A level that
   * was never written is empty. A root that is not there is REPLICA_DESTINATION_NOT_FOUND.
   */
  listFiles(level: number | 'all', options?: ListOptions): AsyncIterable<LTXFileInfo>;

  /**
   * Rejects before the first byte with REPLICA_NOT_FOUND, or with REPLICA_CHANGED when `version`
   * is no longer there. Leaving the loop early frees the connection.
   */
  openFile(file: LTXFileRef, options?: OpenOptions): Promise<OpenedFile>;

  /**
   * Whole or not at all; resolves when the bytes are durable. Replaces an equal name, or with
   * 'if-absent' rejects with REPLICA_CONFLICT. An abort leaves the old object or the new one.
   */
  writeFile(file: LTXFileRef, body: LTXBody, options?: WriteOptions): Promise<LTXFileInfo>;

  /** Tries all, then rejects with `failures`. A file already gone is no failure. */
  deleteFiles(files: readonly LTXFileRef[], options?: AbortableOptions): Promise<void>;

  /**
   * For a destination on this machine: the file itself, which any thread may read by position. Errors
   * as those of `openFile`. Present = claimed.
   */
  openLocalFile?(file: LTXFileRef, options?: AbortableOptions): Promise<LocalFile>;

  /** On the destination's own side. Present = claimed. */
  copyFile?(from: LTXFileRef, to: LTXFileRef, options?: AbortableOptions): Promise<LTXFileInfo>;
}

export interface NamedObjectInfo {
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
}

export interface OpenedObject {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface PutOptions extends AbortableOptions {
  readonly condition?: 'if-absent' | { readonly version: string } | undefined;
}

/**
 * Small things by name: a lease, certificates, probes; and the large objects of Litestream 0.3's
 * buckets, to read. Names are `[a-z0-9._/-]` without empty or dot segments, and none parses as an
 * LTX key. No metadata: what must be kept is in the body.
 */
export interface NamedObjects {
  /** Up to 1 MiB. REPLICA_CONFLICT when the condition does not hold. */
  put(name: string, bytes: Uint8Array, options?: PutOptions): Promise<{ version: string }>;
  get(
    name: string,
    options?: AbortableOptions & { readonly range?: ByteRange | undefined },
  ): Promise<OpenedObject>;
  /** In byte order of the names; from the first name that is not before `from`. */
  list(
    prefix: string,
    options?: AbortableOptions & { readonly from?: string | undefined },
  ): AsyncIterable<NamedObjectInfo>;
  /** A name that is not there is no failure, unless a version was asked for (REPLICA_CONFLICT). */
  delete(
    name: string,
    options?: AbortableOptions & { readonly version?: string | undefined },
  ): Promise<void>;
}
