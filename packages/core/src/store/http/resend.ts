/**
 * When one request of an upload is sent again. It is tried as often as a call of core, with the same
 * waits, so that one part that fails does not cost the whole upload.
 */

import { isError } from '../../error.ts';
import { ATTEMPTS_MAX, planRetry } from '../policy/attempts.ts';
import type { Logger } from '../backend.ts';
import { sleep } from '../abort.ts';
import { systemTimers, type TimerClock } from '../timers.ts';

export interface Resending {
  /** Told before each wait, so that nothing is retried in silence. */
  readonly logger?: Pick<Logger, 'warn'> | undefined;
  /** Default: the system's. */
  readonly clock?: TimerClock | undefined;
  /** 0 to 1, as Math.random, which is the default. */
  readonly random?: (() => number) | undefined;
}

/** Sends until it succeeds, or until another try is not worth it. `failures` counts from 0. */
export async function sendAgain<Answer>(
  send: (failures: number) => Promise<Answer>,
  resending: Resending,
  signal: AbortSignal,
): Promise<Answer> {
  for (let failures = 0; ;) {
    try {
      return await send(failures);
    } catch (error) {
      failures += 1;
      await waitToResend(error, failures, resending, signal);
    }
  }
}

/**
 * Returns when it is time to send the part again. Throws the error where another try is not worth it,
 * or the signal's reason. `failures` counts those of this part in a row.
 */
export async function waitToResend(
  error: unknown,
  failures: number,
  { logger, clock = systemTimers, random = Math.random }: Resending,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const delayMs = planRetry(error, failures, { attemptsMax: ATTEMPTS_MAX, random });
  if (delayMs === undefined || !isError(error) || isUploadGone(error.status)) throw error;
  const wait = Math.round(delayMs);
  logger?.warn(`${error.message}; the part is sent again in ${wait} ms`, { code: error.code });
  await sleep(clock, wait, signal);
}

/** The server does not know the upload any more: only a new one can succeed. */
function isUploadGone(status: number | undefined): boolean {
  return status === 404 || status === 410;
}
