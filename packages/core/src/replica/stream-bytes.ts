/** A stream of Node's as a body: it ends when it is not wanted any more, read or not. */

import type { Readable } from 'node:stream';

import type { ReplicationError } from '../error.ts';
import type { Work } from './work.ts';

export interface StreamOptions {
  readonly work: Work;
  readonly signal: AbortSignal | undefined;
  /** Gives what the stream throws a code. */
  readonly toError: (error: unknown) => ReplicationError;
}

/**
 * The bytes. Leaving early frees the connection; an abort or a close frees it at once, even where
 * nobody has begun to read.
 */
export function bytesOfStream(stream: Readable, options: StreamOptions): AsyncIterable<Uint8Array> {
  const signals = [options.signal, options.work.closing];
  const end = (): void => void stream.destroy();
  for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
  stream.once('close', () => {
    for (const signal of signals) signal?.removeEventListener('abort', end);
  });
  // A connection may be lost before anybody reads: the reader is told when it begins.
  stream.on('error', () => undefined);
  return read(stream, options);
}

async function* read(
  stream: Readable,
  { work, signal, toError }: StreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      work.check(signal); // what had come before the abort is not wanted either
      yield chunk;
    }
    work.check(signal); // a stream that was destroyed may end as if it had been read
  } catch (error) {
    work.check(signal);
    throw toError(error);
  } finally {
    stream.destroy();
  }
}
