/**
 * Health of one database, from commit to each destination: keeps the state that the facts are
 * derived from.
 */

import type { Clock } from '../../clock.ts';
import type { Absence } from '../../database/events.ts';
import { Gauges } from '../../database/gauges.ts';
import type { Backlog } from '../backlog.ts';
import {
  Confirmations,
  type ConfirmedDestination,
  type DestinationActivity,
  gatherFacts,
} from '../destination/health.ts';
import { within } from '../waits.ts';
import { type DatabaseFacts, evaluateHealth, runningLimits, type Verdict } from './verdict.ts';

export interface DatabaseHealthContext {
  readonly maxLagMs: number;
  readonly monitorIntervalMs: number;
  readonly clock: Clock;
  readonly backlog: Backlog;
  /** The newest TXID, staged or announced. */
  readonly head: () => bigint;
  readonly uploaders: () => readonly (ConfirmedDestination & {
    readonly activity: DestinationActivity;
  })[];
  readonly freeingSince: () => number | undefined;
  /** undefined if no state file is to be written yet. */
  readonly stateFileWrittenAt: () => number | undefined;
  /** Why following the database fails. */
  readonly failure: () => string | undefined;
}

/** Allowance for reading the WAL and scheduling the read. */
const LOOK_MS = 1_000;
/** A thread whose event loop has not run for this long counts as not responding. */
const SILENT_MS_MAX = 10_000;
/** Interval of checks for a stuck thread during a wait. */
const STUCK_CHECK_MS = 250;
/** Staging or a transfer that has moved no bytes for this long counts as hanging. */
export const HANG_MS_MAX = 60_000;

export class DatabaseHealth {
  /** Values written by the thread that follows the database. */
  readonly gauges: Gauges;
  readonly #context: DatabaseHealthContext;
  readonly #confirmations: Confirmations;
  #absence: { readonly kind: Absence; readonly since: number } | undefined;

  constructor(context: DatabaseHealthContext) {
    this.#context = context;
    const now = context.clock.monotonic();
    this.gauges = Gauges.create(now);
    this.#confirmations = new Confirmations(now);
  }

  /**
   * There is no database to follow. The time since it has been missing is kept if only the reason
   * changes. `at`: when that was seen; the engine records it itself.
   */
  absent(kind: Absence, at?: number): void {
    if (at !== undefined) this.gauges.raise('absentAt', at);
    const since = this.#absence?.since ?? this.#context.clock.monotonic();
    this.#absence = { kind, since };
  }

  /** There is a database, whether or not it can be followed. */
  present(): void {
    if (this.#absence === undefined) return;
    this.#confirmExisting();
    this.#absence = undefined;
  }

  /**
   * A database has no commits older than the last time when it was missing, so destinations that had
   * everything then still do.
   */
  #confirmExisting(): void {
    const { backlog, head, uploaders } = this.#context;
    const gauges = this.gauges.read();
    const at = gauges.absentAt;
    const source = { head: head(), backlog, gauges };
    this.#confirmations.confirmUntil(uploaders(), source, at);
    this.gauges.raise('lookedAt', at);
    this.gauges.raise('stagedAsOf', at);
  }

  /**
   * The database was closed while it was idle, and nothing has been staged since it was opened again: a destination that
   * has the newest file has everything until its files changed.
   */
  confirmStaged(): void {
    const { backlog, head, uploaders } = this.#context;
    const gauges = this.gauges.read();
    const source = { head: head(), backlog, gauges };
    this.#confirmations.confirmUntil(uploaders(), source, gauges.stagedAsOf);
  }

  /** Updates the confirmation of a destination. Call it before the files that it has are freed. */
  confirmed(destination: ConfirmedDestination): void {
    this.#confirmations.update(destination, this.#context.backlog);
  }

  /**
   * Changes with each commit, as long as the database is closed because it is idle, and everything is at every
   * destination; otherwise undefined.
   */
  get rest(): number | undefined {
    if (this.gauges.get('idlePollMs') === 0) return undefined;
    const commits = this.gauges.get('commits');
    const facts = this.facts();
    const isComplete = facts.destinations.every(
      ({ isCurrent, failingMs, snapshotFailingMs }) =>
        isCurrent && failingMs === 0 && snapshotFailingMs === 0,
    );
    return isComplete && this.verdict(facts).healthy ? commits : undefined;
  }

  facts(now: number = this.#context.clock.monotonic()): DatabaseFacts {
    const { backlog, failure, freeingSince, head, monitorIntervalMs } = this.#context;
    const { stateFileWrittenAt, uploaders } = this.#context;
    const gauges = this.gauges.read();
    // A file may be staged although its event has not arrived yet.
    const staged = BigInt(gauges.stagedTXID);
    const known = head();
    return gatherFacts({
      now,
      source: { head: staged > known ? staged : known, backlog, gauges },
      confirmations: this.#confirmations,
      absence: this.#absence,
      failure: failure(),
      freeingSince: freeingSince(),
      stateFileDueSince: stateFileWrittenAt(),
      freshMs: 2 * Math.max(monitorIntervalMs, gauges.idlePollMs) + LOOK_MS,
      destinations: uploaders(),
    });
  }

  verdict(facts: DatabaseFacts = this.facts()): Verdict {
    return evaluateHealth(facts, runningLimits(this.#context.maxLagMs));
  }

  /**
   * Whether every destination has everything that was committed at `since` (in whole ms, like gauges).
   * `absentMs`: maximum time that the database may have been missing.
   */
  verdictSince(since: number, absentMs: number): Verdict {
    const now = this.#context.clock.monotonic();
    const limits = { commitMs: now - since, stuckMs: this.#context.maxLagMs, absentMs };
    return evaluateHealth(this.facts(now), limits);
  }

  /** Whether to stop waiting for the thread. `since`: start of the wait. */
  isStuck(since: number, timeoutMs: number): boolean {
    const now = this.#context.clock.monotonic();
    const { aliveAt, imageMovedAt, stagingMovedAt, stagedAsOf } = this.gauges.read();
    const { maxLagMs } = this.#context;
    if (now - aliveAt > Math.max(timeoutMs, Math.min(SILENT_MS_MAX, maxLagMs))) return true;
    const movedAt = Math.max(since, imageMovedAt, stagingMovedAt, stagedAsOf);
    return now - movedAt > Math.max(timeoutMs, Math.min(HANG_MS_MAX, maxLagMs));
  }

  /** Resolves with the result of `work`, or with undefined if the thread gets stuck (`isStuck`). */
  async unlessStuck<T>(work: Promise<T> | undefined, timeoutMs: number): Promise<T | undefined> {
    const since = this.#context.clock.monotonic();
    const settled = Promise.allSettled([work]);
    while (!this.isStuck(since, timeoutMs)) {
      if ((await within(STUCK_CHECK_MS, settled)) !== undefined) return await work;
    }
    return undefined;
  }
}
