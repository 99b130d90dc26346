/**
 * The contract of a storage backend: objects by key. Every backend implements `ReplicaClient`, and so
 * does everything that wraps one (policy/). See docs/write-a-backend.md for the rules in prose.
 *
 * Sizes are bytes, times are by the server's clock unless said otherwise, arrays are readonly, and
 * options come last. A rejected promise carries a `ReplicationError`, or the signal's reason untouched.
 */

export interface CallOptions {
  /**
   * Aborted before the call: reject with its reason and touch nothing. During the call: reject within a
   * second, and the key holds the whole new object, or what it held before.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The part of the key that names the replica. A client of folders guards that folder (see
   * `Capabilities.folders`). All others ignore it.
   */
  readonly root?: string | undefined;
}

/** Half open: from `start` up to but not including `end`; to the end of the object without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

export interface ListOptions extends CallOptions {
  /** Keys up to and including this one are not wanted. A client may ignore it: core filters. */
  readonly startAfter?: string | undefined;
}

export interface GetOptions extends CallOptions {
  /** Never empty, and asked for only where `ranges` is claimed. */
  readonly range?: ByteRange | undefined;
  /** Only this version, else REPLICA_CHANGED. A client may ignore it: core compares. */
  readonly version?: string | undefined;
}

export interface PutOptions extends CallOptions {
  /** Write only if there is no such object, or only if this version is there. Else REPLICA_CONFLICT. */
  readonly condition?: 'if-absent' | { readonly version: string } | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Delete only this version, else REPLICA_CONFLICT. With one key only, and only where `versions` is claimed. */
  readonly version?: string | undefined;
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** When it was written. */
  readonly modifiedAt: Date;
  /** Another one for each content that the key has had: an ETag, a generation. */
  readonly version?: string | undefined;
  /** The body's own time, to the millisecond, where a listing carries it at no cost. */
  readonly createdAt?: Date | undefined;
}

/** Bytes of a known size that can be opened again: for a retry, for a checksum before the send. */
export interface ObjectBody {
  readonly sizeBytes: number;
  /** The time in an LTX file's header. Stored where Litestream stores it. Small named objects have none. */
  readonly createdAt?: Date | undefined;
  open(): AsyncIterable<Uint8Array>;
}

export interface OpenedObject {
  /** Of the whole object, whatever the range. */
  readonly sizeBytes: number;
  readonly modifiedAt?: Date | undefined;
  readonly version?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** An open file of this process. It stays what it was, whatever happens to its name. */
export interface LocalFile {
  readonly sizeBytes: number;
  readonly descriptor: number;
  /** To be called when nobody reads it any more. */
  close(): Promise<void>;
}

/** Absent means not claimed. What is claimed must work. What is not claimed is refused by core, or done by it. */
export interface Capabilities {
  /** Not claimed: core reads the whole object and cuts it. */
  readonly ranges?: true | undefined;
  /** `if-absent`, for objects of any size or up to a size. Not claimed: refused. */
  readonly conditions?: 'any-size' | { readonly sizeMax: number } | undefined;
  /** Conditions that name a version, for `put` and `delete`. Not claimed: refused. */
  readonly versions?: true | undefined;
  /** The largest object. Not claimed: no limit is known. */
  readonly sizeMax?: number | undefined;
  /** How many keys one `delete` takes. Not claimed: one. */
  readonly deleteMax?: number | undefined;
  /** Listings come in byte order of the keys. Not claimed: core sorts them, in memory. */
  readonly sortedLists?: true | undefined;
  /**
   * Replicas are folders. The first write makes the folder and leaves a marker in it. A missing folder is
   * REPLICA_DESTINATION_NOT_FOUND to a reader; a folder without its marker is that to everybody.
   */
  readonly folders?: true | undefined;
}

/** Where Litestream keeps its files at this kind of place: `0000/…`, or `ltx/0/…`. */
export type Layout = 'levels' | 'tree';

/** One place with one set of credentials: one SDK client or one connection, whatever the number of databases. */
export interface ReplicaClient {
  /** "s3://bucket": for messages and logs; holds no secret. */
  readonly name: string;
  /** Default 'tree'. */
  readonly layout?: Layout | undefined;
  readonly capabilities: Capabilities;

  /** Every object whose key begins with `prefix` and that exists from the first to the last request, once. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** Rejects before the first byte with REPLICA_NOT_FOUND. Leaving the body early frees the connection. */
  get(key: string, options?: GetOptions): Promise<OpenedObject>;

  /** Writes the whole object or nothing. Resolves when the bytes are durable. */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo>;

  /** Tries all, then rejects with `failures`. Deleting a missing key succeeds. */
  delete(keys: readonly string[], options?: DeleteOptions): Promise<void>;

  /** Copies on the destination's side. Present means claimed. */
  copy?(from: string, to: string, options?: CallOptions): Promise<ObjectInfo>;

  /** The object as a file of this machine, which any thread may read by position. Present means claimed. */
  openLocal?(key: string, options?: CallOptions): Promise<LocalFile>;

  /** Safe to call twice. Calls in flight reject with REPLICA_CLOSED. Sockets are gone within CLOSE_MS_MAX. */
  close(): Promise<void>;
}

/** How long `close()` may take until all its sockets and files are gone. */
export const CLOSE_MS_MAX = 5_000;
