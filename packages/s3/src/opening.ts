/** Opens one object, whole or a range of it. */

import {
  isError,
  ReplicationError,
  untilAborted,
  type AbortableOptions,
  type ByteRange,
} from '@sluice/core/backend';
import type { Bucket } from './destination.ts';
import { toReplicationError } from './errors.ts';
import { customerKey, request } from './requests.ts';

export interface Opened {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export async function openKey(
  bucket: Bucket,
  key: string,
  what: string,
  options: AbortableOptions & {
    readonly range?: ByteRange | undefined;
    readonly version?: string | undefined;
  },
): Promise<Opened> {
  const { client, sdk, config } = bucket;
  const { range, version, signal } = options;
  const command = new sdk.GetObjectCommand({
    Bucket: config.bucket,
    Key: key,
    ...(range !== undefined && { Range: rangeHeader(range) }),
    ...(version !== undefined && { IfMatch: version }),
    ...customerKey(bucket),
  });
  try {
    const answer = await request(bucket, what, signal, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
    return {
      sizeBytes: total === undefined ? (answer.ContentLength ?? 0) : Number(total),
      modifiedAt: answer.LastModified ?? new Date(0),
      version: answer.ETag ?? '',
      body: bytesOf(answer.Body as AsyncIterable<Uint8Array> & Destroyable, bucket, what, signal),
    };
  } catch (error) {
    if (isError(error, 'REPLICA_CONFLICT')) {
      throw new ReplicationError('REPLICA_CHANGED', `${what}: it is another version now`, {
        cause: error,
      });
    }
    throw error;
  }
}

interface Destroyable {
  destroy(): void;
}

function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end === undefined ? '' : end - 1}`;
}

/** The body's bytes; leaving early frees the connection. */
async function* bytesOf(
  body: AsyncIterable<Uint8Array> & Destroyable,
  bucket: Bucket,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* untilAborted(body, signal, bucket.closing);
  } catch (error) {
    const aborted = [signal, bucket.closing].find((one) => one?.aborted === true);
    if (aborted !== undefined) throw aborted.reason as Error;
    throw isError(error) ? error : toReplicationError(error, what);
  } finally {
    body.destroy();
  }
}
