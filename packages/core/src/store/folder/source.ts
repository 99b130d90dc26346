/** The bytes of a body on their way to a temporary file. */

import { ReplicationError } from '../../error.ts';
import { untilAborted } from '../abort.ts';
import type { ObjectBody } from '../client.ts';

/** The source's own failure, which is not the destination's. */
export class SourceError extends Error {
  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

/**
 * The body's chunks until one of the signals aborts. Whatever the source throws, and a size that is
 * not the one it said, is thrown as the cause of a SourceError.
 */
export async function* readSource(
  body: ObjectBody,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  for await (const chunk of untilAborted(marked(body), ...signals)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > body.sizeBytes) break;
    yield chunk;
    for (const signal of signals) signal?.throwIfAborted();
  }
  if (sizeBytes === body.sizeBytes) return;
  const message = `the source gave ${sizeBytes} of ${body.sizeBytes} bytes`;
  throw new SourceError(new ReplicationError('LTX_TRUNCATED', message));
}

async function* marked(body: ObjectBody): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body.open();
  } catch (error) {
    throw new SourceError(error);
  }
}
