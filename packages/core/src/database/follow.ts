/**
 * Following a log: ask SQLite how far it is committed, read what is new, move the reader.
 *
 * Why nothing can be missed. A reader lands on lock 0 only if all frames are backfilled; none beyond
 * the mark of the reader before it can be, and we held everything up to that mark before this one
 * began. While a reader is on a mark the log cannot restart; while it is on lock 0 no new frame can
 * be backfilled. So as long as one of the two is inside its transaction, a log that has restarted
 * was held to its end, whatever its new salts are. (Rules of SQLite's wal.c: walTryBeginRead,
 * walCheckpoint, walRestartLog.)
 */

import { ReplicationError } from '../error.ts';
import type { WALChecksumState } from '../kernel/kernel.ts';
import type { LogPlace } from '../wal/frame.ts';
import { isSameLog, type WALHeader } from '../wal/header.ts';
import type { FrameBatch, WALReader } from '../wal/reader.ts';
import type { Connections, LogState } from './sqlite/connections.ts';
import type { WhyUnsettled } from './unsettled.ts';

/** A log may restart while it is looked at; a third look in a row that sees one is left to the next tick. */
const LOOKS_MAX = 3;

/** A tick reads so much at most: other databases share the thread, and their readers must move on. */
const TICK_BYTES_MAX: number = 32 * 1024 * 1024;

interface Looked extends LogState {
  /** Frames of the log that we hold. */
  readonly held: number;
  /** Frames that were new to us. */
  readonly fresh: number;
}

export type Tick =
  /** 'behind': there was more than one tick reads. What is held may end inside a transaction. */
  | (Looked & { readonly kind: 'held' | 'behind' })
  | (Looked & { readonly kind: 'unsettled'; readonly why: WhyUnsettled });

export type TakeFrames = (batch: FrameBatch) => void;

export class LogFollower {
  readonly #connections: Connections;
  readonly #wal: WALReader;
  readonly #tickBytesMax: number;
  #header: WALHeader | undefined;
  #held: number;
  #checksum: WALChecksumState;
  /** Up to which frame the log stood when the holding reader began. */
  #readerFrame = -1;
  /** How often in a row the reader was moved while everything was backfilled. */
  #movedAtRest = 0;

  constructor(
    connections: Connections,
    wal: WALReader,
    place: LogPlace,
    tickBytesMax: number = TICK_BYTES_MAX,
  ) {
    this.#tickBytesMax = tickBytesMax;
    this.#connections = connections;
    this.#wal = wal;
    this.#header = place.header;
    this.#held = place.frame;
    this.#checksum = place.checksum;
  }

  get place(): LogPlace {
    return { header: this.#header, frame: this.#held, checksum: this.#checksum };
  }

  /** Whether the reader has been found on lock 0 twice: then the next writer restarts the log. */
  get isAtRest(): boolean {
    return this.#movedAtRest >= 2;
  }

  /**
   * Gives `take` the frames that are committed and new, in order.
   * WAL_INVALID when the log is not what the protocol promises: then an image must be taken.
   */
  tick(take: TakeFrames): Tick {
    let why: WhyUnsettled = 'restarting';
    for (let look = 0; look < LOOKS_MAX; look++) {
      const before = this.#wal.readHeader();
      const asked = this.#connections.ask();
      why = asked.log < 0 ? 'index-held' : before === undefined ? 'no-header' : 'restarting';
      if (why === 'index-held') break;
      if (asked.log === 0) return { ...asked, held: 0, fresh: 0, kind: 'held' };
      if (before !== undefined && isSameLog(before, this.#wal.readHeader())) {
        return this.#advance(before, asked, take);
      }
    }
    const held = this.#held;
    return { log: held, checkpointed: -1, busy: true, held, fresh: 0, kind: 'unsettled', why };
  }

  /** Moves the reader where that is allowed and of use. Call after a tick; `tick` is its answer. */
  follow(tick: Tick): void {
    if (tick.kind !== 'held' || tick.held !== tick.log) return;
    const backfilled = tick.checkpointed === tick.log;
    const stands = this.#readerFrame === tick.log;
    if (!stands || !backfilled) this.#movedAtRest = 0;
    if (stands && (!backfilled || this.isAtRest)) return;
    if (this.#connections.moveReader() === 'stayed') return;
    this.#readerFrame = tick.log;
    if (backfilled) this.#movedAtRest += 1;
  }

  #advance(header: WALHeader, asked: LogState, take: TakeFrames): Tick {
    if (!isSameLog(header, this.#header)) {
      this.#header = header;
      this.#held = 0;
      this.#checksum = header.checksum;
      this.#readerFrame = -1;
    }
    if (asked.log < this.#held) {
      throw broken(
        `it has ${asked.log} committed frames, fewer than the ${this.#held} already read`,
      );
    }
    const before = this.#held;
    const most = Math.max(1, Math.floor(this.#tickBytesMax / header.pageSize));
    const last = Math.min(asked.log, before + most);
    for (const batch of this.#wal.readFrames(header, before + 1, last, this.#checksum)) {
      take(batch);
      this.#held += batch.count;
      this.#checksum = batch.checksum;
    }
    if (this.#held !== last) {
      throw broken(`frame ${this.#held + 1} of ${asked.log} committed frames is invalid`);
    }
    const kind = last < asked.log ? 'behind' : 'held';
    return { ...asked, held: last, fresh: last - before, kind };
  }
}

function broken(what: string): ReplicationError {
  return new ReplicationError(
    'WAL_INVALID',
    `follow the WAL: ${what}; a full snapshot will be taken`,
  );
}
