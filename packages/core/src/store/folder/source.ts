/** Reads a body for a temporary file. */

import { ReplicationError } from '../../error.ts';
import { untilAborted } from '../abort.ts';
import type { ObjectBody } from '../client.ts';

/** An error of the source, as opposed to the destination. */
export class SourceError extends Error {
  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

/**
 * The body's chunks until one of the signals aborts. Errors of the source, and a wrong size, are thrown as
 * the cause of a SourceError.
 */
export async function* readSource(
  body: ObjectBody,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  for await (const chunk of untilAborted(withSourceErrors(body), ...signals)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > body.sizeBytes) break;
    yield chunk;
    for (const signal of signals) signal?.throwIfAborted();
  }
  if (sizeBytes === body.sizeBytes) return;
  const message = `the source gave ${sizeBytes} of ${body.sizeBytes} bytes`;
  throw new SourceError(new ReplicationError('LTX_TRUNCATED', message));
}

async function* withSourceErrors(body: ObjectBody): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body.open();
  } catch (error) {
    throw new SourceError(error);
  }
}
