/** Requests images and snapshots from the engine when a destination needs one or a periodic one is due. */

import type { Clock } from '../clock.ts';
import type { Logger } from '../store/backend.ts';
import type { NextStep } from './destination/next.ts';
import type { EngineLink } from './watch-pool.ts';
import { Retry } from './condition.ts';
import type { AgedSnapshot } from './levels/snapshot-age.ts';
import {
  ALL_DESTINATIONS,
  refreshDueInMs,
  scopeFor,
  scopeOfDue,
  snapshotDueInMs,
  widestScope,
  type SnapshotHolder,
  type SnapshotSchedule,
  type SnapshotScope,
} from './levels/snapshot-time.ts';
import type { StagedSnapshot } from './backlog.ts';
import type { DatabaseState } from './status/status.ts';
import type { Uploader } from './destination/uploader.ts';

export interface ImageRequestsContext {
  readonly engine: () => EngineLink | undefined;
  readonly uploaders: () => readonly Uploader[];
  /** 'idle' before replication has begun and after it has ended: nothing may be requested. */
  readonly state: () => DatabaseState | 'idle';
  readonly head: () => bigint;
  readonly stagedSnapshot: () => StagedSnapshot | undefined;
  readonly onImage: () => void;
  /** The pause after a failed snapshot is over. */
  readonly onRetry: () => void;
  readonly schedule: SnapshotSchedule;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Result of a requested snapshot: 'not following' while the database is missing or fails. */
export type SnapshotOrder = 'ordered' | 'under way' | 'not following';

export class ImageRequests {
  readonly #context: ImageRequestsContext;
  #requested: 'nothing' | 'snapshot' | 'image' = 'nothing';
  /** Which destinations get the snapshot that was last requested. */
  #scope: SnapshotScope | undefined;
  /** When a snapshot was last requested, by the monotonic clock. */
  #requestedAt = -Infinity;
  /** When an image was requested because the snapshots were old. */
  #refreshedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** Backoff for snapshots that found no room. */
  readonly #retry: Retry;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(context: ImageRequestsContext) {
    this.#context = context;
    this.#retry = new Retry(context.clock, RETRY_MS);
  }

  /** Whether an image or snapshot was requested or is being made. */
  get isMaking(): boolean {
    return this.#requested !== 'nothing' || this.#context.state() === 'imaging';
  }

  /** Which destinations get the snapshot that was made; undefined if that is not known. */
  get scope(): SnapshotScope | undefined {
    return this.#scope;
  }

  /** The requested image or snapshot was made. */
  requestDone(): void {
    this.#requested = 'nothing';
    this.#retry.succeeded();
  }

  /** The request was dropped. A destination that still needs it requests it again. */
  requestDropped(): void {
    this.#requested = 'nothing';
  }

  /** A snapshot cannot be made now. Returns the wait before it may be requested again. */
  failed(): number {
    this.#requested = 'nothing';
    const waitMs = this.#retry.failed();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(this.#context.onRetry, waitMs);
    this.#retryTimer.unref();
    return waitMs;
  }

