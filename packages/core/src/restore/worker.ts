/** A thread that decodes pieces of LTX files. */

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../error.ts';
import { PieceDecoder } from './piece-decoder.ts';
import { toFailure, type Failure } from './failure.ts';
import type { Answer, DecoderSettings, Request } from './messages.ts';

assert(parentPort !== null, 'this file runs as a worker');
const port = parentPort;
const { descriptor } = workerData as DecoderSettings;
const decoder = new PieceDecoder(descriptor);

port.on('message', (request: Request) => {
  const { id, slab } = request;
  port.postMessage({ id, slab, result: decode(request) } satisfies Answer, [slab.buffer]);
});

function decode(request: Request): bigint | Failure {
  try {
    return decoder.decode(request);
  } catch (error) {
    return toFailure(error);
  }
}
