/**
 * Holds the tail and the newest TXID, and decides when the tail is cut into a file. While an image
 * under the next TXID is being copied, nothing is held and nothing is cut.
 */

import { assert } from '../../error.ts';
import { toTXID, type TXID } from '../../ltx/txid.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import type { Position, Staged } from '../continuity/position.ts';
import { createCurrentPageReader } from '../current-pages.ts';
import type { DatabaseContext } from '../images/fuzzy-copy.ts';
import { afterCut, type CutBudget, cutDueInMs, fullBudget } from './cut-budget.ts';
import { beginCut, type Cut } from './cut.ts';
import { Publisher } from './publisher.ts';
import { nextTimestamp } from './timestamps.ts';
import { Tail, TAIL_BYTES_MAX } from './tail.ts';

/** A request that was announced and does not come must not delay commits noticeably. */
const EXPECTED_MS_MAX = 250;

export interface CutterContext extends DatabaseContext {
  /** Timestamp in the header of the newest staged file. */
  readonly newestTimestampMs: number;
}

export interface CutterHooks {
  /** Whether a cut may wait for free space. */
  readonly mayWait: () => boolean;
  /** Called when a file was staged and there is more to cut. */
  readonly onMore: () => void;
  readonly onError: (error: unknown) => void;
  /** Times of a file that is cut now. */
  readonly timesOfCut: () => Pick<Cut, 'since' | 'asOf'>;
  /** Throws if the held frames do not belong to the file that was opened. */
  readonly beforeCut: () => void;
}

/** The newest TXID that was assigned. */
export interface Head {
  readonly txid: bigint;
  readonly commit: number;
  readonly lineage: bigint;
}

export class Cutter {
  readonly #context: CutterContext;
  readonly #hooks: CutterHooks;
  readonly #tailBytesMax: number;
  /** undefined before `begin` and while an image is being copied: no file is cut then. */
  #head: Head | undefined;
  #tail: Tail;
  /** Whether new frames go into the tail: not while an image is being copied, which will contain them. */
  #collects: boolean;
  #publisher: Publisher;
  #budget: CutBudget;
  /** No file is cut by itself before this time. */
  #heldUntil = -Infinity;
  #lastTimestampMs: number;

  constructor(context: CutterContext, hooks: CutterHooks) {
    this.#context = context;
    this.#hooks = hooks;
    const { start } = context.database;
    this.#tailBytesMax = context.tailBytesMax ?? TAIL_BYTES_MAX;
    this.#tail = start.kind === 'proved' ? start.tail : new Tail();
    this.#collects = start.kind === 'proved';
    this.#publisher = this.#newPublisher(undefined);
    this.#budget = fullBudget(context.options.syncIntervalMs);
    this.#lastTimestampMs = context.newestTimestampMs;
  }

  get head(): Head | undefined {
    return this.#head;
  }

  get publisher(): Publisher {
    return this.#publisher;
  }

  get hasMore(): boolean {
    return !this.#tail.isEmpty;
  }

  /** Whether an image under the next TXID is being copied. */
  get isSuspended(): boolean {
    return !this.#collects;
  }

  /** Whether everything held is in a staged file. */
  get isAllStaged(): boolean {
    return this.head !== undefined && !this.hasMore && !this.publisher.isCutting;
  }

  /** Whether the log must not change, because some held pages are known by frame number only. */
  get isPinned(): boolean {
    return this.#publisher.pinsLog || this.#tail.isSpilled;
  }

