/** Transfer statistics of one destination, and the facts from which health is derived. */

import type { Clock } from '../../clock.ts';
import type { Absence } from '../../database/events.ts';
import type { GaugeReadings } from '../../database/gauges.ts';
import type { Backlog } from '../backlog.ts';
import type { DatabaseFacts, DestinationFacts } from '../status/verdict.ts';
import type { UploadFailure, UploadQueue } from './upload-queue.ts';

export class Health {
  readonly #clock: Clock;
  #bytesSent = 0;
  #lastSuccessMs: number | undefined;
  #lastError: UploadFailure | undefined;
  readonly #errors = new Map<string, number>();
  #triedAt: number;
  #movedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#triedAt = clock.monotonic();
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Unix time in ms. */
  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  /** The last failure, even if the destination has recovered. */
  get lastError(): UploadFailure | undefined {
    return this.#lastError;
  }

  /** Number of failures by code. */
  get errors(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#errors);
  }

  /** When the last try began, by the monotonic clock. */
  get triedAt(): number {
    return this.#triedAt;
  }

  /** When bytes were last transferred, by the monotonic clock. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** A try began. */
  tryStarted(): void {
    this.#triedAt = this.#clock.monotonic();
  }

  /** Bytes were transferred. */
  moved(): void {
    this.#movedAt = this.#clock.monotonic();
  }

  succeeded(): void {
    this.#lastSuccessMs = this.#clock.now();
  }

  sent(sizeBytes: number): void {
    this.#bytesSent += sizeBytes;
    this.succeeded();
  }

  failed(failure: UploadFailure): void {
    this.#lastError = failure;
    this.#errors.set(failure.code, (this.#errors.get(failure.code) ?? 0) + 1);
  }
}

/** Limits of a drain. Times are by the monotonic clock. */
export interface DrainLimits {
  readonly now: number;
  readonly timeoutMs: number;
  readonly hangMs: number;
  readonly isMakingImage: boolean;
  /** How long to wait for the end of the lease of another replicator. Default: not at all. */
  readonly leaseMs?: number | undefined;
}

/** Whether the destination belongs to another replicator. */
export function isOfOther(failure: UploadFailure | undefined): boolean {
  return failure?.code === 'REPLICA_IN_USE';
}

/**
 * Whether a drain should give a destination up, because for `timeoutMs`
 *  - nothing has succeeded since the first failure, and no bytes are being transferred; or
 *  - the next file to send did not exist, and no image is being made;
 * or because the running try has transferred no bytes for the time given by `silenceMs`.
 */
export function shouldGiveUp(
  queue: Pick<UploadQueue, 'isTrying' | 'failingSince' | 'waitingSince'> &
    Partial<Pick<UploadQueue, 'failure'>>,
  health: Pick<Health, 'triedAt' | 'movedAt'>,
  { now, timeoutMs, hangMs, isMakingImage, leaseMs }: DrainLimits,
): boolean {
  const isOver = (since: number | undefined, ms = timeoutMs): boolean =>
    since !== undefined && now - since >= ms;
  // It belongs to another replicator: somebody has to decide, or its lease has to end.
  if (isOfOther(queue.failure)) return leaseMs === undefined || isOver(queue.failingSince, leaseMs);
  if (queue.isTrying) {
    const lastSign = Math.max(health.triedAt, health.movedAt);
    if (isOver(lastSign, silenceMs(timeoutMs, hangMs))) return true;
    return isOver(queue.failingSince) && isOver(health.movedAt);
  }
  if (isMakingImage) return false;
  return isOver(queue.failingSince) || isOver(queue.waitingSince);
}

/** A working server may take this long to answer. */
const ANSWER_MS_MAX = 10_000;

/** Time limit for a silent destination: twice the limit for a failing one, within bounds. */
function silenceMs(timeoutMs: number, hangMs: number): number {
  return Math.max(timeoutMs, Math.min(hangMs, Math.max(ANSWER_MS_MAX, timeoutMs * 2)));
}

// --- input of `evaluateHealth` ---

/** A destination, as seen by `Confirmations`. */
export interface ConfirmedDestination {
  readonly name: string;
  /** Everything up to this TXID can be restored from the destination. */
  readonly replicatedTXID: bigint | undefined;
}

