/** A worker for tests: answers, fails, transfers memory, emits events, and crashes. */

import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { ReplicationError } from '../../src/error.ts';
import { serve, Transferred } from '../../src/threads/serve.ts';

export interface EchoService {
  readonly data: { readonly request: undefined; readonly answer: unknown };
  readonly later: { readonly request: number; readonly answer: number };
  readonly fail: {
    readonly request: 'at once' | 'later' | 'without a code';
    readonly answer: never;
  };
  readonly fill: {
    readonly request: Uint8Array<ArrayBuffer>;
    readonly answer: Uint8Array<ArrayBuffer>;
  };
  readonly say: { readonly request: string; readonly answer: void };
  readonly die: { readonly request: undefined; readonly answer: void };
}

const emit: (event: string) => void = serve<EchoService>({
  data: () => workerData as unknown,
  async later(ms) {
    await sleep(ms);
    return ms;
  },
  fail(how) {
    if (how === 'at once') throw new ReplicationError('LTX_INVALID', how);
    if (how === 'without a code') throw new TypeError(how);
    return Promise.reject(new ReplicationError('DATABASE_BUSY', how)) as never;
  },
  fill: (bytes) => new Transferred(bytes.fill(7), [bytes.buffer]),
  say: (text) => emit(text),
  die() {
    throw new Error('an invariant is broken');
  },
});
