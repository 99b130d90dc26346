/**
 * What is held of the log and given out as files: the tail, the newest TXID, when the tail is cut.
 * While a full image is copied that will be the next commit, nothing is held and nothing is cut.
 */

import { assert } from '../../error.ts';
import { toTXID, type TXID } from '../../ltx/txid.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import type { Position, Staged } from '../continuity/position.ts';
import { readerOfCurrent } from '../current.ts';
import type { DatabaseContext } from '../images/image-job.ts';
import { afterCut, type CutBudget, cutDueInMs, fullBudget } from './cut-budget.ts';
import { beginCut, type Cut } from './cut.ts';
import { Publisher } from './publisher.ts';
import { nextStamp } from './stamps.ts';
import { Tail, TAIL_BYTES_MAX } from './tail.ts';

export interface CutterContext extends DatabaseContext {
  /** The time that the newest staged file bears. */
  readonly newestStampMs: number;
}

export interface CutterHooks {
  /** Whether what is committed may wait for room. */
  readonly mayWait: () => boolean;
  /** A file was staged, and there is more to cut. */
  readonly onMore: () => void;
  readonly onError: (error: unknown) => void;
  /** What a file that is cut now holds. */
  readonly timesOfCut: () => Pick<Cut, 'since' | 'asOf'>;
  /** Throws where what is held is not of the file that was opened. */
  readonly beforeCut: () => void;
}

/** What is known of the newest TXID that was given out. */
export interface Head {
  readonly txid: bigint;
  readonly commit: number;
  readonly lineage: bigint;
}

export class Cutter {
  readonly #context: CutterContext;
  readonly #hooks: CutterHooks;
  readonly #tailBytesMax: number;
  /** undefined until `begin`, and while an image is copied: no file is cut then. */
  #head: Head | undefined;
  #tail: Tail;
  /** Whether fresh frames go into the tail: not while an image is copied that will hold them all. */
  #collects: boolean;
  #publisher: Publisher;
  #budget: CutBudget;
  #stampedAt: number;

  constructor(context: CutterContext, hooks: CutterHooks) {
    this.#context = context;
    this.#hooks = hooks;
    const { start } = context.database;
    this.#tailBytesMax = context.tailBytesMax ?? TAIL_BYTES_MAX;
    this.#tail = start.kind === 'proved' ? start.tail : new Tail();
    this.#collects = start.kind === 'proved';
    this.#publisher = this.#newPublisher(undefined);
    this.#budget = fullBudget(context.options.syncIntervalMs);
    this.#stampedAt = context.newestStampMs;
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

  /** Whether an image is copied that will be the next commit. */
  get isSuspended(): boolean {
    return !this.#collects;
  }

  /** Whether all that is held is in a staged file. */
  get isAllStaged(): boolean {
    return this.head !== undefined && !this.hasMore && !this.publisher.isCutting;
  }

  /** While pages of a cut or of the tail are held by frame number only, the log must stay as it is. */
  get isPinned(): boolean {
    return this.#publisher.pinsLog || this.#tail.spilled;
  }

  /** What the position would say of the newest staged file; undefined while something is not staged. */
  get newest(): Staged | undefined {
    const { start, connections } = this.#context.database;
    if (this.hasMore || !this.#publisher.isIdle) return undefined;
    const { pageSize } = connections;
    if (this.#head !== undefined) return { ...this.#head, txid: toTXID(this.#head.txid), pageSize };
    return start.kind === 'proved' ? start.position : undefined;
  }

  /** Goes on after a position that is proved. */
  begin(position: Position): void {
    const { txid, commit, lineage } = position;
    this.#head = { txid, commit, lineage };
    this.#publisher = this.#newPublisher(position);
  }

  /** What was held is forgotten: an image will hold it. Gives the newest TXID until now. */
  suspend(): bigint | undefined {
    const before = this.#head;
    this.#head = undefined;
    this.#collects = false;
    this.#tail = new Tail();
    return before?.txid;
  }

  /** The image is frozen, as `head`: from now on frames are held again. */
  resume(head: Head): void {
    this.#head = head;
    this.#collects = true;
  }

  add(batch: FrameBatch): void {
    if (this.#collects) this.#tail.add(batch, this.#tailBytesMax);
  }

  /** In how many ms a cut is due; Infinity where none is, or one is on its way. */
  dueInMs(): number {
    if (!this.hasMore || this.#head === undefined || this.#publisher.isCutting) return Infinity;
    return cutDueInMs(this.#budget, this.#context.clock.monotonic());
  }

  cutIfDue(): void {
    if (this.dueInMs() === Infinity) return;
    if (this.dueInMs() === 0 || this.#isTailFull) this.cut();
  }

  /** Cuts what is held, if there is anything. Gives the TXID that has all of it. */
  cutRest(): bigint {
    assert(this.#head !== undefined, 'files are cut only after begin');
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
      timestampMs: this.stamp(),
      ...this.#hooks.timesOfCut(),
      place: follower.place,
      lineage: this.#head.lineage,
      readCurrent: readerOfCurrent(connections, wal, follower.place),
    });
    this.#head = { ...this.#head, txid: cut.txid, commit: cut.commit };
    this.#tail = new Tail();
    this.#budget = afterCut(this.#budget, clock.monotonic());
    this.#publisher.cut(cut);
    return cut.txid;
  }

  /** The time for the header of the next file. */
  stamp(): number {
    this.#stampedAt = nextStamp(this.#stampedAt, this.#context.clock.now());
    return this.#stampedAt;
  }

  /** Half of what may be held: the other half is for what comes while this is cut. */
  get #isTailFull(): boolean {
    return this.#tail.spilled || this.#tail.sizeBytes >= this.#tailBytesMax / 2;
  }

  #newPublisher(position: Position | undefined): Publisher {
    const { staging, kernel, options, database, emit, clock, gauges } = this.#context;
    const { wal, guard } = database;
    const { mayWait, onMore, onError } = this.#hooks;
    return new Publisher(
      {
        staging,
        kernel,
        encoding: options.pageEncoding,
        wal,
        guard,
        emit,
        onMoved: () => gauges.set('stagingMovedAt', clock.monotonic()),
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
