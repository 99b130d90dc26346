/** What is asked of the engine beyond following: images that a destination needs, snapshots that are due. */

import type { Clock } from '../clock.ts';
import type { Logger } from '../store/backend.ts';
import type { NextStep } from './destination/next.ts';
import type { EngineLink } from './watch-pool.ts';
import { Retry } from './condition.ts';
import type { AgedSnapshot } from './destination/snapshot-age.ts';
import { snapshotDueInMs } from './destination/snapshot-age.ts';
import type { DatabaseState } from './status/status.ts';
import type { Uploader } from './destination/uploader.ts';

export interface ImageOrdersContext {
  readonly engine: () => EngineLink | undefined;
  readonly uploaders: () => readonly Uploader[];
  /** 'idle' where nothing may be asked: the history has not begun, or has ended. */
  readonly state: () => DatabaseState | 'idle';
  readonly head: () => bigint;
  /** TXID of the snapshot that is staged; 0n where there is none. */
  readonly stagedSnapshot: () => bigint;
  readonly onImage: () => void;
  /** A snapshot that failed may be asked for again. */
  readonly onRetry: () => void;
  readonly snapshotIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What came of an order: 'not following' while the database is missing or fails. */
export type SnapshotOrder = 'ordered' | 'under way' | 'not following';

export class ImageOrders {
  readonly #context: ImageOrdersContext;
  #asked: 'nothing' | 'snapshot' | 'image' = 'nothing';
  /** When a snapshot was asked for last, by the monotonic clock. */
  #askedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** Of snapshots for which there was no room. */
  readonly #retry: Retry;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(context: ImageOrdersContext) {
    this.#context = context;
    this.#retry = new Retry(context.clock, RETRY_MS);
  }

  /** Whether the engine makes one, or was asked to. */
  get isMaking(): boolean {
    return this.#asked !== 'nothing' || this.#context.state() === 'imaging';
  }

  /** What was asked for is made. */
  made(): void {
    this.#asked = 'nothing';
    this.#retry.succeeded();
  }

  /** What was asked for will not be made. It is asked for again where it is still wanted. */
  dropped(): void {
    this.#asked = 'nothing';
  }

  /** A snapshot cannot be made now. Gives in how many ms it is tried again, where it is still wanted. */
  failed(): number {
    this.#asked = 'nothing';
    const waitMs = this.#retry.failed();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(this.#context.onRetry, waitMs);
    this.#retryTimer.unref();
    return waitMs;
  }

  /** A destination needs one. */
  need(need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }): void {
    const { engine, logger, onImage, state } = this.#context;
    if (state() !== 'following' || this.#asked === 'image') return;
    if (need.kind === 'needs-image') {
      this.#asked = 'image';
      onImage();
      logger.warn(`a full snapshot is needed: ${need.why}`);
      engine()?.image(need.floor, need.why);
      return;
    }
    if (this.#asked !== 'nothing' || this.#retry.waitMs > 0) return; // it asks again when woken
    this.#askSnapshot(`a destination needs one: ${need.why}`);
  }

  /** Somebody orders a snapshot. */
  order(): SnapshotOrder {
    if (this.isMaking) return 'under way';
    if (this.#context.state() !== 'following') return 'not following';
    this.#askSnapshot('it was ordered');
    return 'ordered';
  }

  /** Asks for the periodic snapshot where it is due, and looks again when it will be. */
  consider(): void {
    clearTimeout(this.#timer);
    const { head, snapshotIntervalMs: intervalMs, stagedSnapshot, state } = this.#context;
    if (this.#asked !== 'nothing' || state() !== 'following') return;
    // Whoever fails gets the newest one when it answers again, and keeps no other from theirs.
    const answering = this.#context.uploaders().filter((uploader) => uploader.state !== 'failing');
    if (answering.some(({ holdings }) => holdings.seeding !== undefined)) return;
    const current = answering.filter(({ replicatedTXID }) => replicatedTXID !== undefined);
    const newest = current.map((uploader) => uploader.newestSnapshot);
    const pending = stagedSnapshot();
    if (newest.some((snapshot) => (snapshot?.txid ?? 0n) < pending)) return; // one is on its way
    const refused = this.#context.uploaders().flatMap((uploader) => this.#toRefused(uploader));
    const newestOfAll = [...newest, ...refused];
    const dueInMs = snapshotDueInMs({ intervalMs, head: head(), newest: newestOfAll });
    const waitMs = Math.max(dueInMs, this.#retry.waitMs);
    if (waitMs === 0) this.#askSnapshot('it is due');
    else if (waitMs !== Infinity) {
      this.#timer = setTimeout(() => this.consider(), Math.min(waitMs, TIMER_MS_MAX));
      this.#timer.unref();
    }
  }

  /** A destination that refuses snapshots is offered one an interval later, as if it had the last one. */
  #toRefused({ snapshotRefusal: refusal, newestSnapshot }: Uploader): AgedSnapshot[] {
    if (refusal === undefined) return [];
    const lastOffer = Math.max(refusal.failedAt, this.#askedAt);
    const ageMs = this.#context.clock.monotonic() - lastOffer;
    return [{ txid: newestSnapshot?.txid ?? 0n, ageMs, guessForMs: 0 }];
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
  }

  #askSnapshot(why: string): void {
    this.#asked = 'snapshot';
    this.#askedAt = this.#context.clock.monotonic();
    this.#context.logger.info(`taking a snapshot: ${why}`);
    this.#context.engine()?.snapshot();
  }
}

/** Space comes back when somebody makes room. Until then a try costs one look at the volume. */
const RETRY_MS = { minMs: 10_000, maxMs: 10 * 60_000 };
/** setTimeout takes no more than about 24 days. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;
