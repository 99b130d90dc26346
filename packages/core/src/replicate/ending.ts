/** The end of a replication: a last cut, what destinations lack, and a judgement of both. */

import type { Absence } from '../database/events.ts';
import type { Condition } from './condition.ts';
import type { DatabaseHealth } from './database-health.ts';
import { finalSync, type FinalSyncContext, type FinalSyncResult } from './final-sync.ts';
import type { DrainOptions } from './replicate.ts';
import type { Uploader } from './uploader.ts';
import type { Verdict } from './verdict.ts';

export interface EndingContext extends Omit<
  FinalSyncContext,
  'state' | 'error' | 'timeoutMs' | 'isStuck'
> {
  readonly condition: Pick<Condition, 'state' | 'error'>;
  /** The newest TXID that is known; 0n where there is none. */
  readonly head: () => bigint;
  readonly health: DatabaseHealth;
  readonly uploaders: readonly Uploader[];
  readonly options: DrainOptions & { readonly absentMs?: number | undefined };
}

export interface EndingResult {
  readonly result: FinalSyncResult;
  /** What destinations were brought up to; 0n where there was nothing. */
  readonly target: bigint;
  /** Whether everything that was committed when this began is at every destination. */
  readonly verdict: Verdict;
  /** Where there was no database in the end. */
  readonly absence: Absence | undefined;
}

/** Each destination on its own, as far as it gets (Uploader.drain). */
export async function bringUpToDate(context: EndingContext): Promise<EndingResult> {
  const { clock, condition, health, head, uploaders, options } = context;
  const { shutdownSyncTimeoutMs: timeoutMs, shutdownSyncIntervalMs: retryMs } = options;
  const since = Math.floor(clock.monotonic()); // whole ms, as gauges have it
  const result = await finalSync({
    ...context,
    state: () => condition.state,
    error: () => condition.error,
    isStuck: () => health.isStuck(since, timeoutMs),
    timeoutMs,
  });
  const target = result.kind === 'staged' ? result.txid : head();
  if (target > 0n) {
    await Promise.all(uploaders.map((uploader) => uploader.drain(target, timeoutMs, retryMs)));
  }
  const verdict = health.verdictSince(since, options.absentMs ?? 0);
  return { result, target, verdict, absence: health.facts().absence?.kind };
}
