/**
 * Makes one full snapshot of a followed database without a long transaction: it copies the file
 * between ticks, freezes at the state after the last frame, and writes a temporary file.
 */

import { setImmediate as yieldToTicks } from 'node:timers/promises';
import { assert, ReplicationError } from '../../error.ts';
import { lockPgno } from '../../ltx/header.ts';
import { isSameLog } from '../../wal/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { createCurrentPageReader } from '../current-pages.ts';
import { type FileIdentity, headerOf } from '../cut/encode.ts';
import type { WrittenImage } from '../cut/publisher.ts';
import type { EngineContext } from '../engine.ts';
import type { OpenDatabase } from '../opening.ts';
import { spareBytes } from '../staging/room.ts';
import type { Staging } from '../staging/staging.ts';
import { ImagePages } from './image-pages.ts';

/** Maximum attempts to read the current log. The log may restart during each of them. */
const ATTEMPTS_MAX = 100;
/** Free space on the volume is checked every so many steps. A step copies at most 1 MiB. */
const STEPS_PER_ROOM_CHECK = 16;

/** Context of an open database. */
export interface DatabaseContext extends EngineContext {
  readonly staging: Staging;
  readonly database: OpenDatabase;
}

/** The database follower that an image job runs beside. */
export interface ImageHost {
  /** False after the database has failed or was closed: then the copy stops. */
  readonly isOpen: boolean;
  /** Receives the frames of each tick. */
  take(batch: FrameBatch): void;
}

export class ImageJob {
  readonly #context: DatabaseContext;
  readonly #host: ImageHost;
  readonly #pages: ImagePages;
  #state: 'copying' | 'frozen' = 'copying';
  /** Pages in neither the copy nor a frame, read when the image was frozen. */
  readonly #remaining = new Map<number, Uint8Array>();
  /** The error of the first frame that could not be added. */
  #failure: { readonly error: unknown } | undefined;

  /** Reads all frames of the current log. From now on `add` must receive every new frame. */
  static begin(context: DatabaseContext, host: ImageHost, name: string): ImageJob {
    const { follower } = context.database;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const tick = follower.tick((batch) => host.take(batch));
      if (tick.kind !== 'held') continue;
      const job = new ImageJob(context, host, name);
      try {
        if (job.#readLog(tick.held)) return job;
      } catch (error) {
        job.discard();
        throw error;
      }
      job.discard();
    }
    throw new ReplicationError(
      'WAL_INVALID',
      `make a full snapshot: the WAL restarted ${ATTEMPTS_MAX} times while its frames were read; Sluice will retry`,
    );
  }

  private constructor(context: DatabaseContext, host: ImageHost, name: string) {
    const { database, kernel, options, staging } = context;
    const { connections } = database;
    this.#context = context;
    this.#host = host;
    this.#pages = new ImagePages(
      {
        kernel,
        pageSize: connections.pageSize,
        encoding: options.pageEncoding,
        read: (into, position) => connections.readFile(into, position),
      },
      { copy: staging.scratch(`${name}-copy`), frames: staging.scratch(`${name}-frames`) },
    );
    this.#recordProgress();
  }

  /** Never throws. `copy`, `freeze` and `write` throw its errors. */
  add(batch: FrameBatch): void {
    if (this.#state === 'frozen' || this.#failure !== undefined) return;
    try {
      this.#pages.add(batch);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Copies the whole file in batches, with ticks in between. */
  async copy(): Promise<void> {
    const { database, emit, staging } = this.#context;
    const { connections } = database;
    for (let steps = 0; this.#host.isOpen; steps++) {
      if (steps % STEPS_PER_ROOM_CHECK === 0) await staging.requireRoom();
      if (this.#pages.step() === 'done') return;
      this.#throwFailure();
      this.#recordProgress();
      const doneBytes = this.#pages.copiedPages * connections.pageSize;
      emit({ kind: 'progress', doneBytes, totalBytes: connections.fileSizeBytes() });
      await yieldToTicks();
    }
  }

  /**
   * Freezes the image at the state after the last added frame; `add` ignores later frames. Returns
   * the size of that state in pages: `commit`, or by default the size seen in frames or the file.
   */
  freeze(commit: number = this.#commit()): number {
    this.#throwFailure();
    this.#state = 'frozen';
    const { connections, wal, follower } = this.#context.database;
    const current = createCurrentPageReader(connections, wal, follower.place);
    const lock = lockPgno(connections.pageSize);
    for (const pgno of this.#pages.missing(commit)) {
      if (pgno !== lock) this.#remaining.set(pgno, current(pgno));
    }
    return commit;
  }

  /** Writes the frozen image to a temporary file, fsynced. */
  async write(
    identity: FileIdentity,
    times: Pick<WrittenImage, 'since' | 'asOf'>,
  ): Promise<WrittenImage> {
    const { maxTXID: txid, minTXID, pageSize, commit, lineage, timestampMs } = identity;
    const { staging } = this.#context;
    const name = minTXID === txid ? 'image' : 'snapshot';
    const temporary = staging.temporary(`${name}-${txid}`);
    const sizeBytes = await staging.write(temporary, this.#chunks(identity), 'image');
    return { txid, temporary, sizeBytes, pageSize, commit, lineage, timestampMs, ...times };
  }

  discard(): void {
    this.#pages.discard();
    this.#context.gauges.set('imageMovedAt', 0);
  }

  async *#chunks(identity: FileIdentity): AsyncGenerator<Uint8Array, void> {
    const readRemaining = (pgno: number, into: Uint8Array): void => {
      const page = this.#remaining.get(pgno);
      assert(page !== undefined, 'pages beyond the copy were read when the image was frozen');
      into.set(page);
    };
    for (const chunk of this.#pages.merge(headerOf(identity), readRemaining)) {
      if (!this.#host.isOpen) {
        throw new ReplicationError(
          'STAGING_FAILED',
          'the full snapshot was canceled because the database was closed',
        );
      }
      this.#recordProgress();
      yield chunk.slice(); // a copy: ticks reuse the kernel memory
      await yieldToTicks();
    }
  }

  #readLog(held: number): boolean {
    const { follower, wal } = this.#context.database;
    const { header } = follower.place;
    if (held === 0 || header === undefined) return true;
    let taken = 0;
    for (const batch of wal.readFrames(header, 1, held, header.checksum)) {
      this.#pages.add(batch);
      taken += batch.count;
    }
    return taken === held && isSameLog(header, wal.readHeader());
  }

  /** Database size in pages, from the file if no frame was added. */
  #commit(): number {
    const { connections } = this.#context.database;
    const filePages = Math.floor(connections.fileSizeBytes() / connections.pageSize);
    return this.#pages.commit === 0 ? filePages : this.#pages.commit;
  }

  #recordProgress(): void {
    this.#context.gauges.set('imageMovedAt', this.#context.clock.monotonic());
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Throws STAGING_FULL if the staging folder may not use as much space as the database takes. */
export async function requireImageRoom({ database, staging }: DatabaseContext): Promise<void> {
  const need = database.connections.fileSizeBytes();
  const spare = spareBytes(await staging.room());
  if (need <= spare) return;
  throw new ReplicationError(
    'STAGING_FULL',
    `make a full snapshot of a database of ${need} bytes in ${staging.folder}: ` +
      `only ${Math.max(0, Math.floor(spare))} bytes may be used, because a tenth of the volume stays ` +
      'reserved; free some space there, or set meta-path',
  );
}
