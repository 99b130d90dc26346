/** Blobs by their names: listed, opened, deleted, copied. */

import type { Readable } from 'node:stream';
import {
  isError,
  ReplicationError,
  type AbortableOptions,
  type ByteRange,
  type FileFailure,
} from '@sluice/core/backend';
import { toReplicationError } from './errors.ts';
import { holdSocket, request, type Place, type Request } from './place.ts';

/** The server copies no larger blobs in one request. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;

export interface ListedBlob {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ListBlobsOptions extends AbortableOptions {
  readonly prefix: string;
  /** Only names that are not before this one. */
  readonly startFrom?: string | undefined;
}

/** One recursive listing, in the order of the names. */
export async function* listBlobs(
  place: Place,
  what: string,
  { prefix, startFrom, signal }: ListBlobsOptions,
): AsyncGenerator<ListedBlob, void, undefined> {
  let marker: string | undefined;
  do {
    const page = await request(place, { what, signal }, 'cut', async (container, abortSignal) => {
      const seek = startFrom === undefined ? {} : { startFrom };
      const list = container.listBlobsFlat({ prefix, includeMetadata: true, abortSignal, ...seek });
      const next = marker === undefined ? {} : { continuationToken: marker };
      return (await list.byPage(next).next()).value;
    });
    for (const { name, properties, metadata = {} } of page?.segment.blobItems ?? []) {
      place.work.check(signal);
      const { contentLength: sizeBytes = 0, lastModified: modifiedAt, etag } = properties;
      yield { key: name, sizeBytes, modifiedAt, version: versionOf(etag), metadata };
    }
    marker = page?.continuationToken;
  } while (marker !== undefined && marker !== '');
}

/** Headers have ETags in quotes, listings have not. */
export function versionOf(etag: string | undefined): string {
  return `"${(etag ?? '').replaceAll('"', '')}"`;
}

export interface OpenedBlob {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface OpenBlobOptions extends AbortableOptions {
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
}

/** REPLICA_CHANGED when another version is there than the one that was asked for. */
export async function openBlob(
  place: Place,
  key: string,
  what: string,
  { range, version, signal }: OpenBlobOptions,
): Promise<OpenedBlob> {
  const { start = 0, end } = range ?? {};
  const count = end === undefined ? undefined : end - start;
  const conditions = version === undefined ? {} : { ifMatch: version };
  const answer = await request(place, { what, signal }, 'cut', (container, abortSignal) =>
    container.getBlobClient(key).download(start, count, {
      conditions,
      abortSignal,
      maxRetryRequests: 0, // core goes on where a body stops
    }),
  ).catch((error: unknown) => {
    if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    const message = `${what}: it is another version now`;
    throw new ReplicationError('REPLICA_CHANGED', message, { cause: error, status: error.status });
  });
  const stream = answer.readableStreamBody as Readable;
  endWith(stream, [signal, place.work.closing], holdSocket(place));
  const total = /\/(\d+)$/.exec(answer.contentRange ?? '')?.[1];
  return {
    sizeBytes: total === undefined ? (answer.contentLength ?? 0) : Number(total),
    modifiedAt: answer.lastModified ?? new Date(0),
    version: versionOf(answer.etag),
    body: bytesOf(stream, place, what, signal),
  };
}

/** Frees the connection of a stream when a signal aborts, whether somebody reads it or not. */
function endWith(
  stream: Readable,
  signals: readonly (AbortSignal | undefined)[],
  whenClosed: () => void,
): void {
  const end = (): void => void stream.destroy();
  for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
  stream.once('close', () => {
    whenClosed();
    for (const signal of signals) signal?.removeEventListener('abort', end);
  });
  // A connection may be lost before anybody reads: the reader is told when it begins.
  stream.on('error', () => undefined);
}

/** The bytes. Leaving early frees the connection; an abort destroys the stream (endWith). */
async function* bytesOf(
  stream: Readable,
  { work }: Place,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      work.check(signal); // what had come before the abort is not wanted either
      yield chunk;
    }
    work.check(signal); // a stream that was destroyed may end as if it had been read
  } catch (error) {
    work.check(signal);
    const named = toReplicationError(error, what);
    if (named.code !== 'REPLICA_UNKNOWN') throw named;
    // The SDK has several words for a connection that ends before the body does, and no code.
    throw new ReplicationError('REPLICA_UNAVAILABLE', `${named.message}; the body broke off`);
  } finally {
    stream.destroy();
  }
}

export type BlobFailure = Pick<FileFailure, 'code' | 'message'> & { readonly key: string };

/** Tries all, as many at once as there are slots; what may still be there is what it returns. */
export async function deleteBlobs(
  place: Place,
  keys: readonly string[],
  to: Request,
): Promise<BlobFailure[]> {
  const failures: BlobFailure[] = [];
  const queue = keys.values();
  const lane = async (): Promise<void> => {
    for (const key of queue) {
      try {
        await deleteBlob(place, key, to);
      } catch (error) {
        if (!isError(error) || error.code === 'REPLICA_CLOSED') throw error;
        failures.push({ key, code: error.code, message: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
  return failures;
}

/** Half of the slots: what is new is more urgent than what is old. */
const DELETES_AT_ONCE = 8;

/** One that is not there is no failure, unless a version was asked for. */
export async function deleteBlob(
  place: Place,
  key: string,
  { version, ...to }: Request & { readonly version?: string | undefined },
): Promise<void> {
  const conditions = version === undefined ? {} : { ifMatch: version };
  try {
    await request(place, to, 'settle', (container, abortSignal) =>
      container.getBlobClient(key).delete({ conditions, abortSignal }),
    );
  } catch (error) {
    if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
    if (version === undefined) return;
    throw new ReplicationError('REPLICA_CONFLICT', `${to.what}: it is gone`, { cause: error });
  }
}

/** On the server's side, metadata and all. REPLICA_UNSUPPORTED for more than 256 MiB. */
export async function copyBlob(
  place: Place,
  from: string,
  key: string,
  to: Request,
): Promise<{ readonly sizeBytes: number; readonly modifiedAt: Date }> {
  const tier = place.config.accessTier;
  const { contentLength: sizeBytes = 0, etag = '' } = await request(
    place,
    to,
    'cut',
    (container, abortSignal) => container.getBlobClient(from).getProperties({ abortSignal }),
  );
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${to.what}: ${sizeBytes} bytes, and Azure copies ${COPY_BYTES_MAX} at most`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copied = await request(place, to, 'settle', async (container, abortSignal) => {
    const { url, ...authorization } = await place.container.copySource(container, from);
    return await container.getBlobClient(key).syncCopyFromURL(url, {
      sourceConditions: { ifMatch: etag }, // so that the size is this one's
      abortSignal,
      ...authorization,
      ...(tier !== undefined && { tier }),
    });
  });
  return { sizeBytes, modifiedAt: copied.lastModified ?? new Date() };
}
