/** One signal out of several, that lets go of them again. */

import { setMaxListeners } from 'node:events';

import { reasonOf } from './timers.ts';

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Aborts this signal alone. */
  abort(reason: unknown): void;
  /** Lets go of the signals it is linked to. To be called when the work is over. */
  unlink(): void;
}

/**
 * A signal that aborts when one of `sources` does, with that one's reason. Not `AbortSignal.any`:
 * a daemon's signals live as long as it does, and Node 22 keeps a trace of each dependent signal.
 */
export function linkSignals(...sources: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const links = sources.flatMap((source) => {
    if (source === undefined) return [];
    const onAbort = (): void => controller.abort(reasonOf(source));
    if (source.aborted) onAbort();
    // Node warns of a leak from 11 listeners on; a restore has more calls in flight than that.
    setMaxListeners(0, source);
    source.addEventListener('abort', onAbort, { once: true });
    return [{ source, onAbort }];
  });
  setMaxListeners(0, controller.signal);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink() {
      for (const { source, onAbort } of links) source.removeEventListener('abort', onAbort);
    },
  };
}