  /** Requests an image or snapshot that a destination with this snapshot interval needs. */
  request(
    need: NextStep & { kind: 'needs-snapshot' | 'needs-image' },
    intervalMs: number = Infinity,
  ): void {
    const { engine, logger, onImage, state } = this.#context;
    const scope = scopeFor(intervalMs, this.#intervalsMs);
    if (this.#requested === 'snapshot') this.#scope = widestScope(this.#scope, scope);
    if (state() !== 'following' || this.#requested === 'image') return;
    if (need.kind === 'needs-image') {
      this.#requested = 'image';
      onImage();
      logger.warn(`a full snapshot is needed: ${need.why}`);
      engine()?.image(need.floor, need.why);
      return;
    }
    // The uploader repeats a request that was ignored.
    if (this.#requested !== 'nothing' || this.#retry.waitMs > 0) return;
    this.#startSnapshot(` for a destination: ${need.why}`, scope);
  }

  /**
   * Requests a snapshot on command. `damage`: files are damaged, so it gets a new TXID, also if nothing has changed: one
   * at the TXID of a damaged snapshot would have its name.
   */
  requestSnapshot(damage?: string): SnapshotOrder {
    if (this.isMaking) {
      this.#scope = ALL_DESTINATIONS;
      return 'under way';
    }
    if (this.#context.state() !== 'following') return 'not following';
    if (damage === undefined) this.#startSnapshot(': it was requested', ALL_DESTINATIONS);
    else this.request({ kind: 'needs-image', floor: this.#context.head(), why: damage });
    return 'ordered';
  }

  /** Requests the periodic snapshot if it is due; otherwise sets a timer for when it will be. */
  scheduleSnapshot(): void {
    clearTimeout(this.#timer);
    const { clock, head, schedule, stagedSnapshot, state } = this.#context;
    if (this.#requested !== 'nothing' || state() !== 'following') return;
    // A failing destination gets the newest snapshot once it recovers; it must not delay the others.
    const answering = this.#context.uploaders().filter((uploader) => uploader.state !== 'failing');
    if (answering.some(({ holdings }) => holdings.seeding !== undefined)) return;
    const current = answering.filter(({ replicatedTXID }) => replicatedTXID !== undefined);
    const pending = stagedSnapshot();
    const awaiting = current.filter((uploader) => isAwaiting(uploader, pending));
    if (awaiting.length > 0) {
      wakeIfDueSince(awaiting, pending);
      return; // it is on its way
    }
    const refused = this.#context.uploaders().flatMap((uploader) => this.#toRefused(uploader));
    const holders = [...current.map(toHolder), ...refused];
    const input = { ...schedule, nowMs: clock.now(), head: head(), holders };
    const dueInMs = snapshotDueInMs(input);
    const refreshInMs = this.#refreshInMs(current);
    if (refreshInMs === 0) {
      this.#refresh();
      return;
    }
    const waitMs = Math.max(Math.min(dueInMs, refreshInMs), this.#retry.waitMs);
    if (waitMs === 0) this.#startSnapshot(': it is due', scopeOfDue(input, this.#intervalsMs));
    else if (waitMs !== Infinity) {
      this.#timer = setTimeout(() => this.scheduleSnapshot(), Math.min(waitMs, TIMER_MS_MAX));
      this.#timer.unref();
    }
  }

  get #intervalsMs(): readonly number[] {
    return this.#context.uploaders().map(({ snapshotIntervalMs }) => snapshotIntervalMs);
  }

  /**
   * A destination that refused a snapshot is offered the next one an interval later, as if it had
   * the last one.
   */
  #toRefused(uploader: Uploader): SnapshotHolder[] {
    const { snapshotRefusal: refusal, newestSnapshot, snapshotIntervalMs: intervalMs } = uploader;
    if (refusal === undefined) return [];
    const lastOffer = Math.max(refusal.failedAt, this.#requestedAt);
    const ageMs = this.#context.clock.monotonic() - lastOffer;
    const newest: AgedSnapshot = { txid: newestSnapshot?.txid ?? 0n, ageMs, guessForMs: 0 };
    return [{ intervalMs, newest }];
  }

  /** An image that did not help is not repeated before the same age. */
  #refreshInMs(current: readonly Uploader[]): number {
    const { clock, schedule } = this.#context;
    const { maxAgeMs } = schedule;
    const kept = current.filter(({ deleter }) => deleter.contents.retention === undefined);
    const newest = kept.map((uploader) => uploader.newestSnapshot);
    const lastInMs = (maxAgeMs ?? 0) - (clock.monotonic() - this.#refreshedAt);
    return Math.max(refreshDueInMs({ maxAgeMs, newest }), lastInMs);
  }

  #refresh(): void {
    this.#refreshedAt = this.#context.clock.monotonic();
    const why = 'the newest one is older than snapshot.max-age, and a lifecycle rule may delete it';
    this.request({ kind: 'needs-image', floor: this.#context.head(), why });
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
  }

  /** `why` follows "a full snapshot" in the log. */
  #startSnapshot(why: string, scope: SnapshotScope): void {
    this.#requested = 'snapshot';
    this.#scope = scope;
    this.#requestedAt = this.#context.clock.monotonic();
    this.#context.logger.info(`making a full snapshot${why}`);
    this.#context.engine()?.snapshot();
  }
}

function toHolder({ snapshotIntervalMs, newestSnapshot }: Uploader): SnapshotHolder {
  return { intervalMs: snapshotIntervalMs, newest: newestSnapshot };
}

function isAwaiting(uploader: Uploader, staged: StagedSnapshot | undefined): boolean {
  if (staged === undefined || (uploader.newestSnapshot?.txid ?? 0n) >= staged.txid) return false;
  return uploader.lacksSnapshot(staged);
}

/** A destination does not notice that it became due while a snapshot for others is staged. */
function wakeIfDueSince(awaiting: readonly Uploader[], staged: StagedSnapshot | undefined): void {
  const intervalMs = staged?.scope?.intervalMs ?? Infinity;
  for (const uploader of awaiting) if (uploader.snapshotIntervalMs > intervalMs) uploader.wake();
}

/** Backoff while the volume is full. Each try reads the free space once. */
const RETRY_MS = { minMs: 10_000, maxMs: 10 * 60_000 };
/** setTimeout accepts at most about 24 days. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;
