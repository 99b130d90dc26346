/**
 * Follows a log: reads from SQLite how far it is committed, reads the new frames, and moves the reader.
 *
 * Why no frame can be missed: a reader gets lock 0 only if all frames are backfilled. No frame beyond
 * the mark of the previous reader can be, and we held everything up to that mark before the new reader
 * began. While a reader holds a mark, the log cannot restart; while it holds lock 0, no new frame can
 * be backfilled. So as long as one of the two readers is inside its transaction, a log that has
 * restarted was held to its end. (Rules in SQLite's wal.c: walTryBeginRead, walCheckpoint,
 * walRestartLog.)
 */

import { ReplicationError } from '../error.ts';
import type { WALChecksumState } from '../kernel/kernel.ts';
import type { LogPlace } from '../wal/frame.ts';
import { isSameLog, type WALHeader } from '../wal/header.ts';
import type { FrameBatch, WALReader } from '../wal/reader.ts';
import type { Connections, LogState } from './sqlite/connections.ts';
import type { WhyUnsettled } from './unsettled.ts';

/** Maximum attempts per tick to read the log, which may restart during each of them. */
const LOOKS_MAX = 3;

/** Maximum bytes read in one tick. Other databases share the thread, and their readers must move too. */
const TICK_BYTES_MAX: number = 32 * 1024 * 1024;

interface Looked extends LogState {
  /** Number of held frames. */
  readonly held: number;
  /** Number of newly read frames. */
  readonly fresh: number;
}

export type Tick =
  /** 'behind': more frames remain to be read. The held frames may end inside a transaction. */
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
  /** Last frame of the log when the holding reader began. */
  #readerFrame = -1;
  /** Consecutive moves of the reader while everything was backfilled. */
  #movedAtRest = 0;
  /** Whether the whole log was held at some time. */
  #hasHeldAll: boolean;

  /** `before`: whether everything before `place` is known. If not, the pages are read from the file. */
  constructor(
    connections: Connections,
    wal: WALReader,
    place: LogPlace,
    before: 'known' | 'unknown',
    tickBytesMax: number = TICK_BYTES_MAX,
  ) {
    this.#hasHeldAll = before === 'known';
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

  /** Whether the reader has moved to lock 0 twice: then the next writer restarts the log. */
  get isAtRest(): boolean {
    return this.#movedAtRest >= 2;
  }

  /**
   * Passes new committed frames to `take`, in order. Throws WAL_INVALID if the log violates the WAL
   * protocol: then an image must be taken.
   */
  tick(take: TakeFrames): Tick {
    let why: WhyUnsettled = 'restarting';
    for (let look = 0; look < LOOKS_MAX; look++) {
      const before = this.#wal.readHeader();
      const state = this.#connections.readLogState();
      why = state.log < 0 ? 'index-held' : before === undefined ? 'no-header' : 'restarting';
      if (why === 'index-held') break;
      if (state.log === 0) {
        this.#hasHeldAll = true;
        return { ...state, held: 0, fresh: 0, kind: 'held' };
      }
      if (before !== undefined && isSameLog(before, this.#wal.readHeader())) {
        const tick = this.#advance(before, state, take);
        if (tick !== 'restarted') return tick;
      }
    }
    const held = this.#held;
    return { log: held, checkpointed: -1, busy: true, held, fresh: 0, kind: 'unsettled', why };
  }

  /** Moves the reader if that is allowed and useful. Call after a tick, with its result. */
  follow(tick: Tick): void {
    if (tick.kind !== 'held' || tick.held !== tick.log) return;
    const backfilled = tick.checkpointed === tick.log;
    const isAtEnd = this.#readerFrame === tick.log;
    if (!isAtEnd || !backfilled) this.#movedAtRest = 0;
    if (isAtEnd && (!backfilled || this.isAtRest)) return;
    if (this.#connections.moveReader() === 'stayed') return;
    this.#readerFrame = tick.log;
    if (backfilled) this.#movedAtRest += 1;
  }

  #advance(header: WALHeader, state: LogState, take: TakeFrames): Tick | 'restarted' {
    if (!isSameLog(header, this.#header)) {
      this.#header = header;
      this.#held = 0;
      this.#checksum = header.checksum;
      this.#readerFrame = -1;
    }
    if (state.log < this.#held) {
      throw broken(
        `it has ${state.log} committed frames, fewer than the ${this.#held} already read`,
      );
    }
    const before = this.#held;
    const most = Math.max(1, Math.floor(this.#tickBytesMax / header.pageSize));
    const last = Math.min(state.log, before + most);
    for (const batch of this.#wal.readFrames(header, before + 1, last, this.#checksum)) {
      take(batch);
      this.#held += batch.count;
      this.#checksum = batch.checksum;
    }
    if (this.#held !== last) {
      if (this.#mayRestartUnread(header)) return 'restarted';
      throw broken(`frame ${this.#held + 1} of ${state.log} committed frames is invalid`);
    }
    const kind = last < state.log ? 'behind' : 'held';
    if (kind === 'held') this.#hasHeldAll = true;
    return { ...state, held: last, fresh: last - before, kind };
  }

  /**
   * Whether the log restarted while it was read, and may have. The first reader may have lock 0 although
   * we hold nothing: then all frames of that log are in the file, which will be read.
   */
  #mayRestartUnread(header: WALHeader): boolean {
    return !this.#hasHeldAll && !isSameLog(header, this.#wal.readHeader());
  }
}

function broken(reason: string): ReplicationError {
  return new ReplicationError(
    'WAL_INVALID',
    `follow the WAL: ${reason}; a full snapshot will be taken`,
  );
}
