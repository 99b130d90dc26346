/** The last cut of a database before everything ends: what is committed now is staged, or it is said why not. */

import type { Clock } from '../clock.ts';
import type { Absence } from '../database/events.ts';
import { isError, messageOf } from '../error.ts';
import type { Condition } from './condition.ts';
import type { DatabaseHealth } from './status/database-health.ts';
import type { Uploader } from './destination/uploader.ts';
import type { DrainOptions } from './replicate.ts';
import type { DatabaseState } from './status/status.ts';
import type { Verdict } from './status/verdict.ts';
import type { Wakeup } from './waits.ts';

export interface FinalSyncContext {
  readonly state: () => DatabaseState;
  /** Why it cannot be followed, while that is so. */
  readonly error: () => { readonly code: string; readonly message: string } | undefined;
  /** Whether it is decided how the history goes on. */
  readonly hasBegun: () => boolean;
  /** Cuts what is committed; undefined where nothing is followed just now. */
  readonly sync: () => Promise<bigint | undefined>;
  /** Wakes whoever waits for another state. */
  readonly changed: Wakeup;
  readonly clock: Clock;
  /** Whether the thread that follows it does not answer, or moves nothing any more. */
  readonly isStuck: () => boolean;
  /** A database that cannot be followed is tried again for so long. */
  readonly timeoutMs: number;
}

export type FinalSyncResult =
  /** Everything that was committed is staged up to this TXID. */
  | { readonly kind: 'staged'; readonly txid: bigint }
  /** There is no database: nothing is to be cut. */
  | { readonly kind: 'absent' }
  /** It cannot be said what is committed, or it cannot be staged. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** After a sync that failed the next one follows after this at the earliest. */
const LOOK_MS = 250;

export async function finalSync(context: FinalSyncContext): Promise<FinalSyncResult> {
  const { state, error, hasBegun, changed, clock, isStuck, timeoutMs } = context;
  const attempt = new Attempt(context);
  /** Of the first failure: a database that comes and goes is not waited for without end. */
  let failingSince: number | undefined;
  for (;;) {
    const waiting = changed.next(LOOK_MS);
    const { txid, refusal } = attempt;
    if (txid !== undefined) return { kind: 'staged', txid };
    if (state() === 'waiting') return { kind: 'absent' };
    if (isStuck()) return { kind: 'failed', ...(error() ?? STUCK) };
    const now = clock.monotonic();
    if (state() === 'imaging') failingSince = undefined; // it goes on, and may take its time
    if (state() === 'failing' || refusal !== undefined) failingSince ??= now;
    if (failingSince !== undefined && now - failingSince >= timeoutMs) {
      return { kind: 'failed', ...(error() ?? describe(refusal)) };
    }
    if (hasBegun() && state() !== 'failing') attempt.begin();
    await waiting;
  }
}

const STUCK = {
  code: 'DATABASE_BUSY',
  message: 'the thread of the database does not respond, or its staging folder hangs',
};

/** One sync after the other, until one succeeds. */
class Attempt {
  readonly #context: FinalSyncContext;
  #isUnderWay = false;
  #notBefore = -Infinity;
  /** That holds all that was committed. */
  txid: bigint | undefined;
  refusal: unknown;

  constructor(context: FinalSyncContext) {
    this.#context = context;
  }

  begin(): void {
    if (this.#isUnderWay || this.#context.clock.monotonic() < this.#notBefore) return;
    this.#isUnderWay = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { sync, clock, changed } = this.#context;
    try {
      this.txid = await sync();
    } catch (error) {
      this.refusal = error;
    } finally {
      this.#isUnderWay = false;
      this.#notBefore = clock.monotonic() + LOOK_MS;
      changed.notify();
    }
  }
}

function describe(error: unknown): { code: string; message: string } {
  return { code: isError(error) ? error.code : 'DATABASE_BUSY', message: messageOf(error) };
}

// --- the end of a replication: a last cut, a last sync of each destination, and the verdict ---

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
