/**
 * Copies a file on the server, with the request copy-data (OpenSSH 9.0 and later). It is sent for a part of
 * the file at a time: the server answers nothing else over the channel meanwhile, and an abort waits for
 * the part.
 */

import { ReplicationError, type ObjectBody } from '@sluice/core/backend';
import type { Channel } from './channel.ts';
import { readPieces } from './read.ts';

/** A part takes a fraction of a second on any disk. */
const PART_BYTES = 16 * 1024 * 1024;

type Signals = readonly (AbortSignal | undefined)[];

/** Names the file to copy, in place of a body. Its size and bytes are those of that file. */
export class CopyOf implements ObjectBody {
  readonly path: string;
  readonly sizeBytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  open(): never {
    throw new TypeError('the bytes of a copy stay on the server');
  }
}

/** A file on the server that is being copied. */
export interface CopySource extends ObjectBody {
  /** Writes all bytes to an empty file. */
  copyTo(handle: Buffer, signals: Signals): Promise<void>;
  close(): Promise<void>;
}

/** REPLICA_UNSUPPORTED if the server cannot copy, or cannot replace a file in one step. */
export async function openSource(channel: Channel, path: string): Promise<CopySource> {
  if (!channel.copiesData || !channel.has('posix-rename')) {
    throw new ReplicationError(
      'REPLICA_UNSUPPORTED',
      `copy ${path}: the server has no copy-data, which OpenSSH has since 9.0; the file must be sent`,
    );
  }
  const source = await channel.open(path, 'r', 0);
  const close = async (): Promise<void> => {
    await channel.close(source).catch(() => undefined); // it was only read
  };
  try {
    const { sizeBytes, modifiedMs } = await channel.fstat(source);
    return {
      sizeBytes,
      createdAt: path.endsWith('.ltx') ? new Date(modifiedMs) : undefined,
      open: () => readPieces(channel, source, 0, sizeBytes),
      async copyTo(handle, signals) {
        for (let at = 0; at < sizeBytes; at += PART_BYTES) {
          for (const signal of signals) signal?.throwIfAborted();
          const length = Math.min(PART_BYTES, sizeBytes - at);
          await channel.copyData(source, handle, at, length);
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
