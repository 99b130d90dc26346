/**
 * Reads a followed database without a long transaction: reads the file between ticks, and then freezes at
 * the state after the last frame.
 *
 * A page that the copy tore or missed is in a frame, either of the log at the start of the copy or of a
 * later one. A page in none of those frames cannot have changed in the file during the copy. So the copy,
 * overlaid with the frames, is exactly the state after the last added frame.
 */

import { setImmediate as yieldToTicks } from 'node:timers/promises';
import { ReplicationError } from '../../error.ts';
import { lockPgno } from '../../ltx/header.ts';
import { isSameLog } from '../../wal/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { createCurrentPageReader } from '../current-pages.ts';
import type { EngineContext } from '../engine.ts';
import type { Checksums } from '../checksums/checksums.ts';
import type { OpenDatabase } from '../opening.ts';
import type { Staging } from '../staging/staging.ts';

/** Maximum attempts to read the current log. The log may restart during each of them. */
const ATTEMPTS_MAX = 100;
/** Free space on the volume is checked every so many steps. A step reads at most 1 MiB. */
const STEPS_PER_ROOM_CHECK = 16;

/** Context of an open database. */
export interface DatabaseContext extends EngineContext {
  readonly staging: Staging;
  readonly checksums: Checksums;
  readonly database: OpenDatabase;
}

/** The database follower that a copy runs beside. */
export interface CopyHost {
  /** False after the database has failed or was closed: then the copy stops. */
  readonly isOpen: boolean;
  /** Receives the frames of each tick. */
  take(batch: FrameBatch): void;
}

/** Where the pages of a copy go. */
export interface CopiedPages {
  /** Number of pages read so far, including the lock page. */
  readonly copiedPages: number;
  /** Database size in pages after the last added commit; 0 before the first. */
  readonly commit: number;
  /** Adds committed frames, in log order. */
  add(batch: FrameBatch): void;
  /** Reads one batch of the file. */
  step(): 'more' | 'done';
  /** Pages up to `commit` in neither the copy nor a frame. */
  missing(commit: number): number[];
  discard(): void;
}

/** The state at which a copy was frozen. */
export interface FrozenState {
  /** Database size in pages. */
  readonly commit: number;
  /** Pages in neither the copy nor a frame. */
  readonly remaining: ReadonlyMap<number, Uint8Array>;
}

export class FuzzyCopy<Pages extends CopiedPages> {
  readonly pages: Pages;
  readonly #context: DatabaseContext;
  readonly #host: CopyHost;
  #state: 'copying' | 'frozen' = 'copying';
  /** The error of the first frame that could not be added. */
  #failure: { readonly error: unknown } | undefined;

  /** Reads all frames of the current log. From now on `add` must receive every new frame. */
  static begin<Pages extends CopiedPages>(
    context: DatabaseContext,
    host: CopyHost,
    newPages: () => Pages,
  ): FuzzyCopy<Pages> {
    const { follower } = context.database;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const tick = follower.tick((batch) => host.take(batch));
      if (tick.kind !== 'held') continue;
      const copy = new FuzzyCopy(context, host, newPages());
      try {
        if (copy.#readLog(tick.held)) return copy;
      } catch (error) {
        copy.discard();
        throw error;
      }
      copy.discard();
    }
    throw new ReplicationError(
      'WAL_INVALID',
      `make a full snapshot: the WAL restarted ${ATTEMPTS_MAX} times while its frames were read; Sluice will retry`,
    );
  }

  private constructor(context: DatabaseContext, host: CopyHost, pages: Pages) {
    this.#context = context;
    this.#host = host;
    this.pages = pages;
    this.recordProgress();
  }

  /** Never throws. `copy` and `freeze` throw its errors. */
  add(batch: FrameBatch): void {
    if (this.#state === 'frozen' || this.#failure !== undefined) return;
    try {
      this.pages.add(batch);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Reads the whole file in batches, with ticks in between. */
  async copy(): Promise<void> {
    const { database, emit, staging } = this.#context;
    const { connections } = database;
    for (let steps = 0; this.#host.isOpen; steps++) {
      if (steps % STEPS_PER_ROOM_CHECK === 0) await staging.requireRoom();
      if (this.pages.step() === 'done') return;
      this.#throwFailure();
      this.recordProgress();
      const doneBytes = this.pages.copiedPages * connections.pageSize;
      emit({ kind: 'progress', doneBytes, totalBytes: connections.fileSizeBytes() });
      await yieldToTicks();
    }
  }

  /**
   * Freezes the copy at the state after the last added frame; `add` ignores later frames. `commit` is the
   * size of that state in pages, by default the size seen in frames or the file.
   */
  freeze(commit: number = this.#commit()): FrozenState {
    this.#throwFailure();
    this.#state = 'frozen';
    const { connections, wal, follower } = this.#context.database;
    const current = createCurrentPageReader(connections, wal, follower.place);
    const lock = lockPgno(connections.pageSize);
    const remaining = new Map<number, Uint8Array>();
    for (const pgno of this.pages.missing(commit)) {
      if (pgno !== lock) remaining.set(pgno, current(pgno));
    }
    return { commit, remaining };
  }

  discard(): void {
    this.pages.discard();
    this.#context.gauges.set('imageMovedAt', 0);
  }

  recordProgress(): void {
    this.#context.gauges.set('imageMovedAt', this.#context.clock.monotonic());
  }

  #readLog(held: number): boolean {
    const { follower, wal } = this.#context.database;
    const { header } = follower.place;
    if (held === 0 || header === undefined) return true;
    let taken = 0;
    for (const batch of wal.readFrames(header, 1, held, header.checksum)) {
      this.pages.add(batch);
      taken += batch.count;
    }
    return taken === held && isSameLog(header, wal.readHeader());
  }

  /** Database size in pages, from the file if no frame was added. */
  #commit(): number {
    const { connections } = this.#context.database;
    const filePages = Math.floor(connections.fileSizeBytes() / connections.pageSize);
    return this.pages.commit === 0 ? filePages : this.pages.commit;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
