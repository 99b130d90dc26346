/**
 * One full snapshot of a followed database, without a transaction that lasts: begun, copied beside
 * the ticks, frozen at the state of the last frame, and written to a temporary file.
 */

import { setImmediate as yieldToTicks } from 'node:timers/promises';
import { assert, ReplicationError } from '../../error.ts';
import { lockPgno } from '../../ltx/header.ts';
import { isSameLog } from '../../wal/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { readerOfCurrent } from '../current.ts';
import { type FileIdentity, headerOf } from '../cut/encode.ts';
import type { WrittenImage } from '../cut/publisher.ts';
import type { EngineContext } from '../engine.ts';
import type { OpenDatabase } from '../opening.ts';
import { spareBytes } from '../staging/room.ts';
import type { Staging } from '../staging/staging.ts';
import { ImagePages } from './image-pages.ts';

/** A log may restart while its frames are taken; then they are taken again, at most so often. */
const TRIES_MAX = 100;
/** A step copies 1 MiB at most. The room on the volume is checked each time after so many. */
const STEPS_PER_LOOK = 16;

/** Of an open database. */
export interface DatabaseContext extends EngineContext {
  readonly staging: Staging;
  readonly database: OpenDatabase;
}

/** The following that an image is made beside. */
export interface ImageHost {
  /** A database that has failed or was closed is copied no further. */
  readonly isOpen: boolean;
  /** Where ticks put their frames. */
  take(batch: FrameBatch): void;
}

export class ImageJob {
  readonly #context: DatabaseContext;
  readonly #host: ImageHost;
  readonly #pages: ImagePages;
  #state: 'copying' | 'frozen' = 'copying';
  /** The pages that copy and frames lack, read when it was frozen. */
  readonly #rest = new Map<number, Uint8Array>();
  /** Why a frame could not be added. */
  #failure: { readonly error: unknown } | undefined;

  /** Takes all frames of the present log cycle. From now on `add` must see every fresh frame. */
  static begin(context: DatabaseContext, host: ImageHost, name: string): ImageJob {
    const { follower } = context.database;
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const tick = follower.tick((batch) => host.take(batch));
      if (tick.kind !== 'held') continue;
      const job = new ImageJob(context, host, name);
      try {
        if (job.#takeCycle(tick.held)) return job;
      } catch (error) {
        job.discard();
        throw error;
      }
      job.discard();
    }
    throw new ReplicationError(
      'WAL_INVALID',
      `make a full snapshot: the log restarted ${TRIES_MAX} times while its frames were taken; it is tried again`,
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
    this.#moved();
  }

  /** Never throws: `copy`, `freeze` and `write` do. */
  add(batch: FrameBatch): void {
    if (this.#state === 'frozen' || this.#failure !== undefined) return;
    try {
      this.#pages.add(batch);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Copies the whole file, a batch at a time, while ticks go on in between. */
  async copy(): Promise<void> {
    const { database, emit, staging } = this.#context;
    const { connections } = database;
    for (let steps = 0; this.#host.isOpen; steps++) {
      if (steps % STEPS_PER_LOOK === 0) await staging.requireRoom();
      if (this.#pages.step() === 'done') return;
      this.#check();
      this.#moved();
      const doneBytes = this.#pages.copiedPages * connections.pageSize;
      emit({ kind: 'progress', doneBytes, totalBytes: connections.fileSizeBytes() });
      await yieldToTicks();
    }
  }

  /**
   * It is the state after the last frame that was added, and no other frame is added any more. Gives
   * the size of that state in pages: `commit`, or where that is not known, what was seen.
   */
  freeze(commit: number = this.#commit()): number {
    this.#check();
    this.#state = 'frozen';
    const { connections, wal, follower } = this.#context.database;
    const current = readerOfCurrent(connections, wal, follower.place);
    const lock = lockPgno(connections.pageSize);
    for (const pgno of this.#pages.missing(commit)) {
      if (pgno !== lock) this.#rest.set(pgno, current(pgno));
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
    const readRest = (pgno: number, into: Uint8Array): void => {
      const page = this.#rest.get(pgno);
      assert(page !== undefined, 'pages beyond the copy were read when the image was frozen');
      into.set(page);
    };
    for (const chunk of this.#pages.merge(headerOf(identity), readRest)) {
      if (!this.#host.isOpen) {
        throw new ReplicationError('STAGING_FAILED', 'the full snapshot was given up');
      }
      this.#moved();
      yield chunk.slice(); // ticks call the kernel, whose memory this is
      await yieldToTicks();
    }
  }

  #takeCycle(held: number): boolean {
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

  /** Where no frame was added, the file alone tells the size. */
  #commit(): number {
    const { connections } = this.#context.database;
    const filePages = Math.floor(connections.fileSizeBytes() / connections.pageSize);
    return this.#pages.commit === 0 ? filePages : this.#pages.commit;
  }

  #moved(): void {
    this.#context.gauges.set('imageMovedAt', this.#context.clock.monotonic());
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** STAGING_FULL where staging may not take as much as the database has. */
export async function requireImageRoom({ database, staging }: DatabaseContext): Promise<void> {
  const need = database.connections.fileSizeBytes();
  const spare = spareBytes(await staging.room());
  if (need <= spare) return;
  throw new ReplicationError(
    'STAGING_FULL',
    `make a full snapshot of a database of ${need} bytes in ${staging.folder}: ` +
      `${Math.max(0, Math.floor(spare))} bytes of its volume may be taken, a tenth of it is left to ` +
      'others; free space there, or set meta-path',
  );
}
