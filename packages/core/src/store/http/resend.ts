/**
 * Resends single requests of an upload, with the same number of attempts and delays as a call of core, so
 * that one failed part does not cost the whole upload.
 */

import { isError } from '../../error.ts';
import { ATTEMPTS_MAX, planRetry } from '../policy/attempts.ts';
import type { Logger } from '../backend.ts';
import { sleep } from '../abort.ts';
import { systemTimers, type TimerClock } from '../timers.ts';

export interface Resending {
  /** Logs each retry before its delay. */
  readonly logger?: Pick<Logger, 'warn'> | undefined;
  /** Default: the system clock. */
  readonly clock?: TimerClock | undefined;
  /** 0 to 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/** Sends until it succeeds or `planRetry` gives up. `failures` counts from 0. */
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
 * Returns when it is time to resend the part. Throws the error if it should not be retried, or the signal's
 * reason. `failures` is the number of consecutive failures of this part.
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

/** Whether the upload no longer exists: only a new upload can succeed. */
function isUploadGone(status: number | undefined): boolean {
  return status === 404 || status === 410;
}
