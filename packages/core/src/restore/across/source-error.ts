/**
 * Errors of one source among several: another source may have the file. With a single source, errors stay as
 * they are.
 */

import { isError, ReplicationError, type ErrorCode } from '../../error.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { OpenedObject } from '../../store/client.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { RestoreSource } from '../plan/sources.ts';

/** Codes about one object. All other codes are about the whole destination. */
export const FILE_CODES: readonly ErrorCode[] = [
  'REPLICA_NOT_FOUND',
  'REPLICA_CHANGED',
  'REPLICA_RANGE',
  'REPLICA_TRUNCATED',
  'REPLICA_PERMISSION_DENIED', // such as an archived object of S3
  'REPLICA_NO_IDENTITY', // also if the start of an encrypted file is damaged
];

export class SourceError extends ReplicationError {
  /** The name of the source. */
  readonly source: string;
  readonly file: LTXFileRef;
  /** What to leave out: the file at this source, or the source. */
  readonly scope: 'file' | 'source';

  constructor(source: string, file: LTXFileRef, cause: ReplicationError) {
    super(cause.code, `${source}: ${cause.message}`, { cause });
    this.source = source;
    this.file = file;
    this.scope = FILE_CODES.includes(cause.code) ? 'file' : 'source';
  }
}

/** The same source; a failed read of a file is a SourceError. */
export function withSourceErrors(source: RestoreSource): RestoreSource {
  const { name, client } = source;
  const convert = (file: LTXFileRef, error: unknown, signal: AbortSignal | undefined): unknown =>
    isError(error) && error.code.startsWith('REPLICA_') && signal?.aborted !== true
      ? new SourceError(name, file, error)
      : error;
  const openLocal = client.openLocalFile?.bind(client);
  const converted: ReplicaFiles = {
    listFiles: client.listFiles.bind(client),
    writeFile: client.writeFile.bind(client),
    deleteFiles: client.deleteFiles.bind(client),
    encrypted: client.encrypted,
    async openFile(file, options = {}): Promise<OpenedObject> {
      const { signal } = options;
      try {
        const opened = await client.openFile(file, options);
        const body = converting(opened.body, (error) => convert(file, error, signal));
        return { ...opened, body };
      } catch (error) {
        throw convert(file, error, signal);
      }
    },
    ...(openLocal !== undefined && {
      async openLocalFile(file, options) {
        try {
          return await openLocal(file, options);
        } catch (error) {
          throw convert(file, error, options?.signal);
        }
      },
    }),
  };
  const known = source.headers;
  const headers = known && {
    async read(file: LTXFileInfo, signal: AbortSignal | undefined): Promise<LTXHeader> {
      try {
        return await known.read(file, signal);
      } catch (error) {
        throw convert(file, error, signal);
      }
    },
  };
  return { ...source, client: converted, headers };
}

/** Whether the error is about this file: a listing has the file itself, and a later one an equal one. */
export function isAboutFile(error: SourceError, file: LTXFileInfo, source: string): boolean {
  const { level, minTXID, maxTXID } = error.file;
  return (
    error.source === source &&
    file.level === level &&
    file.minTXID === minTXID &&
    file.maxTXID === maxTXID
  );
}

/** Passes `return` on even if nothing was read: that frees the connection. */
function converting(
  body: AsyncIterable<Uint8Array>,
  convert: (error: unknown) => unknown,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const chunks = body[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            return await chunks.next();
          } catch (error) {
            throw convert(error);
          }
        },
        async return() {
          await chunks.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
