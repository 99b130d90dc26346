/** How it goes with one database, from a commit to each destination: keeps what facts need, and judges. */

import type { Clock } from '../../clock.ts';
import type { Absence } from '../../database/events.ts';
import { Gauges } from '../../database/gauges.ts';
import type { Backlog } from '../backlog.ts';
import {
  Confirmations,
  type Confirmer,
  type DestinationSigns,
  gatherFacts,
} from '../destination/health.ts';
import { within } from '../waits.ts';
import { type DatabaseFacts, judge, runningLimits, type Verdict } from './verdict.ts';

export interface DatabaseHealthContext {
  readonly maxLagMs: number;
  readonly monitorIntervalMs: number;
  readonly clock: Clock;
  readonly backlog: Backlog;
  /** The newest TXID that is known, staged or announced. */
  readonly head: () => bigint;
  readonly uploaders: () => readonly (Confirmer & { readonly signs: DestinationSigns })[];
  readonly freeingSince: () => number | undefined;
  /** undefined where it is not owed. */
  readonly stateFileWrittenAt: () => number | undefined;
  /** Why it is not followed, where that was tried. */
  readonly failure: () => string | undefined;
}

/** What a look and what is on its way to it may take. */
const LOOK_MS = 1_000;
/** A thread that has not taken a turn for so long does not answer either. */
const SILENT_MS_MAX = 10_000;
/** While somebody waits, what stands still is noticed within this. */
const STUCK_LOOK_MS = 250;
/** What moves no byte for so long, in staging or at a destination, will not do so later. */
export const HANG_MS_MAX = 60_000;

export class DatabaseHealth {
  /** What the thread that follows the database notes. */
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

  /** There is nothing to follow. A folder that is missing and then there has not become a database. */
  absent(kind: Absence): void {
    const since = this.#absence?.since ?? this.#context.clock.monotonic();
    this.#absence = { kind, since };
  }

  /** There is a database, whether it can be followed or not. */
  present(): void {
    if (this.#absence === undefined) return;
    this.#spare();
    this.#absence = undefined;
  }

  /** A database that was missing until now has no commit that is older: what was complete still is. */
  #spare(): void {
    const { backlog, clock, head, monitorIntervalMs, uploaders } = this.#context;
    const at = clock.monotonic() - monitorIntervalMs;
    const supply = { head: head(), backlog, gauges: this.gauges.read() };
    this.#confirmations.spare(uploaders(), supply, at);
    this.gauges.raise('lookedAt', at);
    this.gauges.raise('stagedAsOf', at);
  }

  /** A destination may have more than before. Call it before the files that it has are freed. */
  confirmed(destination: Confirmer): void {
    this.#confirmations.note(destination, this.#context.backlog);
  }

  facts(now: number = this.#context.clock.monotonic()): DatabaseFacts {
    const { backlog, failure, freeingSince, head, monitorIntervalMs } = this.#context;
    const { stateFileWrittenAt, uploaders } = this.#context;
    const gauges = this.gauges.read();
    // A file that was staged just now, and that we have not been told of yet, is known to be there.
    const staged = BigInt(gauges.stagedTXID);
    const known = head();
    return gatherFacts({
      now,
      supply: { head: staged > known ? staged : known, backlog, gauges },
      confirmations: this.#confirmations,
      absence: this.#absence,
      failure: failure(),
      freeingSince: freeingSince(),
      stateFileDueSince: stateFileWrittenAt(),
      freshMs: 2 * monitorIntervalMs + LOOK_MS,
      destinations: uploaders(),
    });
  }

  verdict(facts: DatabaseFacts = this.facts()): Verdict {
    return judge(facts, runningLimits(this.#context.maxLagMs));
  }

  /**
   * Whether everything that was committed at `since` (whole ms, as gauges have it) is at every destination. `absentMs`: for so long
   * the database may have been missing.
   */
  verdictSince(since: number, absentMs: number): Verdict {
    const now = this.#context.clock.monotonic();
    const limits = { commitMs: now - since, standstillMs: this.#context.maxLagMs, absentMs };
    return judge(this.facts(now), limits);
  }

  /** Whether who waits for the thread should wait no more; `since`: since when somebody waits. */
  isStuck(since: number, timeoutMs: number): boolean {
    const now = this.#context.clock.monotonic();
    const { aliveAt, imageMovedAt, stagingMovedAt, stagedAsOf } = this.gauges.read();
    const { maxLagMs } = this.#context;
    if (now - aliveAt > Math.max(timeoutMs, Math.min(SILENT_MS_MAX, maxLagMs))) return true;
    const movedAt = Math.max(since, imageMovedAt, stagingMovedAt, stagedAsOf);
    return now - movedAt > Math.max(timeoutMs, Math.min(HANG_MS_MAX, maxLagMs));
  }

  /** What `work` resolves with; undefined where the thread does not answer, or moves nothing any more. */
  async unlessStuck<T>(work: Promise<T> | undefined, timeoutMs: number): Promise<T | undefined> {
    const since = this.#context.clock.monotonic();
    const settled = Promise.allSettled([work]);
    while (!this.isStuck(since, timeoutMs)) {
      if ((await within(STUCK_LOOK_MS, settled)) !== undefined) return await work;
    }
    return undefined;
  }
}
