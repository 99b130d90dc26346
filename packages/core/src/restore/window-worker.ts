/** A thread that restores windows of a database. */

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../error.ts';
import type { HashedPart } from '../ltx/checksum.ts';
import { toFailure, type Failure } from './failure.ts';
import { SliceError, WindowDecoder, type WindowSettings } from './window-decoder.ts';
import type { Window } from './windows.ts';

export interface WindowAnswer {
  readonly id: number;
  readonly result: readonly HashedPart[] | WindowFailure;
}

export interface WindowFailure extends Failure {
  /** Index of the damaged file; undefined if the error is not about a file. */
  readonly file: number | undefined;
}

assert(parentPort !== null, 'this file runs as a worker');
const port = parentPort;
const decoder = new WindowDecoder(workerData as WindowSettings);

port.on('message', ({ id, ...window }: Window & { id: number }) => {
  port.postMessage({ id, result: decode(window) } satisfies WindowAnswer);
});

function decode(window: Window): readonly HashedPart[] | WindowFailure {
  try {
    return decoder.decode(window);
  } catch (error) {
    if (error instanceof SliceError) return { ...toFailure(error.cause), file: error.file };
    return { ...toFailure(error), file: undefined };
  }
}
