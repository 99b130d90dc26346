/** The last cut of a database before shutdown: stages everything committed, or reports why it could not. */

import type { Clock } from '../clock.ts';
import { whyAbsent } from '../database/absence.ts';
import type { Absence } from '../database/events.ts';
import { isError, messageOf, ReplicationError, type ErrorCode } from '../error.ts';
import type { Condition } from './condition.ts';
import type { DatabaseHealth } from './status/database-health.ts';
import type { Uploader } from './destination/uploader.ts';
import type { DrainOptions } from './replicate.ts';
import type { DatabaseState } from './status/status.ts';
import type { Verdict } from './status/verdict.ts';
import type { Wakeup } from './waits.ts';

export interface FinalSyncContext {
  readonly state: () => DatabaseState;
  /** Why it cannot be followed; undefined while it can. */
  readonly error: () => { readonly code: string; readonly message: string } | undefined;
  /** Whether it is decided how replication begins (`decideBeginning`). */
  readonly hasBegun: () => boolean;
  /** Cuts everything committed, and looks for a missing database. Resolves with undefined if nothing is being followed. */
  readonly sync: () => Promise<bigint | undefined>;
  /** Notified when the state changes. */
  readonly changed: Wakeup;
  readonly clock: Clock;
  /** Whether its thread does not respond or makes no progress. */
  readonly isStuck: () => boolean;
  /** How long a database that cannot be followed is retried. */
  readonly timeoutMs: number;
}

export type FinalSyncResult =
  /** Everything committed is staged, up to this TXID. */
  | { readonly kind: 'staged'; readonly txid: bigint }
  /** There is no database, so there is nothing to cut. */
  | { readonly kind: 'absent' }
  /** The commits could not be read or could not be staged. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Minimum pause after a failed sync. */
const RETRY_MS = 250;
/** If a database has never been opened for one of these reasons, only a person can change that. */
const HOPELESS: ReadonlySet<string> = new Set<ErrorCode>([
  'DATABASE_DENIED',
  'DATABASE_INVALID',
  'SQLITE_TOO_OLD',
  'STAGING_FAILED',
]);

export async function finalSync(context: FinalSyncContext): Promise<FinalSyncResult> {
  const { state, error, hasBegun, changed, clock, isStuck, timeoutMs } = context;
  const attempts = new SyncAttempts(context);
  /** Time of the first failure. It bounds the wait for a database that comes and goes. */
  let failingSince: number | undefined;
  for (;;) {
    const waiting = changed.next(RETRY_MS);
    const { txid, lastError } = attempts;
    if (txid !== undefined) return { kind: 'staged', txid };
    // It may have been created since it was last looked for.
    if (state() === 'waiting' && attempts.hasFoundNothing) return { kind: 'absent' };
    if (isStuck()) return { kind: 'failed', ...(error() ?? STUCK) };
    const reason = state() === 'failing' && !hasBegun() ? error() : undefined;
    if (reason !== undefined && HOPELESS.has(reason.code)) return { kind: 'failed', ...reason };
    const now = clock.monotonic();
    if (state() === 'imaging') failingSince = undefined; // making an image may take long
    if (state() === 'failing' || lastError !== undefined) failingSince ??= now;
    if (failingSince !== undefined && now - failingSince >= timeoutMs) {
      return { kind: 'failed', ...(error() ?? describe(lastError)) };
    }
    if (state() === 'waiting' || (hasBegun() && state() !== 'failing')) attempts.begin();
    await waiting;
  }
}

const STUCK = {
  code: 'DATABASE_BUSY',
  message: 'the thread of the database does not respond, or its staging folder hangs',
};

/** Runs one sync at a time until one succeeds. */
class SyncAttempts {
  readonly #context: FinalSyncContext;
  #isUnderWay = false;
  #notBefore = -Infinity;
  /** The TXID that contains everything committed, once a sync succeeded. */
  txid: bigint | undefined;
  /** Whether the last sync found no database to follow. */
  hasFoundNothing = false;
  lastError: unknown;

  constructor(context: FinalSyncContext) {
    this.#context = context;
  }

  begin(): void {
    if (this.#isUnderWay || this.#context.clock.monotonic() < this.#notBefore) return;
    this.#isUnderWay = true;
    this.hasFoundNothing = false;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { sync, clock, changed } = this.#context;
    try {
      this.txid = await sync();
      this.hasFoundNothing = this.txid === undefined;
    } catch (error) {
      this.lastError = error;
    } finally {
      this.#isUnderWay = false;
      this.#notBefore = clock.monotonic() + RETRY_MS;
      changed.notify();
    }
  }
}

function describe(error: unknown): { code: string; message: string } {
  return { code: isError(error) ? error.code : 'DATABASE_BUSY', message: messageOf(error) };
}

// --- shutdown of a replication: the last cut, the last sync of each destination, and the verdict ---

export interface EndingContext extends Omit<
  FinalSyncContext,
  'state' | 'error' | 'timeoutMs' | 'isStuck'
> {
  /** Path of the database. */
  readonly path: string;
  readonly condition: Pick<Condition, 'state' | 'error'>;
  /** The newest known TXID; 0n if there is none. */
  readonly head: () => bigint;
  readonly health: DatabaseHealth;
  readonly uploaders: readonly Uploader[];
  readonly options: DrainOptions & { readonly absentMs?: number | undefined };
}

export interface EndingResult {
  readonly result: FinalSyncResult;
  /** The TXID that destinations were brought up to; 0n if there was none. */
  readonly target: bigint;
  /** Whether every destination has everything that was committed when the shutdown began. */
  readonly verdict: Verdict;
  /** Set if there was no database at the end. */
  readonly absence: Absence | undefined;
}

/** Drains the destinations independently of each other (Uploader.drain). */
export async function bringUpToDate(context: EndingContext): Promise<EndingResult> {
  const { clock, condition, health, head, uploaders, options } = context;
  const { shutdownSyncTimeoutMs: timeoutMs, shutdownSyncIntervalMs: retryMs } = options;
  const since = Math.floor(clock.monotonic()); // gauges store whole ms
  const result = await finalSync({
    ...context,
    sync: async () => await syncExisting(context),
    state: () => condition.state,
    error: () => condition.error,
    isStuck: () => health.isStuck(since, timeoutMs),
    timeoutMs,
  });
  const target = result.kind === 'staged' ? result.txid : head();
  if (target > 0n) {
    await Promise.all(
      uploaders.map((uploader) => uploader.drain(target, timeoutMs, retryMs, options.leases)),
    );
  }
  if (options.retention === 'enforce') {
    await Promise.all(uploaders.map(({ deleter }) => deleter.enforceNow()));
  }
  const verdict = health.verdictSince(since, options.absentMs ?? 0);
  if (result.kind !== 'failed') {
    return { result, target, verdict, absence: health.facts().absence?.kind };
  }
  return { result, target, verdict: notHealthy(verdict, result.message), absence: undefined };
}

/** A database that exists is not missing, although nobody follows it: it may wait for a restore that is not needed. */
async function syncExisting({ condition, path, sync }: EndingContext): Promise<bigint | undefined> {
  const txid = await sync();
  if (txid !== undefined || condition.state !== 'waiting' || whyAbsent(path) !== undefined) {
    return txid;
  }
  throw new ReplicationError('DATABASE_BUSY', `sync ${path}: it exists, and is not followed yet`);
}

/** Whatever the facts are: something committed may be neither read nor staged. */
function notHealthy(verdict: Verdict, message: string): Verdict {
  if (!verdict.healthy) return verdict;
  return { ...verdict, healthy: false, problems: [{ stage: 'database', message }] };
}
