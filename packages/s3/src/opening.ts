/** Opens one object, whole or a range of it. */

import type { Readable } from 'node:stream';
import {
  isError,
  ReplicationError,
  type AbortableOptions,
  type ByteRange,
} from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';
import { customerKey } from './headers.ts';
import { request } from './requests.ts';

export interface Opened {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface OpenKeyOptions extends AbortableOptions {
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
}

/** REPLICA_CHANGED when another version is there than the one that was asked for. */
export async function openKey(
  bucket: Bucket,
  key: string,
  what: string,
  { range, version, signal }: OpenKeyOptions,
): Promise<Opened> {
  const { client, sdk, config } = bucket;
  const command = new sdk.GetObjectCommand({
    Bucket: config.bucket,
    Key: key,
    ...(range !== undefined && { Range: rangeHeader(range) }),
    ...(version !== undefined && { IfMatch: version }),
    ...customerKey(bucket),
  });
  const options = { signals: [signal], whenAborted: 'cut' } as const;
  const answer = await request(bucket, what, options, (abortSignal) =>
    client.send(command, { abortSignal }),
  ).catch((error: unknown) => {
    if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    const message = `${what}: it is another version now`;
    throw new ReplicationError('REPLICA_CHANGED', message, { cause: error, status: error.status });
  });
  const stream = answer.Body as Readable;
  const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  if (range !== undefined && total === undefined) {
    stream.destroy();
    throw new ReplicationError(
      'REPLICA_UNSUPPORTED',
      `${what}: the server answers with the whole object where a range was asked for`,
    );
  }
  endWith(stream, [signal, bucket.work.closing]);
  return {
    sizeBytes: total === undefined ? (answer.ContentLength ?? 0) : Number(total),
    modifiedAt: answer.LastModified ?? new Date(0),
    version: answer.ETag ?? '',
    body: bytesOf(stream, bucket, what, signal),
  };
}

/** Half open to closed. Core never asks for an empty range. */
function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end === undefined ? '' : end - 1}`;
}

/** Frees the connection of a stream when a signal aborts, whether somebody reads it or not. */
function endWith(stream: Readable, signals: readonly (AbortSignal | undefined)[]): void {
  const end = (): void => void stream.destroy();
  for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
  stream.once('close', () => {
    for (const signal of signals) signal?.removeEventListener('abort', end);
  });
  // A connection may be lost before anybody reads: the reader is told when it begins.
  stream.on('error', () => undefined);
}

/** The bytes. Leaving early frees the connection; an abort destroys the stream (endWith). */
async function* bytesOf(
  stream: Readable,
  bucket: Bucket,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bucket.work.check(signal); // what had come before the abort is not wanted either
      yield chunk;
    }
    bucket.work.check(signal); // a stream that was destroyed may end as if it had been read
  } catch (error) {
    bucket.work.check(signal);
    throw toReplicationError(error, what);
  } finally {
    stream.destroy();
  }
}
