/**
 * Waits until the commits of one database are at a number of destinations.
 *
 * A caller belongs to the next cut that begins after its call, so everything committed before the call is
 * in the file of that cut or in an earlier one. It returns when enough destinations have that TXID, as
 * their status says it. When a cut is made is decided by `progress.ts`.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { type DurableFailure, messageOf, ReplicationError } from '../../error.ts';
import { formatTXID } from '../../ltx/txid.ts';
import type { Backlog } from '../backlog.ts';
import type { Condition } from '../condition.ts';
import type { Wakeup } from '../waits.ts';
import { notDurable } from './not-durable.ts';
import {
  CUT_INTERVAL_MS,
  type DestinationProgress,
  holdersOf,
  isCutDue,
  judge,
  type ProgressSource,
  toProgress,
} from './progress.ts';

/** How many destinations to wait for, and how long. */
export interface DurableOptions {
  /** Number of destinations; default: all of them. */
  readonly min?: number | 'all' | undefined;
  /** Default 30 s; Infinity for no limit. */
  readonly timeoutMs?: number | undefined;
  /**
   * `now`: each destination is listed first, and counts only if its listing shows everything. One that fails is tried
   * again at once, and is waited for during 10 s. Default: what was confirmed earlier counts, and a destination that
   * fails may count as lost.
   */
  readonly retry?: 'now' | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where the commits are. */
export interface DurableReport {
  /** 16 hex digits: everything committed before the call is in this TXID or an earlier one. */
  readonly txid: string;
  /** Names of the destinations from which this TXID can be restored. */
  readonly destinations: readonly string[];
}

export interface DurabilityContext {
  readonly path: string;
  /** Cuts everything committed. Resolves with undefined if the database is not followed. */
  readonly sync: () => Promise<bigint | undefined>;
  /** A sync will follow soon. */
  readonly expectSync: () => void;
  readonly uploaders: () => readonly (ProgressSource & Listed)[];
  readonly backlog: Pick<Backlog, 'newest'>;
  readonly condition: Pick<Condition, 'error'>;
  /** Notified when a destination or the database has changed. */
  readonly changed: Wakeup;
  readonly clock: Clock;
}

interface Listed {
  /** Number of listings that ended well. */
  readonly listings: number;
  /** Lists the destination now, also during a pause after a failure. */
  retryNow(): void;
}

interface Waiter {
  readonly needed: number;
  /** By the monotonic clock: until then no destination counts as lost. */
  readonly patientUntil: number;
  /** When it was called, by the monotonic clock. */
  readonly since: number;
  /** For each destination the listings before the call: only what a later one shows counts. undefined: everything does. */
  readonly listings: readonly number[] | undefined;
  /** TXID of its cut; undefined before that. */
  txid: bigint | undefined;
  readonly resolve: (report: DurableReport) => void;
  readonly fail: (reason: DurableFailure['reason'], cause?: unknown) => void;
}

/** Litestream's default for `sync -wait`. */
const TIMEOUT_MS = 30_000;
/** setTimeout accepts at most about 24 days. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;
/** Callers that are released together commit and call again together. They get into one file. */
const GATHER_MS = 1;
/** A destination that is tried again at the wish of a caller has this time to take what it lacks. */
const PATIENCE_MS = 10_000;
/** Wait before a failed sync is tried again. */
const RETRY_MS = 250;

export class Durability {
  readonly #context: DurabilityContext;
  readonly #waiters = new Set<Waiter>();
  #isRunning = false;
  #isCutting = false;
  #isClosed = false;
  #cutAt = -Infinity;
  #notBefore = -Infinity;
  #syncError: string | undefined;

  constructor(context: DurabilityContext) {
    this.#context = context;
  }