  /** The newest staged file, for its position; undefined if anything held is not staged. */
  get newest(): Staged | undefined {
    const { start, connections } = this.#context.database;
    if (this.hasMore || !this.#publisher.isIdle) return undefined;
    const { pageSize } = connections;
    if (this.#head !== undefined) return { ...this.#head, txid: toTXID(this.#head.txid), pageSize };
    return start.kind === 'proved' ? start.position : undefined;
  }

  /** Continues after a proved position. */
  begin(position: Position): void {
    const { txid, commit, lineage } = position;
    this.#head = { txid, commit, lineage };
    this.#publisher = this.#newPublisher(position);
  }

  /** Drops the tail, because an image will contain it. Returns the newest TXID. */
  suspend(): bigint | undefined {
    const before = this.#head;
    this.#head = undefined;
    this.#collects = false;
    this.#tail = new Tail();
    return before?.txid;
  }

  /** Holds frames again, after a copy was frozen as `head`. */
  resume(head: Head): void {
    this.#head = head;
    this.#collects = true;
  }

  add(batch: FrameBatch): void {
    if (this.#collects) this.#tail.add(batch, this.#tailBytesMax);
  }

  /** Time in ms until a cut is due; Infinity if there is nothing to cut, or a cut is in progress. */
  dueInMs(): number {
    if (!this.hasMore || this.#head === undefined || this.#publisher.isCutting) return Infinity;
    const now = this.#context.clock.monotonic();
    return Math.max(cutDueInMs(this.#budget, now), this.#heldUntil - now);
  }

  /** Everything will be cut on request soon (`cutRest`): until then no file is cut by itself, for a short time. */
  expectRequest(): void {
    this.#heldUntil = this.#context.clock.monotonic() + EXPECTED_MS_MAX;
  }

  cutIfDue(): void {
    if (this.dueInMs() === Infinity) return;
    if (this.dueInMs() === 0 || this.#isTailFull) this.cut();
  }

  /** Cuts the tail unless it is empty. Returns the newest TXID. */
  cutRest(): bigint {
    assert(this.#head !== undefined, 'files are cut only after begin');
    this.#heldUntil = -Infinity;
    return this.hasMore ? this.cut() : this.#head.txid;
  }

  cut(): TXID {
    const { database, clock } = this.#context;
    assert(this.#head !== undefined, 'files are cut only after begin');
    this.#hooks.beforeCut();
    const { connections, wal, follower } = database;
    const cut = beginCut(this.#tail, {
      txid: toTXID(this.#head.txid + 1n),
      pageSize: connections.pageSize,
      commitBefore: this.#head.commit,
      timestampMs: this.nextTimestampMs(),
      ...this.#hooks.timesOfCut(),
      place: follower.place,
      lineage: this.#head.lineage,
      readCurrent: createCurrentPageReader(connections, wal, follower.place),
    });
    this.#head = { ...this.#head, txid: cut.txid, commit: cut.commit };
    this.#tail = new Tail();
    this.#budget = afterCut(this.#budget, clock.monotonic());
    this.#publisher.cut(cut);
    return cut.txid;
  }

  /** The timestamp of the newest TXID. A full snapshot of the same state has it too. */
  get headTimestampMs(): number {
    return this.#lastTimestampMs;
  }

  /** The timestamp for the header of the next TXID. */
  nextTimestampMs(): number {
    this.#lastTimestampMs = nextTimestamp(this.#lastTimestampMs, this.#context.clock.now());
    return this.#lastTimestampMs;
  }

  /** Whether half of the tail is used. The other half is for frames that arrive during the cut. */
  get #isTailFull(): boolean {
    return this.#tail.isSpilled || this.#tail.sizeBytes >= this.#tailBytesMax / 2;
  }

  #newPublisher(position: Position | undefined): Publisher {
    const { staging, kernel, options, database, checksums, emit, clock, gauges } = this.#context;
    const { wal, guard } = database;
    const { mayWait, onMore, onError } = this.#hooks;
    return new Publisher(
      {
        staging,
        kernel,
        encoding: options.pageEncoding,
        wal,
        guard,
        checksums,
        emit,
        onProgress: () => gauges.set('stagingMovedAt', clock.monotonic()),
        mayWait: () => mayWait() && !this.#isTailFull,
        onCut: () => {
          if (this.hasMore) onMore();
        },
        onError,
      },
      position,
    );
  }
}
