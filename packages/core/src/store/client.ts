/**
 * The contract of a storage backend: objects by key. Every backend and every wrapper (policy/) implements
 * `ReplicaClient`. docs/write-a-backend.md explains the rules in prose.
 *
 * Sizes are in bytes. Times are by the server's clock unless stated otherwise. Arrays are readonly. Options
 * come last. A promise rejects with a `ReplicationError`, or with the signal's reason unchanged.
 */

export interface CallOptions {
  /**
   * If aborted before the call: reject with its reason and do nothing. If aborted during the call: reject
   * within a second; the key holds the complete new object or its previous state.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The part of the key that names the replica. A client of folders guards that folder (see
   * `Capabilities.folders`). Other clients ignore it.
   */
  readonly root?: string | undefined;
  /**
   * Called by core before each attempt of a write, a copy or a delete, and before each chunk of a body. Throws if
   * it must not begin any more. Clients ignore it.
   */
  readonly mayBegin?: (() => void) | undefined;
}

/** From `start` up to but not including `end`. Without `end`: to the end of the object. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

/** Options of `ReplicaClient.list`. */
export interface ListOptions extends CallOptions {
  /** Omit keys up to and including this one. A client may ignore it: core filters. */
  readonly startAfter?: string | undefined;
  /** For a client of folders; other clients ignore it. */
  readonly emptyRoot?: EmptyRoot | undefined;
}

/**
 * What an empty folder without its marker means.
 * 'refuse': files were written there before, so it is REPLICA_DESTINATION_NOT_FOUND: its disk may not be mounted.
 * 'accept': it is a new folder, also if this client has seen a marker there.
 * Neither: it is a new folder, unless this client has seen a marker there.
 */
export type EmptyRoot = 'refuse' | 'accept';

/** Options of `ReplicaClient.get`. */
export interface GetOptions extends CallOptions {
  /** Never empty. Only set if `ranges` is claimed. */
  readonly range?: ByteRange | undefined;
  /** Read only this version; otherwise REPLICA_CHANGED. A client may ignore it: core compares. */
  readonly version?: string | undefined;
}

/** Options of `ReplicaClient.put`. */
export interface PutOptions extends CallOptions {
  /** Write only if the object does not exist, or only if it has this version; otherwise REPLICA_CONFLICT. */
  readonly condition?: 'if-absent' | { readonly version: string } | undefined;
}

/** Options of `ReplicaClient.delete`. */
export interface DeleteOptions extends CallOptions {
  /** Delete only this version; otherwise REPLICA_CONFLICT. Only with a single key and if `versions` is claimed. */
  readonly version?: string | undefined;
}

/** An object in a listing, or one that was just written. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Time of the write. */
  readonly modifiedAt: Date;
  /** Changes with the content of the key: an ETag, a generation. */
  readonly version?: string | undefined;
  /** The body's own time, to the millisecond, if listings include it at no extra cost. */
  readonly createdAt?: Date | undefined;
}

/** Bytes of a known size that can be opened more than once: for a retry, or a checksum before sending. */
export interface ObjectBody {
  readonly sizeBytes: number;
  /** The time in the header of an LTX file, stored where Litestream stores it. Named objects have none. */
  readonly createdAt?: Date | undefined;
  open(): AsyncIterable<Uint8Array>;
}

/** An object that is being read. */
export interface OpenedObject {
  /** Size of the whole object, regardless of the range. */
  readonly sizeBytes: number;
  /** Set by a wrapper that decrypts: the size of the object in listings. */
  readonly storedBytes?: number | undefined;
  readonly modifiedAt?: Date | undefined;
  readonly version?: string | undefined;
  /** In chunks, so that a read can be aborted between them: not a large object at once. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** An open file of this process. Its content does not change if the name is replaced or deleted. */
export interface LocalFile {
  readonly sizeBytes: number;
  readonly descriptor: number;
  /** Call it when all reads are done. */
  close(): Promise<void>;
}

/** An absent capability is not claimed. Claimed capabilities must work; core refuses or emulates the others. */
export interface Capabilities {
  /** Not claimed: core reads the whole object and returns the range. */
  readonly ranges?: true | undefined;
  /** `if-absent`, for objects of any size or up to a maximum size. Not claimed: refused. */
  readonly conditions?: 'any-size' | { readonly sizeMax: number } | undefined;
  /** Conditions on a version, for `put` and `delete`. Not claimed: refused. */
  readonly versions?: true | undefined;
  /** Maximum size of an object. Not claimed: no known limit. */
  readonly sizeMax?: number | undefined;
  /** Maximum number of keys in one `delete`. Not claimed: one. */
  readonly deleteMax?: number | undefined;
  /** Listings are in byte order of the keys. Not claimed: core sorts them in memory. */
  readonly sortedLists?: true | undefined;
  /**
   * Replicas are folders. The first write creates the folder and a marker in it. For a reader, a missing
   * folder is REPLICA_DESTINATION_NOT_FOUND. A folder that lost its marker is the same error for everyone.
   */
  readonly folders?: true | undefined;
}

/** The layout that Litestream uses for this type of destination: `0000/…` or `ltx/0/…`. */
export type Layout = 'levels' | 'tree';

/** One place with one set of credentials: one SDK client or connection, shared by all databases. */
export interface ReplicaClient {
  /** "s3://bucket", for messages and logs. Contains no secret. */
  readonly name: string;
  /** Default 'tree'. */
  readonly layout?: Layout | undefined;
  readonly capabilities: Capabilities;

  /** Lists once every object whose key begins with `prefix` and that exists from the first to the last request. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** Rejects with REPLICA_NOT_FOUND before the first byte. Leaving the body early frees the connection. */
  get(key: string, options?: GetOptions): Promise<OpenedObject>;

  /** Writes the complete object or nothing. Resolves when the bytes are durable. */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo>;

  /** Tries all keys, then rejects with `failures`. Deleting a missing key succeeds. */
  delete(keys: readonly string[], options?: DeleteOptions): Promise<void>;

  /** Copies an object at the destination. Claimed if present. */
  copy?(from: string, to: string, options?: CallOptions): Promise<ObjectInfo>;

  /** Opens the object as a local file that any thread may read by position. Claimed if present. */
  openLocal?(key: string, options?: CallOptions): Promise<LocalFile>;

  /** Safe to call twice. Calls in flight reject with REPLICA_CLOSED. Sockets are closed within CLOSE_MS_MAX. */
  close(): Promise<void>;
}

/** Maximum time for `close()` to close all sockets and files. */
export const CLOSE_MS_MAX = 5_000;