  /** NOT_DURABLE, with what each destination has, if it does not succeed. */
  async durable(options: DurableOptions = {}): Promise<DurableReport> {
    const { timeoutMs = TIMEOUT_MS, retry, signal } = options;
    const needed = this.#toNeeded(options);
    const { promise, resolve, reject } = Promise.withResolvers<DurableReport>();
    const fail: Waiter['fail'] = (reason, cause) => {
      const { path, condition } = this.#context;
      const { txid } = waiter;
      const stagingError = condition.error?.message ?? this.#syncError;
      const state = { path, txid, destinations: this.#seenBy(waiter), stagingError };
      reject(notDurable({ ...state, reason, needed, timeoutMs, cause }));
    };
    const since = this.#context.clock.monotonic();
    const patientUntil = retry === 'now' ? since + PATIENCE_MS : since;
    const listings = retry === 'now' ? this.#listAgain() : undefined;
    const txid = undefined;
    const waiter: Waiter = { needed, patientUntil, since, listings, txid, resolve, fail };
    const onAbort = (): void => fail('aborted', signal?.reason);
    const limitMs = Math.min(timeoutMs, TIMER_MS_MAX);
    const timer = timeoutMs === Infinity ? undefined : setTimeout(() => fail('timeout'), limitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else if (this.#isClosed) fail('closed');
    else this.#add(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#waiters.delete(waiter);
    }
  }

  /** The database was opened again without proof that nothing is missing. */
  interrupted(): void {
    for (const waiter of this.#waiters) waiter.fail('interrupted');
    this.#waiters.clear();
  }

  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.fail('closed');
    this.#waiters.clear();
    this.#context.changed.notify();
  }

  #toNeeded({ min = 'all', timeoutMs = TIMEOUT_MS }: DurableOptions): number {
    const { path, uploaders } = this.#context;
    const { length } = uploaders();
    const needed = min === 'all' ? length : min;
    const isCount = Number.isInteger(needed) && needed >= 1 && needed <= length;
    if (isCount && timeoutMs > 0) return needed;
    const wrong = isCount
      ? `timeoutMs is a positive number, not ${timeoutMs}`
      : `there are ${length}, not ${min}: give a number from 1 to ${length}, or "all"`;
    throw new ReplicationError('CONFIG_INVALID', `wait for the destinations of ${path}: ${wrong}`);
  }

  #add(waiter: Waiter): void {
    if (this.#uncut.length === 0) this.#context.expectSync();
    this.#waiters.add(waiter);
    this.#context.changed.notify();
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Returns the number of listings of each destination so far. */
  #listAgain(): readonly number[] {
    return this.#context.uploaders().map((uploader) => {
      const { listings } = uploader;
      uploader.retryNow();
      return listings;
    });
  }

  get #uncut(): readonly Waiter[] {
    return [...this.#waiters].filter(({ txid }) => txid === undefined);
  }

  get #destinations(): readonly DestinationProgress[] {
    return this.#context.uploaders().map(toProgress);
  }

  /** A destination that was not listed since the call has nothing, as far as this caller knows. */
  #seenBy({ listings: before }: Pick<Waiter, 'listings'>): readonly DestinationProgress[] {
    return this.#context.uploaders().map((uploader, index) => {
      const isSeen = before === undefined || uploader.listings > (before[index] ?? 0);
      return isSeen ? toProgress(uploader) : { ...toProgress(uploader), txid: undefined };
    });
  }

  /** Runs while someone waits. Does not throw. */
  async #run(): Promise<void> {
    const { changed } = this.#context;
    while (this.#waiters.size > 0) {
      const { count } = changed;
      this.#settle();
      if (this.#mayCut()) void this.#cut();
      await changed.since(count, CUT_INTERVAL_MS);
    }
    this.#isRunning = false;
  }

  #settle(): void {
    const now = this.#context.clock.monotonic();
    for (const waiter of this.#waiters) {
      const { txid, needed, patientUntil, resolve, fail } = waiter;
      if (txid === undefined) continue;
      const destinations = this.#seenBy(waiter);
      const outcome = judge({ txid, needed }, destinations);
      if (outcome === 'waiting' || (outcome === 'lost' && now < patientUntil)) continue;
      this.#waiters.delete(waiter);
      const holders = holdersOf(txid, destinations).map(({ name }) => name);
      if (outcome === 'lost') fail('lost');
      else resolve({ txid: formatTXID(txid), destinations: holders });
    }
  }

  #mayCut(): boolean {
    const uncut = this.#uncut;
    const { clock, backlog } = this.#context;
    const now = clock.monotonic();
    if (uncut.length === 0 || this.#isCutting || now < this.#notBefore) return false;
    return isCutDue({
      destinations: this.#destinations,
      newest: backlog.newest?.txid ?? 0n,
      needed: Math.min(...uncut.map(({ needed }) => needed)),
      sinceCutMs: now - this.#cutAt,
      waitedMs: now - Math.min(...uncut.map(({ since }) => since)),
    });
  }

  /** Cuts for all callers so far. A caller that comes later is not in this group: its commit may be missing. */
  async #cut(): Promise<void> {
    const { clock, sync, changed } = this.#context;
    this.#isCutting = true;
    await sleep(GATHER_MS);
    const group = this.#uncut;
    try {
      const txid = await sync();
      this.#syncError = txid === undefined ? 'the database is not followed yet' : undefined;
      for (const waiter of group) waiter.txid = txid;
      if (txid === undefined) this.#notBefore = clock.monotonic() + RETRY_MS;
    } catch (error) {
      this.#syncError = messageOf(error);
      this.#notBefore = clock.monotonic() + RETRY_MS;
    } finally {
      this.#isCutting = false;
      this.#cutAt = clock.monotonic();
      if (this.#uncut.length > 0) this.#context.expectSync();
      changed.notify();
    }
  }
}
