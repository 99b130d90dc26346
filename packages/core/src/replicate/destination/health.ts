/** How it goes with one destination: what was sent, and since when nothing has moved. */

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
  #triedAt: number;
  #movedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#triedAt = clock.monotonic();
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** In ms since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  /** Also where it is over. */
  get lastError(): UploadFailure | undefined {
    return this.#lastError;
  }

  /** When a try began, by the monotonic clock. */
  get triedAt(): number {
    return this.#triedAt;
  }

  /** When bytes last moved there, by the monotonic clock. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** A try begins. */
  tries(): void {
    this.#triedAt = this.#clock.monotonic();
  }

  /** Bytes are moving. */
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
  }
}

/** Facts of a destination that somebody waits for. Times are by the monotonic clock. */
export interface Patience {
  readonly now: number;
  readonly timeoutMs: number;
  readonly hangMs: number;
  readonly isMakingImage: boolean;
}

/**
 * Whether whoever waits for a destination should wait no more, because for `timeoutMs`
 *  - nothing has succeeded since the first failure, and no byte is moving there now; or
 *  - what is to be sent was not there, and no image is being made;
 * or because a try that is under way has moved no byte for as long as `silenceMs` allows.
 */
export function isHopeless(
  queue: Pick<UploadQueue, 'isTrying' | 'failingSince' | 'waitingSince'>,
  health: Pick<Health, 'triedAt' | 'movedAt'>,
  { now, timeoutMs, hangMs, isMakingImage }: Patience,
): boolean {
  const isOver = (since: number | undefined, ms = timeoutMs): boolean =>
    since !== undefined && now - since >= ms;
  if (queue.isTrying) {
    const lastSign = Math.max(health.triedAt, health.movedAt);
    if (isOver(lastSign, silenceMs(timeoutMs, hangMs))) return true;
    return isOver(queue.failingSince) && isOver(health.movedAt);
  }
  if (isMakingImage) return false;
  return isOver(queue.failingSince) || isOver(queue.waitingSince);
}

/** A server that works may think for so long before it answers. */
const ANSWER_MS_MAX = 10_000;

/** Who waits briefly for what fails waits briefly for what is silent: twice as long, within bounds. */
function silenceMs(timeoutMs: number, hangMs: number): number {
  return Math.max(timeoutMs, Math.min(hangMs, Math.max(ANSWER_MS_MAX, timeoutMs * 2)));
}

// --- the facts that `judge` decides by ---

/** A destination, as far as its facts need it. */
export interface Confirmer {
  readonly name: string;
  /** Everything up to this TXID can be restored from there. */
  readonly replicatedTXID: bigint | undefined;
}

/** Up to which moment each destination is known to have everything, by the monotonic clock. */
export class Confirmations {
  readonly #startedAt: number;
  readonly #asOf = new Map<string, number>();

  /** What is not known yet counts from `startedAt`. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** A destination may have more than before. Call it before the files that it has are freed. */
  note({ name, replicatedTXID: txid }: Confirmer, backlog: Backlog): void {
    if (txid === undefined) return;
    const file = backlog.files.findLast((staged) => staged.txid <= txid);
    if (file !== undefined) this.#asOf.set(name, Math.max(this.asOf(name), file.asOf));
  }

  /** Nothing was committed before `at` that they could lack, but for what they lacked before. */
  spare(destinations: readonly Confirmer[], supply: Supply, at: number): void {
    for (const destination of destinations) {
      if (supply.head > 0n && !has(destination, supply)) continue;
      this.#asOf.set(destination.name, Math.max(this.asOf(destination.name), at));
    }
  }

  asOf(name: string): number {
    return this.#asOf.get(name) ?? this.#startedAt;
  }

  /** The moment up to which `destination` has everything. */
  confirmedAt(destination: Confirmer, supply: Supply): number {
    const { name, replicatedTXID: txid } = destination;
    if (has(destination, supply)) return supply.gauges.stagedAsOf;
    const next = supply.backlog.files.find((file) => file.txid > (txid ?? 0n));
    // Where files in between were freed, or an image closes a gap, it lacks what is older than `next`.
    const isNext = txid !== undefined && next?.txid === txid + 1n;
    return isNext ? next.since : this.asOf(name);
  }
}

/** What there is to be sent. */
export interface Supply {
  /** The newest TXID, staged or announced; 0n where there is none. */
  readonly head: bigint;
  readonly backlog: Backlog;
  readonly gauges: GaugeReadings;
}

function has({ replicatedTXID }: Confirmer, { head }: Supply): boolean {
  return head > 0n && replicatedTXID !== undefined && replicatedTXID >= head;
}

export type DestinationSigns = Omit<DestinationFacts, 'confirmedAgeMs' | 'isCurrent' | 'name'>;

export interface FactsInput {
  readonly now: number;
  readonly supply: Supply;
  readonly confirmations: Confirmations;
  readonly absence: { readonly kind: Absence; readonly since: number } | undefined;
  readonly failure: string | undefined;
  /** Since when staged files could not be freed. */
  readonly freeingSince: number | undefined;
  /** Since when the state file should have been written. */
  readonly stateFileDueSince: number | undefined;
  readonly freshMs: number;
  readonly destinations: readonly (Confirmer & { readonly signs: DestinationSigns })[];
}

export function gatherFacts(input: FactsInput): DatabaseFacts {
  const { now, supply, confirmations, absence } = input;
  const { gauges } = supply;
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
      // Where there is no database nothing is committed that could be missing.
      const isSpared = absence !== undefined && (supply.head === 0n || has(destination, supply));
      return {
        name: destination.name,
        confirmedAgeMs: isSpared ? 0 : age(confirmations.confirmedAt(destination, supply)),
        isCurrent: isSpared || (has(destination, supply) && gauges.pending === 0),
        ...destination.signs,
      };
    }),
  };
}