/** For each destination, the time up to which it is known to have all commits, by the monotonic clock. */
export class Confirmations {
  /** Used for destinations without a confirmation yet. */
  readonly startedAt: number;
  readonly #asOf = new Map<string, number>();

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  /** Updates the confirmation of a destination. Call it before the files that it has are freed. */
  update({ name, replicatedTXID: txid }: ConfirmedDestination, backlog: Backlog): void {
    if (txid === undefined) return;
    const file = backlog.files.findLast((staged) => staged.txid <= txid);
    if (file !== undefined) this.#asOf.set(name, Math.max(this.asOf(name), file.asOf));
  }

  /** The database had no new commits until `at`, so destinations that had everything still do. */
  confirmUntil(
    destinations: readonly ConfirmedDestination[],
    source: SourceState,
    at: number,
  ): void {
    for (const destination of destinations) {
      if (source.head > 0n && !has(destination, source)) continue;
      this.#asOf.set(destination.name, Math.max(this.asOf(destination.name), at));
    }
  }

  asOf(name: string): number {
    return this.#asOf.get(name) ?? this.startedAt;
  }

  /** The time up to which `destination` has all commits. */
  confirmedAt(destination: ConfirmedDestination, source: SourceState): number {
    const { name, replicatedTXID: txid } = destination;
    const { stagedAsOf, stagedSince, stagedTXID } = source.gauges;
    // Files of an earlier run are in the backlog alone.
    const newest = source.backlog.newest?.txid ?? 0n;
    const staged = newest > stagedTXID ? newest : BigInt(stagedTXID);
    // What is announced, but not staged, has only commits after `stagedAsOf`.
    if (has(destination, source) || (txid !== undefined && txid >= staged)) return stagedAsOf;
    // The newest file may be staged although its event has not arrived.
    if (txid !== undefined && txid + 1n === BigInt(stagedTXID)) return stagedSince;
    const next = source.backlog.files.find((file) => file.txid > (txid ?? 0n));
    // If files in between were freed, or an image closes a gap, it lacks commits older than `next`.
    const isNext = txid !== undefined && next?.txid === txid + 1n;
    return isNext ? next.since : this.asOf(name);
  }
}

/** State of the database and its staged files. */
export interface SourceState {
  /** The newest TXID, staged or announced; 0n if there is none. */
  readonly head: bigint;
  readonly backlog: Backlog;
  readonly gauges: GaugeReadings;
}

function has({ replicatedTXID }: ConfirmedDestination, { head }: SourceState): boolean {
  return head > 0n && replicatedTXID !== undefined && replicatedTXID >= head;
}

export type DestinationActivity = Omit<DestinationFacts, 'confirmedAgeMs' | 'isCurrent' | 'name'>;

export interface FactsInput {
  readonly now: number;
  readonly source: SourceState;
  readonly confirmations: Confirmations;
  readonly absence: { readonly kind: Absence; readonly since: number } | undefined;
  readonly failure: string | undefined;
  /** Since when staged files could not be freed. */
  readonly freeingSince: number | undefined;
  /** Since when the state file is overdue. */
  readonly stateFileDueSince: number | undefined;
  readonly freshMs: number;
  readonly destinations: readonly (ConfirmedDestination & {
    readonly activity: DestinationActivity;
  })[];
}

export function gatherFacts(input: FactsInput): DatabaseFacts {
  const { now, source, confirmations, absence } = input;
  const { gauges } = source;
  const age = (since: number | undefined): number =>
    since === undefined ? 0 : Math.max(0, now - since);
  return {
    absence: absence === undefined ? undefined : { kind: absence.kind, ms: age(absence.since) },
    failure: input.failure,
    threadSilentMs: age(gauges.aliveAt),
    lookAgeMs: age(gauges.lookedAt),
    stagedAgeMs: age(gauges.stagedAsOf),
    imageStalledMs: gauges.imageMovedAt === 0 ? 0 : age(gauges.imageMovedAt),
    recordStalledMs: age(input.freeingSince),
    stateFileAgeMs: age(input.stateFileDueSince),
    freshMs: input.freshMs,
    destinations: input.destinations.map((destination) => {
      // A missing database has no new commits that the destination could lack.
      const lacksNothing =
        absence !== undefined && (source.head === 0n || has(destination, source));
      const confirmedAt = confirmations.confirmedAt(destination, source);
      return {
        name: destination.name,
        confirmedAgeMs: lacksNothing ? 0 : age(confirmedAt),
        isConfirmed: lacksNothing || confirmedAt > confirmations.startedAt,
        isCurrent: lacksNothing || (has(destination, source) && gauges.pending === 0),
        ...destination.activity,
      };
    }),
  };
}
