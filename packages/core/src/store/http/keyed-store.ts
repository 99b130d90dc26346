/**
 * What the author of a backend for a bucket writes: what a request of the vendor is, and nothing of
 * replicas. `keyedDestination` makes a destination of it (keyed-destination.ts): keys, layouts,
 * pages, aborts between two steps, what is told of files that could not be deleted, named objects.
 *
 * Errors are ReplicationErrors with a code, or the reason of an abort, untouched; `Work.request`
 * gives a request both. Each message begins with the call's `what`.
 */

import type { Readable } from 'node:stream';
import type { FileFailure, ReplicationError } from '../../error.ts';
import type { Capabilities, ConnectContext } from '../backend.ts';
import type { ByteRange, LTXBody, OpenedObject, PutOptions } from '../client.ts';
import type { Layout } from '../layout.ts';
import type { Hold } from './sockets.ts';
import type { StoreCall } from '../store-call.ts';
import type { Work } from './requests.ts';

export interface KeyedStore {
  /** Of the destination: "s3://bucket". For messages and logs; holds no secret. */
  readonly name: string;
  /** Where Litestream has its files at this kind of destination. */
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  /** Whoever only reads is told of files that lie beside where they are looked for (keyed-roots.ts). */
  readonly access?: ConnectContext['access'] | undefined;
  /** Of the destination, for all its requests. Closed before `close` is called. */
  readonly work: Work;

  /** One page of a recursive listing, in byte order of the keys. */
  listPage(call: KeyedPaging): Promise<KeyedPage>;

  /**
   * REPLICA_NOT_FOUND; REPLICA_CONFLICT where another version is there than was asked for (callers
   * are told REPLICA_CHANGED); REPLICA_RANGE where a range begins behind the last byte. A request of
   * `Work.open`. What is opened may be opened again, where it had been read to (keyed-body.ts).
   */
  open(key: string, call: KeyedOpening): Promise<KeyedOpened>;

  /** Gives what the stream of an opened object throws a code. */
  bodyError(error: unknown, what: string): ReplicationError;

  /**
   * Whole or not at all (`sendWhole`, `sendInParts`). REPLICA_CONFLICT where the condition does not
   * hold; REPLICA_NOT_FOUND where nothing at all has the version that was asked for.
   */
  put(upload: KeyedUpload): Promise<KeyedUploaded>;

  /** What is not there may be REPLICA_NOT_FOUND, or no failure; another version is a CONFLICT. */
  delete(key: string, call: KeyedDeletion): Promise<void>;

  /** Many in one request. Absent: one by one. */
  readonly batches?: KeyedBatches | undefined;

  /** On the vendor's side, with all that is kept beside the bytes. Present = claimed. */
  copy?(from: string, to: string, call: StoreCall): Promise<KeyedCopied>;

  /** Lets go of the sockets. Nothing is on its way any more. */
  close(): void;
}

export interface KeyedListing extends StoreCall {
  readonly prefix: string;
  /** Nothing before this key is wanted, and no object has it. Where it is not heeded, it is only slow. */
  readonly startAfter?: string | undefined;
  /** Nothing before this key is wanted; an object may have it. Not together with `startAfter`. */
  readonly startAt?: string | undefined;
}

export interface KeyedPaging extends KeyedListing {
  /** What the page before gave; undefined for the first. */
  readonly pageToken: string | undefined;
}

export interface KeyedPage {
  readonly objects: Iterable<KeyedObject>;
  /** Undefined: this is the last one. */
  readonly nextPageToken: string | undefined;
}

export interface KeyedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the server's clock. */
  readonly modifiedAt: Date;
  /** An ETag, a generation: another one with each write. */
  readonly version: string;
  /** An LTX file's own time, where a listing carries it. */
  readonly createdAt?: Date | undefined;
}

export interface KeyedOpening extends StoreCall {
  /** Never empty, and asked for only where ranges are claimed. */
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
}

export interface KeyedOpened extends Omit<OpenedObject, 'body'> {
  readonly stream: Readable;
  /** From `Work.open`. */
  readonly hold: Hold;
}

export interface KeyedUpload extends StoreCall {
  readonly key: string;
  readonly body: Omit<LTXBody, 'createdAt'>;
  /**
   * An LTX file's own time, to be kept beside it where Litestream keeps it. Undefined for named
   * objects, which are small and read often, and of which nothing is kept beside the bytes.
   */
  readonly createdAt: Date | undefined;
  readonly condition: PutOptions['condition'];
}

export interface KeyedUploaded {
  readonly version: string;
  /** By the server's clock. */
  readonly modifiedAt: Date;
  /** That of the upload, where a listing would carry it. */
  readonly createdAt?: Date | undefined;
}

export interface KeyedCopied {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

export interface KeyedDeletion extends StoreCall {
  /** Only this version. */
  readonly version?: string | undefined;
}

export interface KeyedBatches {
  /** So many keys in one request. */
  readonly keysMax: number;
  /**
   * Tries all, and returns those that may still be there; what is gone already is not among them.
   * REPLICA_UNSUPPORTED where the server knows no such request: from then on, one by one.
   */
  delete(keys: readonly string[], call: StoreCall): Promise<readonly KeyFailure[]>;
}

export interface KeyFailure extends Pick<FileFailure, 'code'> {
  readonly key: string;
  readonly message: string;
}
